"""Driving the screen in a pseudo-terminal and watching what it paints."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Sequence
from pathlib import Path

import pyte


class Terminal:
    """A command in a terminal of 160x48, its screen kept up to date by `wait_for`."""

    def __init__(self, command: Sequence[str], env: dict[str, str]) -> None:
        self._screen = pyte.Screen(160, 48)
        self._stream = pyte.ByteStream(self._screen)
        self.started = time.monotonic()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 48, 160, 0, 0))
            os.execvpe(command[0], list(command), env)

    @property
    def text(self) -> str:
        return "\n".join(self._screen.display)

    def type(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def wait_for(self, pattern: str, *, timeout: float = 20) -> float:
        """Seconds from the start until the screen shows `pattern`.

        Raises:
            TimeoutError: it never did; the message has the screen.
        """
        deadline = time.monotonic() + timeout
        while not re.search(pattern, self.text):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{pattern!r} never showed on:\n{self.text}")
            if select.select([self._fd], [], [], 0.05)[0]:
                # Textual asks the terminal questions pyte does not know; it ignores them.
                self._stream.feed(os.read(self._fd, 65_536))
        return time.monotonic() - self.started

    def close(self) -> None:
        os.kill(self.pid, signal.SIGTERM)
        while True:
            try:
                if not os.read(self._fd, 65_536):
                    break
            except OSError:  # the other end is gone
                break
        os.waitpid(self.pid, 0)
        os.close(self._fd)


def resident_mib(pid: int) -> float:
    """The memory of `pid` and its descendants, shared pages divided among their users (PSS)."""
    return _pss(pid) + sum(resident_mib(child) for child in _children(pid))


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _pss(pid: int) -> float:
    match = re.search(r"\nPss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text())
    return int(match[1]) / 1024 if match else 0.0
