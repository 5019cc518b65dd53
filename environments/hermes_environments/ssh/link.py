"""One SSH connection: nobody who uses it is blocked, and it says when something happened."""

import logging
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Queue
from typing import ClassVar, cast

import paramiko
from paramiko.common import (
    MSG_CHANNEL_CLOSE,
    MSG_CHANNEL_EXTENDED_DATA,
    MSG_CHANNEL_REQUEST,
    MSG_CHANNEL_WINDOW_ADJUST,
    cMSG_CHANNEL_DATA,
    cMSG_CHANNEL_WINDOW_ADJUST,
    cMSG_GLOBAL_REQUEST,
)
from paramiko.packet import Packetizer

AT_ONCE = 8_192
"""Bytes a socket that can be written to at all takes without waiting."""

HUNG_UP: int = getattr(select, "POLLRDHUP", 0)
"""Only Linux tells before somebody reads."""

Handler = Callable[[paramiko.Channel, paramiko.Message], object]

# Without a handler Python prints warnings on stderr, which is the screen.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class Pulse(Packetizer):
    """Reads packets and remembers when the last one came."""

    heard_at = 0.0
    """On the clock of `time.monotonic`."""

    def read_message(self) -> tuple[int, paramiko.Message]:
        found = super().read_message()
        self.heard_at = time.monotonic()
        return found


def _and_wake(handler: Handler) -> Handler:
    def handle(channel: paramiko.Channel, message: paramiko.Message) -> None:
        handler(channel, message)
        link = channel.get_transport()
        if isinstance(link, Link) and (wake := link.wakers.get(channel.chanid)):
            wake()

    return handle


def _on_close(channel: paramiko.Channel, message: paramiko.Message) -> None:
    _HANDLERS[MSG_CHANNEL_CLOSE](channel, message)
    link = channel.get_transport()
    if isinstance(link, Link) and (tell := link.closers.pop(channel.chanid, None)):
        tell()


def _on_request(channel: paramiko.Channel, message: paramiko.Message) -> None:
    """Note the signal that ended a process, which paramiko does not (RFC 4254, 6.10)."""
    name = message.get_text()
    message.rewind()
    message.get_int()
    if name != "exit-signal":
        _HANDLERS[MSG_CHANNEL_REQUEST](channel, message)
        return
    message.get_text()
    message.get_boolean()
    with suppress(KeyError):
        channel.exit_status = 128 + signal.Signals[f"SIG{message.get_text()}"]
    channel.status_event.set()


def _discard(channel: paramiko.Channel, message: paramiko.Message) -> None:
    """Let go of what came on stderr, and let more of it come.

    It would share a file descriptor with stdout in a way that can lose an event, and mixed
    into stdout it could come anywhere: the server reads the two independently.
    """
    message.get_int()
    room = channel._check_add_window(len(message.get_binary()))  # noqa: SLF001 # pyright: ignore[reportAttributeAccessIssue, reportPrivateUsage, reportUnknownMemberType, reportUnknownVariableType]
    if room:
        more = paramiko.Message()
        more.add_byte(cMSG_CHANNEL_WINDOW_ADJUST)
        more.add_int(channel.remote_chanid)
        more.add_int(cast("int", room))
        channel.get_transport()._send_user_message(more)  # noqa: SLF001 # pyright: ignore[reportAttributeAccessIssue, reportPrivateUsage, reportUnknownMemberType]


_HANDLERS = cast(
    "dict[int, Handler]",
    paramiko.Transport._channel_handler_table,  # noqa: SLF001 # pyright: ignore[reportAttributeAccessIssue, reportPrivateUsage, reportUnknownMemberType]
)


class Link(paramiko.Transport):
    """A connection whose users are never blocked and learn what happens.

    paramiko sends in the caller's thread and waits there while the network is stuck or
    keys are exchanged. Here a thread of the link's own sends then; what waits to be sent is
    bounded by the channels' windows. `wakers` are called, in paramiko's thread, when a
    channel's process ended, it was closed, more may be sent, or the server answered;
    `closers` once the server has closed it as well. What comes on stderr is discarded.
    """

    _channel_handler_table: ClassVar[dict[int, Handler]] = {
        **_HANDLERS,
        MSG_CHANNEL_EXTENDED_DATA: _discard,
        MSG_CHANNEL_REQUEST: _and_wake(_on_request),
        MSG_CHANNEL_WINDOW_ADJUST: _and_wake(_HANDLERS[MSG_CHANNEL_WINDOW_ADJUST]),
        MSG_CHANNEL_CLOSE: _and_wake(_on_close),
    }

    def __init__(self, sock: socket.socket | paramiko.Channel, via: "Link | None") -> None:
        super().__init__(sock, packetizer_class=Pulse)
        self.wakers: dict[int, Callable[[], None]] = {}
        self.closers: dict[int, Callable[[], None]] = {}
        self._via = via
        self._outbox: Queue[paramiko.Message | None] = Queue()
        self._sending = threading.Lock()
        self._questions = 0
        self.answers = 0

    @property
    def heard_at(self) -> float:
        """When the server last sent anything, on the clock of `time.monotonic`."""
        assert isinstance(self.packetizer, Pulse)
        return self.packetizer.heard_at

    def ask(self) -> int:
        """Ask the server for a sign of life; the how manyeth of its answers it will be."""
        question = paramiko.Message()
        question.add_byte(cMSG_GLOBAL_REQUEST)
        question.add_string("keepalive@openssh.com")
        question.add_boolean(True)
        self._questions += 1
        self._send_user_message(question)
        return self._questions

    def run(self) -> None:
        writer = threading.Thread(target=self._write, name="hermes-ssh-writer", daemon=True)
        writer.start()
        try:
            super().run()
        finally:
            self._outbox.put(None)
            self._wake_all()

    def close(self) -> None:
        super().close()
        if self._via is not None:
            self._via.close()

    def _parse_request_failure(self, m: paramiko.Message) -> None:
        # How servers answer what they do not know; all do (RFC 4254, 4).
        del m
        self.answers += 1
        self._wake_all()

    def _parse_request_success(self, m: paramiko.Message) -> None:
        self._parse_request_failure(m)

    def _wake_all(self) -> None:
        for wake in tuple(self.wakers.values()):
            wake()

    def _send_user_message(self, data: paramiko.Message) -> None:
        if not self._send_at_once(data):
            self._outbox.put(data)

    def _send_at_once(self, message: paramiko.Message) -> bool:
        """Send what is small when nothing is in its way; another thread would take longer."""
        sock = self.sock
        if not isinstance(sock, socket.socket) or len(message.asbytes()) > AT_ONCE:
            return False
        if not self._sending.acquire(blocking=False):
            return False
        try:
            is_free = not self._outbox.unfinished_tasks and self.clear_to_send.is_set()
            return is_free and self._send_into(sock, message)
        finally:
            self._sending.release()

    def _send_into(self, sock: socket.socket, message: paramiko.Message) -> bool:
        try:
            if not _takes_bytes(sock):
                return False
            self._send_now(message)
        except (paramiko.SSHException, OSError, EOFError, ValueError):
            super().close()
            # Whoever sends data learns that surely not all of it arrived.
            if message.asbytes().startswith(cMSG_CHANNEL_DATA):
                raise
        return True

    def _write(self) -> None:
        while (message := self._outbox.get()) is not None:
            try:
                with self._sending:
                    self._send_now(message)
            except (paramiko.SSHException, OSError, EOFError):
                super().close()
            self._outbox.task_done()

    def _send_now(self, message: paramiko.Message) -> None:
        super()._send_user_message(message)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


def _takes_bytes(sock: socket.socket) -> bool:
    """Whether sending would not block; raises OSError when the other side is gone."""
    poll = select.poll()
    poll.register(sock, select.POLLOUT | HUNG_UP)
    events = sum(found for _, found in poll.poll(0))
    if events & (HUNG_UP | select.POLLHUP | select.POLLERR | select.POLLNVAL):
        raise ConnectionResetError
    return bool(events & select.POLLOUT)
