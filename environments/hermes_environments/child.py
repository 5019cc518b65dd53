"""Processes of this machine on pipes: commands themselves, or programs that reach a place."""

import asyncio
import os
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import anyio

from hermes_tui.core.errors import EnvironmentUnavailableError

CHUNK = 65_536
EXIT_SECONDS = 1.0
"""For workers without work to end."""
DISCARD_PAUSE = 0.1
"""Seconds between two chunks discarded for a background child that prints without end."""


class Children:
    """The processes an environment has started on this machine, until they are let go."""

    def __init__(self) -> None:
        self._channels: set[ChildChannel] = set()

    def __len__(self) -> int:
        return len(self._channels)

    def start(self, argv: Sequence[str], *, env: Mapping[str, str]) -> "ChildChannel":
        """Start a program, given by its path, with `env` and nothing else for its environment.

        Takes 0.2 ms: less than a thread or asyncio's own transports would.

        Raises:
            EnvironmentUnavailableError: it cannot be started.
        """
        try:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                # Not a folder that may go away, nor one that must not be in use.
                cwd="/",
                env=env,
                start_new_session=True,
            )
        except OSError as error:
            raise EnvironmentUnavailableError(
                f"{argv[0]} could not be started: {error.strerror}.",
                hint="Close programs or raise the limit on processes and open files.",
            ) from error
        channel = ChildChannel(process, self._channels.discard)
        self._channels.add(channel)
        return channel

    async def let_go(self) -> None:
        """Abandon all of them, and give their processes a moment to end."""
        channels = tuple(self._channels)
        for channel in channels:
            channel.abandon()
        with anyio.move_on_after(EXIT_SECONDS):
            for channel in channels:
                await channel.exit_code()


class ChildChannel:
    """A child process on two pipes, read and written only when somebody asks."""

    def __init__(
        self, process: subprocess.Popen[bytes], on_released: Callable[["ChildChannel"], None]
    ) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._loop = asyncio.get_running_loop()
        self._process = process
        self.pid = process.pid
        self._on_released = on_released
        self._stdin = process.stdin
        self._stdout = process.stdout
        os.set_blocking(self._stdin.fileno(), False)
        os.set_blocking(self._stdout.fileno(), False)
        self._reader: asyncio.Future[None] | None = None
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._is_at_end = False
        self._is_closed = False
        self._reads_in_a_row = 0
        self._watch()

    async def recv(self) -> bytes:
        if self._reads_in_a_row > 4:  # a fast producer must not keep others from running
            self._reads_in_a_row = 0
            await asyncio.sleep(0)
        while not self._is_at_end:
            has_ended = self._ended.done()
            try:
                data = os.read(self._stdout.fileno(), CHUNK)
            except BlockingIOError:
                if has_ended:
                    return b""
                self._reads_in_a_row = 0
                await self._readable()
            else:
                self._reads_in_a_row += 1
                self._is_at_end = not data
                return data
        return b""

    async def send(self, data: bytes) -> None:
        view = memoryview(data)
        while view and not self._stdin.closed:
            try:
                view = view[os.write(self._stdin.fileno(), view) :]
            except BlockingIOError:
                await self._writable()
            except BrokenPipeError:
                return

    async def send_eof(self) -> None:
        self._close_stdin()

    async def exit_code(self) -> int | None:
        code = await asyncio.shield(self._ended)
        return code if code >= 0 else 128 - code

    async def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._close_stdin()
            self._discard()

    def abandon(self) -> None:
        """Let go of the pipe as well; whoever still writes to it gets SIGPIPE."""
        self._is_closed = True
        self._close_stdin()
        if not self._stdout.closed:
            self._loop.remove_reader(self._stdout.fileno())
            self._stdout.close()
        self._is_at_end = True
        self._release()

    def _close_stdin(self) -> None:
        if not self._stdin.closed:
            self._loop.remove_writer(self._stdin.fileno())
            self._stdin.close()

    def _discard(self) -> None:
        """Read on for children in the background, slowly if they print without end."""
        if self._stdout.closed:
            return
        fd = self._stdout.fileno()
        self._loop.remove_reader(fd)
        try:
            data = b"" if self._is_at_end else os.read(fd, CHUNK)
        except BlockingIOError:
            self._loop.add_reader(fd, self._discard)
            return
        if data:
            self._loop.call_later(DISCARD_PAUSE, self._discard)
            return
        self._stdout.close()
        self._release()

    def _release(self) -> None:
        if self._ended.done() and self._stdout.closed:
            self._on_released(self)

    def _watch(self) -> None:
        """Wait for the process without a thread where the system can, i.e. on Linux."""
        try:
            pidfd = os.pidfd_open(self._process.pid)
        except (AttributeError, OSError):
            threading.Thread(target=self._wait, daemon=True).start()
            return
        self._loop.add_reader(pidfd, self._on_ended, pidfd)

    def _wait(self) -> None:
        self._process.wait()
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._on_ended)

    def _on_ended(self, pidfd: int | None = None) -> None:
        if pidfd is not None:
            self._loop.remove_reader(pidfd)
            os.close(pidfd)
        code = self._process.wait()
        if not self._ended.done():
            self._ended.set_result(code)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
        self._release()

    async def _readable(self) -> None:
        self._reader = self._loop.create_future()
        fd = self._stdout.fileno()
        self._loop.add_reader(fd, _settle, self._reader)
        try:
            await self._reader
        finally:
            self._reader = None
            if not self._stdout.closed:
                self._loop.remove_reader(fd)

    async def _writable(self) -> None:
        writer: asyncio.Future[None] = self._loop.create_future()
        fd = self._stdin.fileno()
        self._loop.add_writer(fd, _settle, writer)
        try:
            await writer
        finally:
            if not self._stdin.closed:
                self._loop.remove_writer(fd)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
