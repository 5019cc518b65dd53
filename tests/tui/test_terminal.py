"""The real screen in a real terminal, under its launcher."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Generator
from pathlib import Path
from time import monotonic

import pyte
import pytest

ROOT = Path(__file__).parents[2]

SCREEN = """
import os, sys
from contextlib import asynccontextmanager
from pathlib import Path
from hermes_tui.cli.launcher import supervise

def child():
    from hermes_tui.models.scripted import says
    from hermes_tui.tui.app import run_app
    from tests.tui.stage import StageRuntime

    @asynccontextmanager
    async def open_runtime(human):
        lines = [says("\\x1b]0;owned\\x07Hi")]
        yield StageRuntime(human, Path(os.environ["HERMES_HOME"]), lines, {})
        os.write(2, b"closed")

    return run_app(open_runtime)

sys.exit(supervise(child))
"""

EDITOR = """#!/bin/sh
printf 'EDITING '; cat "$1"
read -r line
printf ', %s' "$line" >> "$1"
"""

OFF = ("\x1b[?1049l", "\x1b[?1000l", "\x1b[?1003l", "\x1b[?1006l", "\x1b[?1004l", "\x1b[?2004l",
       "\x1b[?25h")  # fmt: skip


class Terminal:
    """A terminal of 100 by 30 cells with Hermes in it."""

    def __init__(self, home: Path, *, has_stderr: bool = True) -> None:
        home.mkdir(exist_ok=True)
        editor = home / "editor"
        editor.write_text(EDITOR, encoding="utf-8")
        editor.chmod(0o755)
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.before = termios.tcgetattr(self.slave)
        self.raw = b""
        self.screen = pyte.Screen(100, 30)
        self._stream = pyte.ByteStream(self.screen)
        stderr = self.slave if has_stderr else subprocess.DEVNULL
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCREEN],
            stdin=self.slave, stdout=self.slave, stderr=stderr, cwd=ROOT, start_new_session=True,
            env=os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor",
                              "HERMES_HOME": str(home), "PYTHONPATH": str(ROOT),
                              "VISUAL": str(editor)},
        )  # fmt: skip

    def read(self, seconds: float) -> bool:
        if not select.select([self.master], [], [], max(seconds, 0))[0]:
            return False
        data = os.read(self.master, 65_536)
        self.raw += data
        self._stream.feed(data)
        return True

    def sees(self, text: str, seconds: float = 20) -> None:
        deadline = monotonic() + seconds
        while text not in "\n".join(self.screen.display):
            assert self.read(deadline - monotonic()), "\n".join(self.screen.display)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    @property
    def child(self) -> int:
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(path.read_text(encoding="ascii").split()[0])

    def ended(self) -> tuple[int, str]:
        """The exit code, and what was written after the last picture."""
        code = self.process.wait(15)
        while self.read(0):
            pass
        return code, self.raw.decode("utf-8", "replace").rsplit("● idle", 1)[-1]

    def close(self) -> None:
        if self.master < 0:
            return
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)
        self.master = -1


@pytest.fixture
def terminal(home: Path) -> Generator[Terminal, None, None]:
    terminal = Terminal(home)
    try:
        terminal.sees("● idle")
        yield terminal
    finally:
        terminal.close()


def test_quitting_leaves_the_terminal_as_it_was(terminal: Terminal) -> None:
    terminal.type("hello\r")
    terminal.sees("Hi")
    assert b"\x1b]0;owned" not in terminal.raw
    terminal.type("\x11")
    code, after = terminal.ended()
    assert code == 0
    assert "closed" in after
    assert [mode for mode in OFF if mode not in after] == []
    assert "Session s0; go on with: hermes --continue" in after.split("\x1b[?1049l")[-1]
    assert termios.tcgetattr(terminal.slave) == terminal.before


def test_quitting_with_nothing_said_says_nothing(terminal: Terminal) -> None:
    terminal.type("\x11")
    assert "go on with" not in terminal.ended()[1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT], ids=str)
def test_a_signal_closes_the_runtime_first(terminal: Terminal, number: signal.Signals) -> None:
    terminal.process.send_signal(number)
    code, after = terminal.ended()
    assert code == 128 + number
    assert "closed" in after
    assert [mode for mode in OFF if mode not in after] == []
    assert termios.tcgetattr(terminal.slave) == terminal.before


def test_an_editor_has_the_terminal_to_itself(terminal: Terminal) -> None:
    terminal.type("start\x07")
    terminal.sees("EDITING start")
    os.kill(terminal.child, signal.SIGINT)
    terminal.type("go\r")
    terminal.sees("start, go")
    terminal.sees("● idle")


def test_even_a_kill_leaves_the_terminal_as_it_was(terminal: Terminal) -> None:
    os.kill(terminal.child, signal.SIGKILL)
    code, after = terminal.ended()
    assert code == 137
    assert "Hermes was ended by SIGKILL." in after
    assert [mode for mode in OFF if mode not in after] == []
    assert termios.tcgetattr(terminal.slave) == terminal.before


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists() or " Z " in Path(f"/proc/{pid}/stat").read_text()


def test_a_screen_whose_terminal_and_launcher_are_gone_does_not_stay(terminal: Terminal) -> None:
    child = terminal.child
    terminal.close()
    deadline = monotonic() + 15
    while not gone(child):
        assert monotonic() < deadline
        select.select([], [], [], 0.05)


def test_the_screen_is_painted_although_stderr_goes_elsewhere(home: Path) -> None:
    terminal = Terminal(home, has_stderr=False)
    try:
        terminal.sees("● idle")
    finally:
        terminal.close()


def test_what_is_typed_before_the_runtime_is_there_is_sent(home: Path) -> None:
    terminal = Terminal(home)
    try:
        terminal.sees("☤")
        terminal.type("good morning\r")
        terminal.sees("Hi")
        terminal.sees("good morning")
    finally:
        terminal.close()
