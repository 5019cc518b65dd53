"""One worker, one script: sent, answered, read to the end."""

import asyncio
from contextlib import suppress

from msgspec import Struct

from hermes_environments.capture import Capture
from hermes_environments.channel import Channel, ChannelLostError
from hermes_environments.worker import Header, Script, Trailer, Transcript, new_nonce
from hermes_tui.core.environment import OnOutput


class Worker(Struct, frozen=True):
    """A bash that waits for its script."""

    exec_id: str
    channel: Channel
    is_prewarmed: bool = False


class Outcome(Struct, frozen=True):
    """What a worker came to."""

    exit_code: int | None
    """None when the transport died before anybody could tell."""
    header: Header | None
    """None when it ended before it began with the command."""
    trailer: Trailer | None
    """None when the command replaced or killed its shell, or has a trap of its own on EXIT."""
    was_sent: bool = True
    """Otherwise the worker never had its whole script."""

    @property
    def has_surely_not_run(self) -> bool:
        """Whether it may be given to another worker; a lost one might have begun."""
        return not self.was_sent or (self.exit_code is not None and not self.header)


class Conversation:
    """What is said between us and a worker."""

    def __init__(self, worker: Worker, script: Script, capture: Capture) -> None:
        self._channel = worker.channel
        self._script = script
        self._capture = capture
        self._nonce = new_nonce()
        self._transcript = Transcript(self._nonce, script.state, keeps_state=script.keeps_state)
        self._feeder: asyncio.Task[None] | None = None
        self.was_sent = False

    @property
    def has_begun(self) -> bool:
        """Whether the worker was heard; otherwise it may be on its way still."""
        return self._transcript.header is not None

    async def begin(self, stdin: bytes) -> None:
        """Send the script; the command's own input follows while its output is read.

        Raises:
            ChannelLostError: the transport died.
        """
        await self._channel.send(self._script.render(self._nonce))
        self.was_sent = True
        if self._script.has_stdin:
            self._feeder = asyncio.create_task(self._feed(stdin))

    async def hear(self, on_output: OnOutput | None) -> Outcome:
        """Read until the trailer, or the end of the worker when there is none.

        Raises:
            ChannelLostError: the transport died.
        """
        transcript = self._transcript
        is_over = False
        while not is_over:
            data = await self._channel.recv()
            output = transcript.feed(data) if data else transcript.finish()
            if output:
                await self._capture.add(output)
                if on_output is not None:
                    await on_output(output)
            is_over = not data or transcript.is_over
        self._stop_feeding()
        trailer = transcript.trailer
        code = trailer.exit_code if trailer else await self._channel.exit_code()
        return Outcome(exit_code=code, header=transcript.header, trailer=trailer)

    async def hear_out(self) -> None:
        """Keep what a command that is being killed still prints.

        A stream nobody reads can keep its process from ending (dockerd 20.10 does this).
        """
        self._stop_feeding()
        with suppress(ChannelLostError):
            while data := await self._channel.recv():
                await self._capture.add(self._transcript.feed(data))

    async def close(self) -> None:
        """Nothing more is read."""
        self._stop_feeding()
        await self._capture.add(self._transcript.finish())
        await self._capture.close()
        await self._channel.close()

    def _stop_feeding(self) -> None:
        if self._feeder is not None:
            self._feeder.cancel()
            self._feeder = None

    async def _feed(self, stdin: bytes) -> None:
        with suppress(ChannelLostError):
            if stdin:
                await self._channel.send(stdin)
            await self._channel.send_eof()
