"""The first word of the command line, and how Hermes ends."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui import __version__
from hermes_tui.cli.completion import SCRIPTS, session_ids
from hermes_tui.cli.diagnostics import ExitCode, Ink, guarded
from hermes_tui.cli.lazy import COMMANDS, as_command
from hermes_tui.config.paths import find_paths
from hermes_tui.core.errors import ConfigError, HermesError, ModelAuthError, RefusedError
from hermes_tui.core.messages import user
from hermes_tui.core.tasks import task_group
from hermes_tui.store.store import Store
from tests.cli.conftest import Here
from tests.cli.terminal import ROOT, hermes

WITH_VALUE = frozenset({"--model", "-m", "--resume"})


def test_the_version_needs_no_command_line_parser() -> None:
    probe = "import sys; sys.argv = ['hermes', '--version']\nfrom hermes_tui.cli.main import main\n"
    check = "try: main()\nfinally: print([m for m in ('typer', 'msgspec') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", probe + check], capture_output=True, text=True, cwd=ROOT
    )
    assert done.stdout == f"hermes {__version__}\n[]\n"


@pytest.mark.parametrize("words", [("--version",), ("-V",), ("--mode", "ask", "--version")])
def test_the_version_is_printed(here: Here, words: tuple[str, ...]) -> None:
    assert here(*words).out == f"hermes {__version__}\n"


def test_help_names_every_command(here: Here) -> None:
    done = here("--help")
    assert done.code == 0
    for name, entry in COMMANDS.items():
        assert f"  {name} " in done.out
        assert entry.summary in done.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(here: Here, name: str) -> None:
    done = here(name, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: hermes {name} ")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["fix the bug"], ["run", "fix the bug"]),
        (["a\tb", "--json"], ["run", "a\tb", "--json"]),
        ([""], ["run", ""]),
        (["--model", "x", "fix it", "-q"], ["run", "--model", "x", "fix it", "-q"]),
        (["--model=x y", "fix it"], ["run", "--model=x y", "fix it"]),
        (["--yes", "fix it"], ["run", "--yes", "fix it"]),
        (["- fix it", "-q"], ["run", "-q", "--", "- fix it"]),
        (["--resume", "my session"], ["--resume", "my session"]),
        (["sessions", "search", "two words"], ["sessions", "search", "two words"]),
        (["hello"], ["hello"]),
        (["--model"], ["--model"]),
        ([], []),
    ],
)
def test_a_first_word_with_white_space_is_a_prompt(words: list[str], expected: list[str]) -> None:
    assert as_command(words, WITH_VALUE) == expected


@given(st.lists(st.text(max_size=6)))
def test_no_word_is_lost_on_the_way(words: list[str]) -> None:
    arranged = as_command(words, WITH_VALUE)
    assert sorted(word for word in arranged if word not in {"run", "--"}) == sorted(
        word for word in words if word not in {"run", "--"}
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sesions"], "There is no command 'sesions'. Did you mean 'sessions'?"),
        (["hello"], "Send it as a prompt with `hermes run hello`"),
        (["zap", "the", "bug"], "Put a prompt into quotes"),
        (["--modle", "x"], "--modle"),
        (["config", "shw"], "Did you mean 'show'?"),
        (["run", "--max-steps", "many", "x"], "'--max-steps'"),
        (["config", "get"], "See `hermes config get --help`."),
        (["--mode", "ask", "config", "path"], "--mode stands before 'config'"),
        ([], "The screen needs a terminal. Use `hermes run"),
        (["--continue"], "The screen needs a terminal."),
        (["completion", "tcsh"], "There is no completion for 'tcsh'."),
    ],
)
def test_a_wrong_command_line_is_one_sentence_and_code_2(
    here: Here, words: list[str], said: str
) -> None:
    done = here(*words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert done.err.startswith("hermes: ")
    assert done.err.count("\n") == 1


async def test_a_whole_process_ends_the_same_way() -> None:
    done = await hermes("sesions")
    assert (done.code, done.out) == (2, "")
    assert done.err == "hermes: There is no command 'sesions'. Did you mean 'sessions'?\n"


def ending(raised: BaseException) -> int:
    """The code a guarded block ends with when it raises that."""
    with pytest.raises(SystemExit) as ended, guarded():
        raise raised
    return int(str(ended.value.code))


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (HermesError("No."), ExitCode.FAILED),
        (ConfigError("No."), ExitCode.USAGE),
        (RefusedError("No."), ExitCode.REFUSED),
        (ModelAuthError("No.", hint="Set it."), ExitCode.PROVIDER),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
        (ExceptionGroup("", [ExceptionGroup("", [RefusedError("No.")])]), ExitCode.REFUSED),
        (ExceptionGroup("", [ConfigError("No."), ConfigError("Nor.")]), ExitCode.USAGE),
        (ExceptionGroup("", [ConfigError("No."), ValueError()]), ExitCode.FAILED),
        (BaseExceptionGroup("", [KeyboardInterrupt(), ValueError()]), ExitCode.INTERRUPTED),
        (OSError(28, "No space left on device", "/x"), ExitCode.FAILED),
        (SystemExit(7), 7),
    ],
    ids=repr,
)
def test_every_kind_of_failure_has_its_code(raised: BaseException, code: int) -> None:
    assert ending(raised) == code


def test_the_innermost_guard_reports_once(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), guarded(), guarded():
        raise ConfigError("It is wrong.", hint="Right it.")
    assert capsys.readouterr().err == "hermes: It is wrong. Right it.\n"


async def test_a_failure_inside_a_task_group_is_reported_as_itself(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def fail() -> None:
        raise RefusedError("Not here.")

    with pytest.raises(SystemExit) as ended, guarded():
        async with task_group() as tasks:
            tasks.start_soon(fail)
    assert ended.value.code == 3
    assert capsys.readouterr().err == "hermes: Not here.\n"


def test_a_bug_is_one_sentence_and_a_private_log(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = "sk-0123456789abcdef"
    os.environ["TEST_API_KEY"] = key
    try:
        assert ending(ZeroDivisionError(f"with {key}")) == 1
    finally:
        del os.environ["TEST_API_KEY"]
    (log,) = (home / "logs").iterdir()
    said = capsys.readouterr().err
    assert said.startswith("hermes: This is a bug: ZeroDivisionError. The traceback is in ")
    assert str(log) in said
    assert "Traceback" not in said
    assert "ZeroDivisionError: with [TEST_API_KEY]" in log.read_text("utf-8")
    assert log.stat().st_mode & 0o777 == 0o600


def test_hermes_debug_shows_the_traceback_without_keys(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home.mkdir(mode=0o700)
    (home / ".env").write_text("OTHER=from-the-env-file\n", "utf-8")
    (home / ".env").chmod(0o600)
    monkeypatch.setenv("HERMES_DEBUG", "1")
    ending(ValueError("about from-the-env-file"))
    said = capsys.readouterr().err
    assert "ValueError: about [OTHER]" in said
    assert "from-the-env-file" not in said


def test_an_error_cannot_smuggle_escapes_or_keys_to_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TEST_TOKEN", "token-of-some-length")
    ending(HermesError("\x1b]0;x\x07it said token-of-some-length\x1b[2J", hint="\x1b[31mTry."))
    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert "[TEST_TOKEN]" in said


class Terminal:
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("variables", "is_coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({"NO_COLOR": ""}, True)],
)
def test_colours_only_where_they_are_wanted(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], is_coloured: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    ink = Ink(Terminal())  # pyright: ignore[reportArgumentType]
    assert (ink.error("x") != "x") is is_coloured


def shell(command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", "-c", command.replace("HERMES", f"{sys.executable} -m hermes_tui")],
        capture_output=True, text=True, cwd=ROOT, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("HERMES config show | true; exit ${PIPESTATUS[0]}", 0, ""),
        ("HERMES config show > /dev/full", 1, "The output cannot be written: No space left"),
        ("HERMES sesions 2>&-", 2, ""),
        ("HERMES config path >&-", 0, ""),
    ],
)
def test_streams_that_are_closed_or_full_are_no_traceback(
    command: str, code: int, said: str
) -> None:
    done = shell(command)
    assert (done.returncode, said in done.stderr) == (code, True)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.fixture
def complete(here: Here, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """What bash is offered for the last word of a line."""

    def offered(line: str) -> list[str]:
        words = line.split(" ")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        monkeypatch.setenv("_HERMES_COMPLETE", "complete_bash")
        return here().out.split()

    return offered


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("hermes se", {"sessions", "setup"}),
        ("hermes config ", {"show", "get", "set", "unset", "check", "path", "edit"}),
        ("hermes doctor --of", {"--offline"}),
        ("hermes --con", {"--continue"}),
        ("hermes completion z", {"zsh"}),
        ("hermes run --mode a", {"ask", "auto-edit"}),
        ("hermes --mode r", {"read-only"}),
        ("hermes run --reasoning ", {"off", "low", "high"}),
        ("hermes run -m ollama/q", {"ollama/qwen3:8b", "ollama/qwen3:4b"}),
        ("hermes model reh", {"rehearsal"}),
        ("hermes env use s", {"ssh", "singularity"}),
        ("hermes config set agent.mode f", {"full-auto"}),
        ("hermes config set agent.reasoning ", {"off", "low", "high"}),
        ("hermes config set tui.show_reasoning t", {"true"}),
        ("hermes config set terminal.backend d", {"daytona", "docker"}),
        ("hermes config get models.", {"models.lane", "models.timeout_seconds", "models.retries"}),
        ("hermes --resume ", set[str]()),
    ],
)
def test_shells_complete_commands_that_are_not_loaded_yet(
    complete: Callable[[str], list[str]], line: str, expected: set[str]
) -> None:
    assert set(complete(line)) == expected


async def test_shells_complete_the_ids_of_sessions(home: Path) -> None:
    find_paths(os.environ).create()
    async with Store.open(home / "hermes.db") as store:
        record = await store.sessions.create(
            cwd="/", model="rehearsal", environment="local", source="test"
        )
        empty = await store.sessions.create(cwd="/", model="m", environment="local", source="test")
        await store.journal(record.id).append(user("hello"))
        assert [id_ for id_, _ in session_ids(record.id[:4])] == [record.id]
        assert session_ids("no such id") == []
        assert empty.id not in [id_ for id_, _ in session_ids("")]


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_script_asks_for_what_is_answered(here: Here, name: str) -> None:
    done = here("completion", name)
    assert (done.code, done.out) == (0, SCRIPTS[name])
    assert f"complete_{name}" in done.out


def test_bash_completes_with_the_script(tmp_path: Path) -> None:
    program = tmp_path / "hermes"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m hermes_tui "$@"\n', "utf-8")
    program.chmod(0o755)
    script = (
        f'PATH="{tmp_path}:$PATH"; eval "$(hermes completion bash)"; '
        "COMP_WORDS=(hermes config ch); COMP_CWORD=2; _hermes_complete hermes; "
        'echo "${COMPREPLY[@]}"'
    )
    assert shell(script).stdout == "check\n"
