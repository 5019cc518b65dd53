"""Running `hermes` as its users do: as a process of its own."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import anyio
from msgspec import Struct

ROOT = Path(__file__).parents[2]


class Done(Struct, frozen=True):
    """How a command ended."""

    code: int
    out: str
    err: str


async def hermes(
    *words: str,
    stdin: bytes = b"",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Done:
    """Run `hermes WORDS` without a terminal."""
    with anyio.fail_after(50):
        done = await anyio.run_process(
            [sys.executable, "-m", "hermes_tui", *words],
            input=stdin,
            cwd=cwd or ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
            check=False,
            stderr=subprocess.PIPE,
        )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def on_terminal(*words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Done:
    """Run `hermes WORDS` on a terminal, which shows both its streams, and say what that got."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "hermes_tui", *words],
        stdin=slave, stdout=slave, stderr=slave, cwd=cwd or ROOT, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **(env or {})},
    ) as process:  # fmt: skip
        os.close(slave)
        shown = b""
        try:
            while data := os.read(master, 65_536):
                shown += data
        except OSError:  # nobody has the other end any more
            pass
        os.close(master)
    return Done(process.returncode, shown.decode("utf-8", "replace"), "")


class Typed:
    """`hermes WORDS` on a terminal of its own, at which somebody types."""

    def __init__(self, *words: str) -> None:
        self._words = words
        self._unread = b""

    def __enter__(self) -> Self:
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            environ = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}
            os.execve(sys.executable, [sys.executable, "-m", "hermes_tui", *self._words], environ)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._terminal)

    def types(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def awaits(self, text: str) -> None:
        """Read on until `text` was shown."""
        wanted, end = text.encode(), time.monotonic() + 30
        while wanted not in self._unread:
            left = end - time.monotonic()
            assert left > 0, self._unread
            if select.select([self._terminal], [], [], left)[0]:
                self._unread += os.read(self._terminal, 65_536)
        self._unread = self._unread.partition(wanted)[2]

    def ends(self) -> int:
        """The code it ends with, once it does."""
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
