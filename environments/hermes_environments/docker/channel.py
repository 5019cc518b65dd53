"""A process in a container as byte pipes: the connection `docker exec` attaches, taken apart."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import anyio

from hermes_environments.docker.daemon import Started

CHUNK = 65_536
SETTLE_SECONDS = 0.25
"""For the last output of a process to arrive after the news of its end."""
_HEADER_BYTES = 8
_STDERR = 2


def watched(argv: Sequence[str]) -> list[str]:
    """`argv` under a shell that tells when it ended, although its children may hold the output.

    It tells on stderr, a stream of its own here that nothing else uses.
    """
    return ["sh", "-c", 'trap : HUP INT TERM; "$@" 2>/dev/null; echo $? >&2', "sh", *argv]


class DockerChannel:
    """A connection on which stdout and stderr come in frames, and stdin goes plainly.

    Output that is not received fills the socket, then the pipe inside, and the process waits.
    """

    def __init__(self, started: Started, ask: Callable[[], Awaitable[int | None]]) -> None:
        """`ask` tells the exit code of a process that was not heard to end."""
        self._loop = asyncio.get_running_loop()
        self._started = started
        self._socket = started.connection
        self._ask = ask
        self._stdout = bytearray()
        self._told = bytearray()
        self._header = bytearray()
        self._frame_left = 0
        self._is_stderr = False
        self._reader: asyncio.Future[None] | None = None
        self._is_at_end = False
        self._is_closed = False
        self._reads_in_a_row = 0
        self._take_apart(started.received)

    async def recv(self) -> bytes:
        if self._reads_in_a_row > 4:  # a fast producer must not keep others from running
            self._reads_in_a_row = 0
            await asyncio.sleep(0)
        while not self._stdout and not self._is_at_end:
            if not self._read() and not await self._becomes_readable():
                self._is_at_end = True
        data = bytes(self._stdout)
        self._stdout.clear()
        return data

    async def send(self, data: bytes) -> None:
        with suppress(OSError):  # nobody reads any more; `recv` comes to the end
            await self._loop.sock_sendall(self._socket, data)

    async def send_eof(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    async def exit_code(self) -> int | None:
        while self._code() is None and not self._is_at_end:
            await self.recv()
        code = self._code()
        return code if code is not None else await self._ask()

    async def close(self) -> None:
        """What children still write is discarded by the daemon."""
        if not self._is_closed:
            self._is_closed = self._is_at_end = True
            self._loop.remove_reader(self._socket)
            if self._reader is not None and not self._reader.done():
                self._reader.set_result(None)
            self._started.close()

    def _read(self) -> bool:
        """Take what is there; False when nothing is."""
        try:
            data = self._socket.recv(CHUNK)
        except BlockingIOError:
            self._reads_in_a_row = 0
            return False
        except OSError:
            data = b""
        self._reads_in_a_row += 1
        self._is_at_end = not data
        self._take_apart(data)
        return True

    def _take_apart(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            if self._frame_left == 0:
                part = data[at : at + _HEADER_BYTES - len(self._header)]
                self._header += part
                at += len(part)
                if len(self._header) == _HEADER_BYTES:
                    self._is_stderr = self._header[0] == _STDERR
                    self._frame_left = int.from_bytes(self._header[4:])
                    self._header.clear()
                continue
            part = data[at : at + self._frame_left]
            (self._told if self._is_stderr else self._stdout).extend(part)
            self._frame_left -= len(part)
            at += len(part)

    def _code(self) -> int | None:
        # A shell may also say there how its child died.
        codes = [line for line in bytes(self._told).split(b"\n")[:-1] if line.isdigit()]
        return int(codes[-1]) if codes else None

    async def _becomes_readable(self) -> bool:
        """Wait for more; False when the process ended and nothing more came."""
        has_ended = self._code() is not None
        with anyio.move_on_after(SETTLE_SECONDS if has_ended else None):
            await self._readable()
            return True
        return False

    async def _readable(self) -> None:
        self._reader = self._loop.create_future()
        self._loop.add_reader(self._socket, _settle, self._reader)
        try:
            await self._reader
        finally:
            self._reader = None
            if not self._is_closed:
                self._loop.remove_reader(self._socket)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
