"""What commands print, on its way to stdout."""

import asyncio
import codecs
import os
import queue
import re
import select
import sys
import threading
from contextlib import suppress
from functools import cache

import anyio

from hermes_tui.safety.terminal_text import visible

LONGEST_SEQUENCE = 4_096
"""Characters of an escape sequence kept back until its end comes; then they are text."""
_RESET = "\x1b[0m"

_Written = asyncio.Future[None]


class CommandOutput:
    """stdout for bytes that commands print.

    A reader may be as slow as it likes: a thread of its own waits for it, so time limits and
    ctrl+c are heeded meanwhile. What had not been written when a `write` is cancelled may be
    written later, or not at all when the process ends before.
    """

    def __init__(self) -> None:
        self._fd = sys.stdout.fileno()
        self.is_terminal = sys.stdout.isatty()
        self._turn = anyio.Lock()
        self._waiting: queue.SimpleQueue[tuple[bytes, _Written]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    async def write(self, data: bytes) -> None:
        """Returns when stdout took all of it.

        Raises:
            OSError: nobody reads any more, or the disk is full.
        """
        if not data:
            return
        if self._thread is None:
            sys.stdout.flush()  # what was printed before comes first
            # Nobody waits for it when the process ends: it may be stuck for ever.
            self._thread = threading.Thread(target=self._work, name="hermes-stdout", daemon=True)
            self._thread.start()
        async with self._turn:
            written: _Written = asyncio.get_running_loop().create_future()
            self._waiting.put((data, written))
            await written

    def _work(self) -> None:
        while True:
            data, written = self._waiting.get()
            error: OSError | None = None
            try:
                self._write(data)
            except OSError as problem:
                error = problem
            with suppress(RuntimeError):  # the loop is closed
                written.get_loop().call_soon_threadsafe(_settle, written, error)

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._fd, left) :]
            except BlockingIOError:  # somebody else with this file made it so
                select.select([], [self._fd], [])


class TerminalText:
    """Makes of a stream of bytes what may be shown on a terminal, however it is cut into pieces.

    Colours stay where they are wanted; what else a terminal would obey is dropped.
    """

    def __init__(self, *, keeps_colours: bool) -> None:
        self._keeps_colours = keeps_colours
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self._is_coloured = False

    def take(self, data: bytes) -> str:
        """What can be shown with `data`; the begin of an escape sequence is kept for later."""
        text = self._held + self._decoder.decode(data)
        unfinished = _unfinished().search(text)
        at = unfinished.start() if unfinished else len(text)
        if len(text) - at > LONGEST_SEQUENCE:
            at = len(text)
        self._held = text[at:]
        return self._shown(text[:at])

    def end(self) -> str:
        """What was kept back, and the terminal's own colours again."""
        rest = self._shown(self._held + self._decoder.decode(b"", final=True))
        self._held = ""
        was_coloured, self._is_coloured = self._is_coloured, False
        return rest + _RESET if was_coloured else rest

    def _shown(self, text: str) -> str:
        if "\x1b" not in text:
            return visible(text)
        pieces = _sequence().split(text)  # text and colours by turns; what is no colour is None
        for at, piece in enumerate(pieces):
            if at % 2 == 0:
                pieces[at] = visible(piece)
            elif piece and self._keeps_colours:
                self._is_coloured = True
            else:
                pieces[at] = ""
        return "".join(pieces)


def _settle(written: _Written, error: OSError | None) -> None:
    if written.done():  # nobody waits any more
        return
    if error is None:
        written.set_result(None)
    else:
        written.set_exception(error)


# Sequences as in ECMA-48, 5.4 and 5.6; those that end with BEL are xterm's.
@cache
def _sequence() -> re.Pattern[str]:
    return re.compile(
        r"(\x1b\[[0-9;:]*m)"
        r"|\x1b\[[0-?]*[ -/]*[@-~]"
        r"|\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"
        r"|\x1b[ -/]*[0-Z\\`-~]"
    )


@cache
def _unfinished() -> re.Pattern[str]:
    return re.compile(r"(?:\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b\x9c]*\x1b?|[ -/]*)|\r)\Z")
