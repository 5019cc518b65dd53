"""The session on the screen and the turns run in it, without any widget."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING

import anyio

from hermes_tui.core.events import Event, MessageAdded, StopReason, TurnFinished

if TYPE_CHECKING:
    from hermes_tui.agent.session import Session, Turn


class Conversation:
    """Runs prompts one after the other and keeps what was said meanwhile."""

    def __init__(self, deliver: Callable[[Event], None]) -> None:
        self.session: Session | None = None
        self.steering: list[str] = []
        """Said to the working agent, not read by it yet."""
        self._deliver = deliver
        self._turn: Turn | None = None
        self._is_interrupted = False
        self._idle = anyio.Event()
        self._idle.set()

    @property
    def is_busy(self) -> bool:
        """From a call of `run` until what it returned has ended."""
        return not self._idle.is_set()

    @property
    def queued(self) -> list[str]:
        """Prompts for after this turn; the list is the session's own and may be edited."""
        return self.session.queued if self.session else []

    def next_queued(self) -> str | None:
        """The prompt to go on with after an interruption; None while a turn runs."""
        return self.session.take_queued() if self.session and not self.is_busy else None

    def run(self, prompt: str) -> Coroutine[None, None, None]:
        """Answer `prompt`, then what was queued, until the queue is empty or a turn fails.

        After an interruption or an error the queue waits for the person.
        """
        self._idle = anyio.Event()
        self._is_interrupted = False
        return self._run(prompt)

    async def _run(self, prompt: str) -> None:
        waiting: str | None = prompt
        try:
            while waiting is not None and self.session is not None:
                stop = await self._answer(self.session, waiting)
                goes_on = stop == "done" and not self._is_interrupted
                waiting = self.session.take_queued() if goes_on else None
        finally:
            self._idle.set()

    async def ended(self) -> None:
        """Wait until nothing runs."""
        await self._idle.wait()

    async def _answer(self, session: "Session", prompt: str) -> StopReason:
        stop: StopReason = "error"
        try:
            async with session.turn(prompt) as self._turn:
                if self._is_interrupted:  # before there was a turn
                    self._turn.cancel()
                async for event in self._turn:
                    if isinstance(event, MessageAdded) and event.message.role == "user":
                        self._forget_steered(event.message.text)
                    elif isinstance(event, TurnFinished):
                        stop = event.stop
                        self.steering.clear()
                    self._deliver(event)
        finally:
            self._turn = None
        return stop

    def interrupt(self) -> bool:
        """Stop the turn, also one about to begin; what it finished is kept. False when idle."""
        if not self.is_busy:
            return False
        self._is_interrupted = True
        if self._turn is not None:
            self._turn.cancel()
        return True

    def steer(self, text: str) -> None:
        """Say something to the agent while it works."""
        if self.session is not None:
            self.steering.append(text)
            self.session.steer(text)

    def queue(self, text: str) -> None:
        if self.session is not None:
            self.session.queue(text)

    def _forget_steered(self, text: str) -> None:
        if text in self.steering:
            self.steering.remove(text)
