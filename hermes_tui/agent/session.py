"""One conversation: its history, and the turns run against it."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from hermes_tui.agent.compaction import Plan
from hermes_tui.agent.context import Context
from hermes_tui.core.errors import ContextOverflowError, HermesError, StoreError
from hermes_tui.core.events import (
    Event,
    MessageAdded,
    ModelCallStarted,
    StopReason,
    TextDelta,
    ToolFinished,
    TurnFinished,
    TurnStarted,
    UsageChanged,
)
from hermes_tui.core.history import closing_messages
from hermes_tui.core.loop import run_loop
from hermes_tui.core.messages import Message, ToolResult, user
from hermes_tui.core.ports import Journal, Model, ModelRequest, Prefix, Tools
from hermes_tui.core.tasks import task_group
from hermes_tui.core.usage import Usage

HINT_SECONDS = 1.0
"""How long a prompt waits for what the model should know beside it."""

LOG = logging.getLogger(__name__)

EVENT_BUFFER = 256
"""Events a slow front end may lag behind by before the agent waits for it."""

CLOSING_NOTES: dict[StopReason, str] = {
    "cancelled": "(Interrupted.)",
    "step_limit": "(Stopped: the limit of model calls for one turn was reached.)",
    "loop": "(Stopped: the same call kept giving the same result.)",
    "error": "(No answer: the turn failed.)",
}
"""What the history says in the assistant's place when a turn ends without its answer."""

EXIT_CODES: dict[StopReason, int] = {"done": 0, "cancelled": 130}
"""Any other stop exits with the error's own code, else 1."""


Hints = Callable[[str], Awaitable[str]]
"""What the model should know beside a prompt; empty for nothing."""


async def no_hints(_prompt: str) -> str:
    return ""


class Turn:
    """One prompt being answered: iterate it for events, or cancel it."""

    def __init__(
        self, events: MemoryObjectReceiveStream[Event], cancel: Callable[[], None]
    ) -> None:
        self._events = events
        self.cancel = cancel

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._events.__aiter__()


class Session:
    """A conversation with a model, tools and a journal.

    Runs one turn at a time. Messages reach the journal before they reach the
    front end, so what a person has seen is never lost.
    """

    def __init__(
        self,
        *,
        id: str,  # noqa: A002 - the word people use for it
        model: Model,
        tools: Tools,
        journal: Journal,
        prefix: Prefix,
        history: Sequence[Message] = (),
        usage: Usage | None = None,
        max_steps: int = 90,
        context: Context | None = None,
        hints: Hints = no_hints,
    ) -> None:
        self.id = id
        self.model = model
        self.tools = tools
        self.prefix = prefix
        self.history: list[Message] = list(history)
        """All of it; the model may see less."""
        self.usage = usage or Usage()
        self.queued: list[str] = []
        """Prompts waiting for the turn to end; front ends may show and edit them."""
        self._steered: list[Message] = []
        self._journal = journal
        self._max_steps = max_steps
        self._turn_lock = anyio.Lock()
        self._finished: dict[str, ToolResult] = {}
        self._partial: list[str] = []
        self._context = context or Context(journal)
        self._hints = hints

    @property
    def is_busy(self) -> bool:
        return self._turn_lock.locked()

    @property
    def context_tokens(self) -> int:
        """Size of the next request: reported by the provider, estimated before its first word."""
        return self._context.tokens(self.history, self.prefix)

    @property
    def context_window(self) -> int | None:
        """Tokens the model can hold; None while unknown."""
        return self._context.window(self.model)

    def compression(self) -> Plan | None:
        """What `compress` would do now; None when there is nothing to leave out."""
        return self._context.plan(self.history, self.prefix, self.model)

    async def compress(self, focus: str = "") -> list[Event]:
        """Shorten what the model sees, keeping `focus` above all; empty if nothing can go.

        Waits until no turn runs.

        Raises:
            ModelError: there is no summary; nothing has changed.
        """
        said: list[Event] = []

        async def show(event: Event) -> None:
            said.append(event)

        async with self.idle():
            is_shorter, usage = await self._context.compact(
                self.history, self.prefix, self.model, show, focus=focus, thorough=True
            )
            self.usage += usage
        return [*said, self._usage_now(usage)] if is_shorter else []

    @asynccontextmanager
    async def idle(self) -> AsyncGenerator[None, None]:
        """Wait until no turn runs, and keep one from starting inside the block."""
        async with self._turn_lock:
            yield

    def steer(self, text: str) -> None:
        """Say something to the agent while it works; it reads it before its next model call."""
        self._steered.append(user(text))

    def queue(self, text: str) -> None:
        """Keep a prompt for when the turn ends; the front end then starts it."""
        self.queued.append(text)

    def take_queued(self) -> str | None:
        """The next queued prompt, if any."""
        return self.queued.pop(0) if self.queued else None

    @asynccontextmanager
    async def turn(self, prompt: str) -> AsyncGenerator[Turn, None]:
        """Start answering `prompt`; leaving the block stops the turn and waits for it."""
        send, receive = anyio.create_memory_object_stream[Event](EVENT_BUFFER)
        scope = anyio.CancelScope()
        async with self._turn_lock, task_group() as tasks, receive:
            tasks.start_soon(self._run, prompt, send, scope)
            try:
                yield Turn(receive, scope.cancel)
            finally:  # before `receive` closes: the turn must not meet a broken stream
                tasks.cancel_scope.cancel()

    async def _run(
        self, prompt: str, send: MemoryObjectSendStream[Event], scope: anyio.CancelScope
    ) -> None:
        finish = TurnFinished("cancelled", exit_code=EXIT_CODES["cancelled"])
        closing: list[Message] = []

        async def emit(event: Event) -> None:
            await self._keep(event)
            await send.send(event)

        async def account(usage: Usage) -> None:
            await emit(await self._account(usage))

        async def prepare() -> ModelRequest:
            while self._steered:
                await emit(MessageAdded(self._steered.pop(0)))
            used = await self._context.make_room(self.history, self.prefix, self.model, send.send)
            self.usage += used
            return ModelRequest(self.prefix, self._context.sent(self.history))

        async with send:
            try:
                try:
                    await self._begin(prompt)
                finally:
                    await send.send(TurnStarted(self.id))
                await send.send(MessageAdded(self.history[-1]))
                with scope:
                    while finish.stop == "cancelled" or self._steered:
                        try:
                            stop = await run_loop(
                                prepare,
                                model=self.model,
                                tools=self.tools,
                                emit=emit,
                                account=account,
                                max_steps=self._max_steps,
                            )
                        except ContextOverflowError as refusal:
                            self.usage += await self._context.make_fit(
                                self.history, self.prefix, self.model, send.send, refusal
                            )
                            continue
                        finish = TurnFinished(stop, exit_code=EXIT_CODES.get(stop, 1))
            except HermesError as error:
                finish = TurnFinished("error", error.message, error.hint, error.exit_code)
            finally:
                with anyio.CancelScope(shield=True):
                    closing = await self._close(finish.stop)
            for message in closing:
                await send.send(MessageAdded(message))
            await send.send(finish)

    async def _begin(self, prompt: str) -> None:
        """Take the prompt into the history; even a turn cancelled at once keeps it."""
        hint = ""
        try:
            with anyio.move_on_after(HINT_SECONDS):
                hint = await self._hints(prompt)
        except HermesError as error:
            LOG.warning("No hints: %s", error)
        finally:
            await self._add(user(prompt, hint))

    async def _keep(self, event: Event) -> None:
        """Note what the history needs of an event, before anybody sees it."""
        match event:
            case MessageAdded(message=message):
                await self._add(message)
                self._partial.clear()
                self._finished.clear()
            case ToolFinished(result=result, seconds=seconds):
                with anyio.CancelScope(shield=True):
                    await self._journal.record_result(result, seconds)
                self._finished[result.call_id] = result
            case TextDelta(text=text):
                self._partial.append(text)
            case ModelCallStarted():
                self._partial.clear()
            case _:
                pass

    async def _add(self, message: Message) -> None:
        with anyio.CancelScope(shield=True):  # journal and history must not disagree
            await self._journal.append(message)
            self.history.append(message)

    async def _account(self, call: Usage) -> UsageChanged:
        with anyio.CancelScope(shield=True):
            await self._journal.record_usage(call, self.model.name)
        self.usage += call
        self._context.count(call, self.history, self.prefix)
        return self._usage_now(call)

    def _usage_now(self, call: Usage) -> UsageChanged:
        return UsageChanged(call, self.usage, self.context_tokens, self.context_window)

    async def _close(self, stop: StopReason) -> list[Message]:
        """Leave a history every provider accepts, and say what was added to it."""
        closing = closing_messages(
            self.history,
            finished=self._finished,
            partial="".join(self._partial),
            note=CLOSING_NOTES.get(stop, ""),
        )
        for message in closing:
            try:
                await self._add(message)
            except StoreError:  # the turn has reported it; this session goes on in memory
                self.history.append(message)
        self._finished.clear()
        self._partial.clear()
        self.queued[:0] = [message.text for message in self._steered]
        self._steered.clear()
        return closing
