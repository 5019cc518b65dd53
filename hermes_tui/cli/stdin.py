"""stdin read piece by piece, so that ctrl+c and everything else goes on meanwhile."""

import os
import sys
from contextlib import suppress

import anyio

from hermes_tui.cli.diagnostics import say

PIECE = 65_536
PATIENCE_SECONDS = 3.0
"""A person is told what is waited for when stdin does not end for so long."""


async def read_piped() -> bytes:
    """All of stdin; empty when it is a terminal, or there is none."""
    if sys.stdin is None or sys.stdin.isatty():
        return b""
    found = bytearray()
    fd = sys.stdin.fileno()
    with anyio.move_on_after(PATIENCE_SECONDS):
        while piece := await _read(fd):
            found += piece
        return bytes(found)
    say("Waiting for the end of stdin, which the command gets as its own.")
    while piece := await _read(fd):
        found += piece
    return bytes(found)


class Lines:
    """stdin line by line."""

    def __init__(self) -> None:
        self._rest = b""
        self._is_at_end = sys.stdin is None

    async def next(self) -> str | None:
        """A line without its end; None after the last."""
        while b"\n" not in self._rest and not self._is_at_end:
            piece = await _read(sys.stdin.fileno())
            self._rest += piece
            self._is_at_end = not piece
        if self._is_at_end and not self._rest:
            return None
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode("utf-8", "surrogateescape")


async def _read(fd: int) -> bytes:
    with suppress(PermissionError):  # a file, which is always readable; epoll(7) takes none
        await anyio.wait_readable(fd)
    return os.read(fd, PIECE)
