"""The terminal is as it was, whatever ended the screen."""

import os
import pty
import select
import signal
import subprocess
import sys
import termios
from pathlib import Path
from time import monotonic

import pytest

ROOT = Path(__file__).parents[2]

SCREEN = """
import os, signal, sys, termios, time
from hermes_tui.cli.launcher import supervise

def child():
    attributes = termios.tcgetattr(0)
    attributes[3] &= ~(termios.ECHO | termios.ICANON | termios.ISIG)
    termios.tcsetattr(0, termios.TCSANOW, attributes)
    sys.stdout.write("\\x1b[?1049h\\x1b[?1000h\\x1b[?1003h\\x1b[?1006h\\x1b[?1004h\\x1b[?2004h")
    sys.stdout.write("\\x1b[>1u\\x1b[?25l" + f"child={os.getpid()};")
    sys.stdout.flush()
    ENDING
    time.sleep(60)
    return 0

sys.exit(supervise(child))
"""

WAITS = "signal.pause()"
OFF = ("\x1b[?1049l", "\x1b[?1000l", "\x1b[?1003l", "\x1b[?1006l", "\x1b[?1004l", "\x1b[?2004l",
       "\x1b[?25h", "\x1b[<u", "\x1b[0m")  # fmt: skip


class Terminal:
    """The launcher at work in a terminal of its own."""

    def __init__(self, ending: str) -> None:
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.seen = ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCREEN.replace("ENDING", ending)],
            stdin=self.slave, stdout=self.slave, stderr=self.slave,
            cwd=ROOT, start_new_session=True,
        )  # fmt: skip

    def read_until(self, text: str, seconds: float = 10) -> None:
        deadline = monotonic() + seconds
        while text not in self.seen:
            ready, _, _ = select.select([self.master], [], [], max(deadline - monotonic(), 0))
            assert ready, f"{text!r} did not come; this did: {self.seen!r}"
            self.seen += os.read(self.master, 65_536).decode("utf-8", "replace")

    @property
    def child(self) -> int:
        self.read_until(";")
        return int(self.seen.split("child=")[1].split(";")[0])

    def wait(self) -> int:
        code = self.process.wait(10)
        while select.select([self.master], [], [], 0)[0]:
            self.seen += os.read(self.master, 65_536).decode("utf-8", "replace")
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def assert_restored(self) -> None:
        after = self.seen.rsplit("child=", 1)[1]
        assert [mode for mode in OFF if mode not in after] == []
        assert termios.tcgetattr(self.slave) == self.before


def started(ending: str, request: pytest.FixtureRequest) -> Terminal:
    terminal = Terminal(ending)
    request.addfinalizer(terminal.close)
    return terminal


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT], ids=str)
def test_a_signal_to_the_launcher_ends_the_screen_and_restores_the_terminal(
    number: signal.Signals, request: pytest.FixtureRequest
) -> None:
    terminal = started(WAITS, request)
    child = terminal.child
    terminal.process.send_signal(number)
    assert terminal.wait() == 128 + number
    terminal.assert_restored()
    assert f"Hermes was ended by {number.name}." in terminal.seen
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV], ids=str)
def test_a_screen_that_was_killed_leaves_the_terminal_as_it_was(
    number: signal.Signals, request: pytest.FixtureRequest
) -> None:
    terminal = started(WAITS, request)
    os.kill(terminal.child, number)
    assert terminal.wait() == 128 + number
    terminal.assert_restored()
    assert number.name in terminal.seen


def test_a_screen_that_vanished_with_a_code_leaves_the_terminal_as_it_was(
    request: pytest.FixtureRequest,
) -> None:
    terminal = started("os._exit(7)", request)
    assert terminal.wait() == 7
    terminal.assert_restored()


def test_a_screen_that_ended_by_itself_keeps_what_it_printed_last(
    request: pytest.FixtureRequest,
) -> None:
    terminal = started("sys.stdout.write('\\x1b[?1049l Goodbye.'); return 3", request)
    assert terminal.wait() == 3
    said = terminal.seen.split("Goodbye.")[1]
    assert "\x1b[?1049l" not in said
    assert "\x1b[<u" not in said
    assert "\x1b[?1003l" in said
    assert termios.tcgetattr(terminal.slave) == terminal.before


def test_an_exception_is_reported_and_exits_with_1(request: pytest.FixtureRequest) -> None:
    terminal = started("raise RuntimeError('a bug')", request)
    assert terminal.wait() == 1
    assert "RuntimeError: a bug" in terminal.seen
    assert termios.tcgetattr(terminal.slave) == terminal.before


def test_an_interrupt_does_not_end_the_launcher(request: pytest.FixtureRequest) -> None:
    ending = (
        "signal.signal(signal.SIGINT, lambda *_: os.write(1, b'INTERRUPTED'));"
        "os.write(1, b'READY'); signal.pause()"
    )
    terminal = started(ending, request)
    child = terminal.child
    terminal.read_until("READY")
    terminal.process.send_signal(signal.SIGINT)
    os.kill(child, signal.SIGINT)
    terminal.read_until("INTERRUPTED")
    assert terminal.process.poll() is None


def test_without_a_terminal_there_is_no_second_process() -> None:
    code = (
        "import os; from hermes_tui.cli.launcher import supervise;"
        "pid = os.getpid(); raise SystemExit(supervise(lambda: 5 if os.getpid() == pid else 6))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, cwd=ROOT, check=False
    )
    assert ended.returncode == 5


def test_the_launcher_imports_nothing_heavy() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import collections.abc, enum, os;"
        "before = set(sys.modules); import hermes_tui.cli.launcher;"
        "print(' '.join(sorted(set(sys.modules) - before)))"
    )
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    assert set(ended.stdout.split()) == {
        "hermes_tui", "hermes_tui.cli", "hermes_tui.cli.launcher", "select", "signal", "termios",
        "threading", "_weakrefset", "hermes_tui.config", "hermes_tui.config.own_process",
    }  # fmt: skip
