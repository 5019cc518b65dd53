"""Running `hermes` inside the test's own process, which is quicker than starting one."""

import io
import sys
from collections.abc import Callable

import pytest

from hermes_tui.cli.main import main
from tests.cli.terminal import Done

Here = Callable[..., Done]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    """`here("config", "check")` runs that command; `stdin` is what is piped in."""

    def run(*words: str, stdin: str = "") -> Done:
        monkeypatch.setattr(sys, "argv", ["hermes", *words])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Done(int(str(ended.value.code or 0)), printed.out, printed.err)

    return run
