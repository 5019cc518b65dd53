"""`hermes setup`: with options, and asked at a terminal."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hermes_tui.config.load import load_config
from hermes_tui.config.paths import Paths
from hermes_tui.config.secrets import load_secrets
from tests.cli.conftest import Here
from tests.cli.terminal import ROOT

KEY = "sk-0123456789abcdef"


@pytest.fixture
def paths(home: Path) -> Paths:
    return Paths(home=home, config_file=home / "config.yaml")


def test_options_say_it_all_and_the_key_comes_from_stdin(here: Here, paths: Paths) -> None:
    done = here("setup", "--provider", "openai", "--api-key-stdin", stdin=f"{KEY}\n")
    assert (done.code, done.out) == (0, "")
    assert KEY not in done.err
    config = load_config(paths, environ={})
    assert (config.model or "").startswith("openai/")
    assert load_secrets(paths, {}, config)["OPENAI_API_KEY"] == KEY
    assert paths.env_file.stat().st_mode & 0o777 == 0o600
    assert KEY not in paths.config_file.read_text("utf-8")


def test_a_server_of_ones_own(here: Here, paths: Paths) -> None:
    words = ("setup", "--provider", "my-box", "--base-url", "http://127.0.0.1:9/v1", "-m", "big")
    assert here(*words, "--api-key-stdin", stdin=KEY).code == 0
    config = load_config(paths, environ={})
    assert config.model == "my-box/big"
    assert config.providers["my-box"].base_url == "http://127.0.0.1:9/v1"
    assert config.providers["my-box"].api_key == "$MY_BOX_API_KEY"
    assert load_secrets(paths, {}, config)["MY_BOX_API_KEY"] == KEY


@pytest.mark.parametrize(
    ("words", "model"),
    [
        (["--model", "openrouter/a/b"], "openrouter/a/b"),
        (["--provider", "nous", "--model", "nous/x"], "nous/x"),
        (["--provider", "mistral", "--model", "m"], "mistral/m"),
        (["--provider", "rehearsal"], "rehearsal"),
        (["--model", "rehearsal"], "rehearsal"),
    ],
)
def test_provider_and_model_may_be_written_together_or_apart(
    here: Here, paths: Paths, words: list[str], model: str
) -> None:
    done = here("setup", *words)
    assert done.code == 0
    assert load_config(paths, environ={}).model == model
    assert ("It has no key yet" in done.err) is (model != "rehearsal")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "needs a terminal. Pass --provider, --model and"),
        (["--api-key-stdin"], "needs a terminal"),
        (["--provider", "opnai"], "Did you mean 'openai'?"),
        (["--provider", "opnai", "--model", "x"], "Did you mean 'openai'?"),
        (["--provider", "nope", "--model", "x"], "'nope'. Write it as provider/model"),
        (["--provider", "openai", "--api-key-stdin"], "There is no key on standard input."),
        (["--provider", "x", "--base-url", "host", "-m", "y"], "begins with http:// or https://"),
        (["--provider", "x", "--base-url", "http://h"], "Pass --model."),
        (["--provider", "lmstudio", "--model", ""], "is not running here"),
    ],
)
def test_what_makes_no_whole_is_refused_and_changes_nothing(
    here: Here, home: Path, words: list[str], said: str
) -> None:
    done = here("setup", *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert not home.exists()


def test_a_key_in_the_environment_that_goes_first_is_pointed_out(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "another-key-of-some-length")
    done = here("setup", "--provider", "openai", "--api-key-stdin", stdin=KEY)
    assert "The environment's OPENAI_API_KEY goes before it" in done.err


class Dialog:
    """A person at a terminal who answers what `hermes setup` asks."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._read_to = 0
        self.seen = ""

    def until(self, text: str) -> None:
        """Read on until `text` was shown."""
        deadline = time.monotonic() + 20
        while text not in self.seen[self._read_to :]:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self._terminal], [], [], max(0, left))
            assert ready, f"{text!r} never came; there is: {self.seen}"
            try:
                self.seen += os.read(self._terminal, 4096).decode()
            except OSError:
                pytest.fail(f"It ended before {text!r}: {self.seen}")
        self._read_to = self.seen.index(text, self._read_to) + len(text)

    def answer(self, text: str) -> None:
        os.write(self._terminal, f"{text}\n".encode())


@contextmanager
def dialog() -> Generator[tuple[Dialog, "subprocess.Popen[bytes]"], None, None]:
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "hermes_tui", "setup"],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    try:
        yield Dialog(ours), child
    finally:
        child.kill()
        child.wait(10)
        os.close(ours)


def test_the_key_typed_is_not_shown(paths: Paths) -> None:
    with dialog() as (person, child):
        person.until("Number or name [1]: ")
        person.answer("nonsense")
        person.until("Give a number")
        person.until("Number or name [1]: ")
        person.answer("openai")
        person.until("Key (OPENAI_API_KEY; not shown; Enter goes without): ")
        person.answer(KEY)
        person.until("Number or name [1]: ")
        person.answer("2")
        person.until("answers from now on")
        assert child.wait(20) == 0
        assert KEY not in person.seen
    config = load_config(paths, environ={})
    assert (config.model or "").startswith("openai/")
    assert load_secrets(paths, {}, config)["OPENAI_API_KEY"] == KEY


def test_another_server_and_a_model_it_alone_knows(paths: Paths) -> None:
    with dialog() as (person, child):
        person.until("Number or name [1]: ")
        person.answer("nope")
        person.until(", or a name: ")
        person.until("custom, rehearsal.")
        person.answer("Custom")
        person.until("Address of its API")
        person.answer("http://127.0.0.1:9/v1")
        person.until("A short name")
        person.answer("")
        person.until("Key (MINE_API_KEY")
        person.answer("")
        person.until("Which model")
        person.answer("big")
        person.until("answers from now on")
        assert child.wait(20) == 0
    assert load_config(paths, environ={}).model == "mine/big"
    assert not paths.env_file.exists()


def test_leaving_half_way_changes_nothing(home: Path) -> None:
    with dialog() as (person, child):
        person.until("Number or name [1]: ")
        person.answer("openai")
        person.until("Key (OPENAI_API_KEY")
        person.answer("\x04")
        person.until("Interrupted.")
        assert child.wait(20) == 130
    assert not home.exists()
