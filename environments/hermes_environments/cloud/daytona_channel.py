r"""A process in a Daytona sandbox as byte pipes, through a terminal, which is all there is.

Commands by Daytona's other ways have no input, or text for output. A terminal has both, once
it is told to leave every byte alone: input in its canonical mode, where a byte after ^V stands
for itself, and ^D hands on what was typed or ends the input; output as it is. The process
itself sees pipes.

The daemon cuts off a client that leaves 256 reads of the terminal waiting. So what stands
between the process and the terminal stops after 64 writes until it is told to go on: by ^\,
which the terminal makes a signal, or by the same signal sent from outside when typed input
that nobody reads would be in the way.
"""

import asyncio
import base64
import secrets
import shlex
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import anyio

from hermes_environments.channel import ChannelLostError
from hermes_tui.core.errors import EnvironmentUnavailableError

READY_SECONDS = 30.0
LEAVE_SECONDS = 0.5
"""For the terminal to end by itself."""
SIGNAL_SECONDS = 10
LINE_BYTES = 1024
"""Typed before ^D; the kernel holds 4095."""
SENT_BYTES = 32 * 1024
UNREAD_BYTES = 60_000
"""What is typed and not read waits in a pipe, which holds this much, and then in the way."""
_EOF, _GO_ON, _LITERAL = b"\4", b"\x1c", b"\x16"

_TERMINAL = (
    r"stty -echo -ixon -icrnl -inlcr -igncr -istrip -opost icanon iexten isig noflsh"
    r" eof '^D' lnext '^V' quit '^\' intr undef susp undef"
    r" eol undef eol2 undef erase undef kill undef werase undef rprnt undef 2>/dev/null"
)
# The terminal stays until we say so, by a second end of input: what is on its way when a
# terminal ends is lost. What the process leaves behind may go on printing, also when the
# terminal is gone; and it must not be in the terminal's session, or it would hang up with it.
_PLUMBING = r"""
mark=$1; shift
command -v setsid >/dev/null && set -- setsid "$@"
trap : QUIT
printf '\036%s%s\036' "$mark" "$$"
exec 3>&1 2>/dev/null
( trap '' QUIT PIPE; cat; exec cat >/dev/null ) | {
  trap : QUIT
  "$@" 3>&-; printf '\036%s%s\036' "$mark" "$?"
} | {
  trap '' HUP; trap go=1 QUIT
  while :; do
    said=$( ( trap '' QUIT; LC_ALL=C exec dd bs=8192 count=64 2>&1 >&3 ) ) || exec cat >/dev/null
    reads=${said%% records in*}; reads=${reads##*[!0-9+]}
    [ $(( $reads )) -lt 64 ] && exit
    go=
    printf '\036%sw\036' "$mark" >&3
    while [ -z "$go" ]; do
      [ -t 3 ] || exec cat >/dev/null
      sleep 1 & [ -n "$go" ] || wait $!
    done
  done
}
"""


class TerminalChannel:
    """One process behind one terminal, connected until `close`."""

    def __init__(self, sdk: Any, sandbox: Any) -> None:
        self._sdk = sdk
        self._process = sandbox.process
        self._id = f"hermes-{secrets.token_hex(8)}"
        self._mark = b"\x1e" + secrets.token_hex(16).encode()
        self._handle: Any = None
        self._heard: deque[bytes] = deque()
        """Output, and `b""` where it waits for us."""
        self._held = b""
        self._group = ""
        self._code: int | None = None
        self._typed = 0
        self._is_over = False
        self._is_closed = False
        self._news = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None

    async def begin(self, argv: Sequence[str]) -> None:
        """Start `argv` and wait until it can be talked to."""
        script = shlex.join(["sh", "-c", _PLUMBING, "hermes", self._mark[1:].decode(), *argv])
        text = base64.b64encode(f"{_TERMINAL}; exec {script}".encode()).decode()
        try:
            self._handle = await self._process.create_pty_session(
                self._id, self._on_data, envs={"TERM": "dumb", "HISTFILE": "/dev/null"}
            )
            self._watching = asyncio.create_task(self._watch())
            await self._handle.send_input(f' eval "$(printf %s {text} | base64 -d)"\n')
            with anyio.move_on_after(READY_SECONDS):
                while not self._group and not self._is_over:
                    await self._wait()
            if not self._group:
                raise EnvironmentUnavailableError(
                    "The sandbox's terminal could not be used.",
                    hint="Choose an image with sh, stty, cat, dd and base64.",
                )
        except BaseException:
            with anyio.move_on_after(SIGNAL_SECONDS, shield=True):
                await self.close()
            raise

    async def recv(self) -> bytes:
        while True:
            if self._heard:
                if data := self._heard.popleft():
                    return data
                await self._go_on()
            elif self._code is not None:
                return b""
            elif self._is_over:
                raise ChannelLostError("The connection to the sandbox was lost.")
            else:
                await self._wait()

    async def send(self, data: bytes) -> None:
        for at in range(0, len(data), SENT_BYTES):
            await self._type(_quoted(data[at : at + SENT_BYTES]))
        self._typed += len(data)

    async def send_eof(self) -> None:
        await self._type(_EOF)

    async def exit_code(self) -> int | None:
        with suppress(ChannelLostError):
            while await self.recv():
                pass
        return self._code

    async def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        # As long as a connection is open, the sandbox is awake.
        with suppress(self._sdk.DaytonaError, OSError):
            if not await self._leaves_by_itself():
                if self._handle is not None:
                    await self._handle.disconnect()
                await self._process.kill_pty_session(self._id)
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait({self._watching})

    async def _leaves_by_itself(self) -> bool:
        if self._handle is None:
            return False
        with suppress(self._sdk.DaytonaError), anyio.move_on_after(LEAVE_SECONDS):
            await self._handle.send_input(_EOF + _EOF)
            await self._handle.wait()
        return not self._handle.is_connected()

    async def _go_on(self) -> None:
        """Let the next 64 writes come."""
        if self._typed <= UNREAD_BYTES:
            await self._type(_GO_ON)
            return
        try:
            await self._process.exec(f"kill -QUIT -{self._group}", timeout=SIGNAL_SECONDS)
        except (self._sdk.DaytonaError, OSError) as error:
            raise ChannelLostError(f"The connection to the sandbox was lost: {error}.") from error

    async def _type(self, keys: bytes) -> None:
        if self._code is not None:
            return  # nobody reads any more
        try:
            await self._handle.send_input(keys)
        except (self._sdk.DaytonaError, OSError) as error:
            if self._code is None:
                raise ChannelLostError(f"The connection was lost: {error}.") from error

    def _on_data(self, data: bytes) -> None:
        """Take out what the plumbing says, in marks: where it is, to go on, and the exit code."""
        data = self._held + data
        self._held = b""
        while data and self._code is None:
            before, mark, after = data.partition(self._mark)
            if not mark:
                at = data.rfind(b"\x1e", max(0, len(data) - len(self._mark) + 1))
                if at >= 0 and self._mark.startswith(data[at:]):
                    data, self._held = data[:at], data[at:]
                self._hear(data)
                break
            self._hear(before)
            word, end, data = after.partition(b"\x1e")
            if not end:
                self._held = mark + after
                break
            self._on_mark(word)
        self._news.set()

    def _on_mark(self, word: bytes) -> None:
        if not self._group:
            self._group = word.decode()
        elif word == b"w":
            self._heard.append(b"")
        else:
            self._code = int(word)

    def _hear(self, data: bytes) -> None:
        # What comes before the first mark is the shell's greeting, prompt and echo.
        if data and self._group and not self._is_closed:
            self._heard.append(data)

    async def _wait(self) -> None:
        self._news.clear()
        await self._news.wait()

    async def _watch(self) -> None:
        try:
            await self._handle.wait()
        finally:
            self._is_over = True
            self._news.set()


def _quoted(data: bytes) -> bytes:
    """The keys to type so that exactly `data` arrives, and at once."""
    typed = bytearray()
    for at in range(0, len(data), LINE_BYTES):
        line = data[at : at + LINE_BYTES]
        for key in (_LITERAL, _EOF, _GO_ON):
            line = line.replace(key, _LITERAL + key)
        typed += line
        if not line.endswith(b"\n"):  # after a whole line, it would be the end of the input
            typed += _EOF
    return bytes(typed)
