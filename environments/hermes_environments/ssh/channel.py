"""Processes on one SSH connection, and the pulse that tells whether it still is one."""

import asyncio
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import TypeVar

import paramiko

from hermes_environments.channel import ChannelLostError
from hermes_environments.ssh.files import Files
from hermes_environments.ssh.link import Link
from hermes_environments.threads import in_thread
from hermes_tui.core.errors import EnvironmentUnavailableError

CHANNELS = 8
"""Per connection; sshd refuses the eleventh (MaxSessions)."""
WINDOW = 1 << 20
"""Bytes of output a process may be ahead of its reader."""
CHUNK = 1 << 18
PIECE = 32_768
OPEN_SECONDS = 15.0
"""For a server to start a process."""
TICK_SECONDS = 2.5
UNANSWERED = 3
"""So many questions without an answer, and the connection is dead: after at most 12.5 s."""
IDLE_SECONDS = 15.0
"""Between two questions while nobody waits for the server."""
TURNS = 2
"""A server that read the last output in one turn sends it in the next, after other answers."""
REFUSED_PAUSES = (0.05, 0.1, 0.2, 0.4)
"""Seconds between attempts to start the only process of a connection."""
OPEN_FAILED = 2
"""The reason sshd gives when there are too many sessions."""
DISCARD_PAUSE = 0.1
"""Seconds between two chunks discarded for a background child that prints without end."""

T = TypeVar("T")


class NotStartedError(EnvironmentUnavailableError):
    """A server that lets us in refuses what we ask for."""


class Connection:
    """A link, its channels, and how many more it takes."""

    def __init__(self, link: Link, on_freed: Callable[[], None]) -> None:
        self.link = link
        self.used = 0
        """Channels there are, and those promised to somebody."""
        self.limit = CHANNELS
        self._on_freed = on_freed
        self._waiting = 0
        self._pauses = iter(REFUSED_PAUSES)
        self._channels: dict[SshChannel, None] = {}
        self._pulse = asyncio.create_task(self._watch())

    async def start(self, command: str) -> "SshChannel | None":
        """A process, in the place taken for it; None if this connection takes no more of them.

        Raises:
            NotStartedError: the server does not start processes.
        """
        raw = await self._begin(_start, command, undo=paramiko.Channel.close)
        if raw is None:
            return None
        channel = SshChannel(raw, self)
        self._channels[channel] = None
        return channel

    async def start_files(self) -> Files | None:
        """A session for files, in the place taken for it; None if this takes no more.

        Raises:
            NotStartedError: the server offers none.
        """
        return await self._begin(_start_files, undo=Files.close)

    @contextmanager
    def awaited(self) -> Generator[None]:
        """While somebody waits for the server, its silence is noticed sooner."""
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    async def answer_seconds(self) -> float:
        """How long the server takes to answer.

        Raises:
            ChannelLostError: it does not.
        """
        asked_at, number = time.monotonic(), self.link.ask()
        with self.awaited():
            while self.link.is_active():
                if self.link.answers >= number:
                    return time.monotonic() - asked_at
                await asyncio.sleep(0.002)
        raise ChannelLostError("The connection was lost.")

    def let_go(self) -> bool:
        """Give up the oldest channel that only background children still hold, if there is one."""
        for channel in self._channels:
            if channel.is_closed and not channel.is_released:
                channel.abandon()
                return True
        return False

    def release(self, channel: "SshChannel | None" = None) -> None:
        """Give back a place."""
        if channel is not None:
            self._channels.pop(channel, None)
        self.used -= 1
        self._on_freed()

    async def close(self) -> None:
        """Hang up; processes that wait for input end, others lose their output."""
        self._pulse.cancel()
        for channel in tuple(self._channels):
            channel.abandon()
        self.link.close()
        await asyncio.wait({self._pulse})

    async def _begin(
        self, work: Callable[..., T], *arguments: object, undo: Callable[[T], object]
    ) -> T | None:
        was_alone = self.used == 1
        try:
            with self.awaited():
                begun = await in_thread(work, self.link, *arguments, undo=undo)
        except paramiko.ChannelException:
            self.release()
            self.limit = max(1, min(self.limit, self.used))
            if was_alone:
                # The server may count one that has just ended.
                pause = next(self._pauses, None)
                if pause is None:
                    self.limit = 0
                else:
                    await asyncio.sleep(pause)
        except (paramiko.SSHException, EOFError, OSError) as error:
            self.release()
            if self.link.is_active():
                raise NotStartedError(f"The server did not start it: {error}.") from error
        except BaseException:
            self.release()
            raise
        else:
            self._pauses = iter(REFUSED_PAUSES)
            return begun
        return None

    async def _watch(self) -> None:
        """Ask a silent server for a sign of life; hang up when it gives none."""
        unanswered, asked_at = 0, 0.0
        while self.link.is_active():
            await asyncio.sleep(TICK_SECONDS)
            if self.link.heard_at > asked_at:
                unanswered = 0
            if unanswered >= UNANSWERED:
                self.link.close()
                break
            quiet = time.monotonic() - self.link.heard_at
            if unanswered or quiet >= (TICK_SECONDS if self._waiting else IDLE_SECONDS):
                asked_at = time.monotonic()
                unanswered += 1
                self.link.ask()


class SshChannel:
    """A process on the host; no thread of its own waits for it."""

    def __init__(self, raw: paramiko.Channel, connection: Connection) -> None:
        self._loop = asyncio.get_running_loop()
        self._raw = raw
        self._connection = connection
        self._fd = raw.fileno()
        self._waiters: set[asyncio.Future[None]] = set()
        self.is_closed = False
        """Nobody reads any more; what is still printed is discarded."""
        self.is_released = False
        """Not even that."""
        connection.link.wakers[raw.chanid] = self._on_event

    @property
    def is_lost(self) -> bool:
        """Whether its connection is gone; `recv` may not have noticed yet."""
        return not self._connection.link.is_active()

    async def recv(self) -> bytes:
        while True:
            try:
                data = self._raw.recv(CHUNK)
            except TimeoutError:
                if not self._raw.status_event.is_set():
                    await self._event(reads=True)
                elif await self._is_exhausted():
                    return b""
                continue
            if not data and not self._is_over():
                raise self._lost()
            await asyncio.sleep(0)  # a flood that is there already leaves time for everything else
            return data

    async def send(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            try:
                sent = self._raw.send(data[at : at + PIECE])
            except TimeoutError:
                await self._event()
                continue
            except (OSError, EOFError, paramiko.SSHException):
                sent = 0
            if not sent:
                if not self._connection.link.is_active():
                    raise self._lost()
                return  # nobody reads any more
            at += sent

    async def send_eof(self) -> None:
        self._raw.shutdown_write()

    async def exit_code(self) -> int | None:
        while not self._raw.status_event.is_set():
            await self._event()
        return self._raw.exit_status if self._raw.exit_status >= 0 else None

    async def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self._settle()
            self._raw.shutdown_write()
            self._discard()

    def abandon(self) -> None:
        """Let go of the pipe as well; whoever still writes to it gets SIGPIPE."""
        if self.is_released:
            return
        self.is_released = self.is_closed = True
        self._loop.remove_reader(self._fd)
        link = self._connection.link
        link.wakers.pop(self._raw.chanid, None)
        # The server counts the session until it has closed it as well.
        link.closers[self._raw.chanid] = self._on_gone
        if self._raw.closed and link.closers.pop(self._raw.chanid, None):
            self._connection.release(self)
        self._raw.close()
        self._settle()

    async def _is_exhausted(self) -> bool:
        """Whether all that an ended process printed is here; its children hold the pipe."""
        link = self._connection.link
        for _ in range(TURNS):
            number = link.ask()
            while link.answers < number:
                if self._raw.recv_ready() or self._raw.closed:
                    return False
                await self._event(reads=True)
        return not self._raw.recv_ready()

    def _is_over(self) -> bool:
        """After the last byte: whether that was the process's doing and not the network's."""
        has_ended = self._raw.eof_received or self._raw.exit_status >= 0
        return bool(has_ended) or self._connection.link.is_active()

    def _lost(self) -> ChannelLostError:
        return ChannelLostError("The connection was lost.")

    def _discard(self) -> None:
        """Read on for children in the background, slowly if they print without end."""
        if self.is_released:
            return
        self._loop.remove_reader(self._fd)
        try:
            data = self._raw.recv(CHUNK)
        except TimeoutError:
            self._loop.add_reader(self._fd, self._discard)
            return
        if data:
            self._loop.call_later(DISCARD_PAUSE, self._discard)
            return
        self.abandon()

    async def _event(self, *, reads: bool = False) -> None:
        """Wait until something happened on the channel."""
        happened: asyncio.Future[None] = self._loop.create_future()
        self._waiters.add(happened)
        if reads and not self.is_closed:
            self._loop.add_reader(self._fd, self._settle)
        try:
            with self._connection.awaited():
                await happened
        finally:
            self._waiters.discard(happened)
            if reads and not self.is_closed:
                self._loop.remove_reader(self._fd)

    def _on_gone(self) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._connection.release, self)

    def _on_event(self) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)


def _start(link: Link, command: str) -> paramiko.Channel:
    raw = _session(link)
    try:
        raw.exec_command(command)
        raw.settimeout(0.0)
    except BaseException:
        raw.close()
        raise
    return raw


def _start_files(link: Link) -> Files:
    raw = _session(link)
    try:
        raw.invoke_subsystem("sftp")
        return Files(paramiko.SFTPClient(raw))
    except BaseException:
        raw.close()
        raise


def _session(link: Link) -> paramiko.Channel:
    """Raises ChannelException when the server wants no more of them."""
    try:
        return link.open_session(window_size=WINDOW, timeout=OPEN_SECONDS)
    except paramiko.SSHException as error:
        # The reason may have been given to another thread whose channel was refused as well.
        if link.is_active() and not isinstance(error, paramiko.ChannelException):
            raise paramiko.ChannelException(OPEN_FAILED, str(error)) from error
        raise
