"""The interfaces the agent needs; everything else implements one of these.

`Environment`, the port commands run behind, has a file of its own.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any, Protocol

from msgspec import Struct

from hermes_tui.core.events import (
    Approval,
    ApprovalRequest,
    Event,
    Notice,
    ReasoningDelta,
    TextDelta,
)
from hermes_tui.core.history import Compaction
from hermes_tui.core.messages import Message, ToolCall, ToolResult
from hermes_tui.core.usage import Usage

Emit = Callable[[Event], Awaitable[None]]


class ToolSpec(Struct, frozen=True):
    """How a tool is presented to the model."""

    name: str
    description: str
    parameters: dict[str, Any]
    """JSON Schema of the arguments object."""


class Prefix(Struct, frozen=True):
    """What every request of a session begins with, byte for byte the same each time.

    Provider caches key on it, so it is stored with the session and reused on resume.
    """

    system: str
    tools: tuple[ToolSpec, ...]


class ModelRequest(Struct, frozen=True):
    """One model call."""

    prefix: Prefix
    messages: tuple[Message, ...]


class Reply(Struct, frozen=True):
    """A finished model call."""

    message: Message
    usage: Usage
    is_truncated: bool = False
    """The model ran into its output limit."""


ModelItem = TextDelta | ReasoningDelta | Notice | Reply


class Model(Protocol):
    """A chat model."""

    @property
    def name(self) -> str:
        """As the person would write it: `openrouter/nousresearch/hermes-4-405b`, `rehearsal`."""
        ...

    @property
    def context_window(self) -> int | None:
        """Tokens the model can hold; None while unknown."""
        ...

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        """Yield deltas and notices as they arrive, then the `Reply`, last.

        Raises:
            ModelError: the provider refused or failed, after retries.
        """
        ...


class Tools(Protocol):
    """The tools one session may use."""

    @property
    def specs(self) -> tuple[ToolSpec, ...]: ...

    def is_parallel_safe(self, call: ToolCall) -> bool:
        """Whether this call may run beside others from the same message."""
        ...

    async def run(self, call: ToolCall, emit: Emit) -> ToolResult:
        """Run one call, emitting `ToolStarted`, `ToolOutput`s and `ToolFinished` around it.

        Never raises `Exception`: failures come back as error results.
        """
        ...


class Human(Protocol):
    """Whoever answers for the user: a dialog, a chat reply, or a fixed policy."""

    async def tell(self, text: str) -> None:
        """Show a passing line, e.g. how far an image is pulled; it is not kept."""
        ...

    async def secret(self, question: str) -> str:
        """A password or passphrase, typed hidden; never stored or logged.

        Raises:
            RefusedError: nobody is there, or they would not say.
        """
        ...

    async def approve(self, request: ApprovalRequest) -> Approval: ...

    async def ask(self, question: str, choices: Sequence[str] = ()) -> str:
        """The person's answer in their words.

        Raises:
            RefusedError: nobody is there to answer.
        """
        ...


class Journal(Protocol):
    """Where one session is kept. Each method returns once the row is durable."""

    async def append(self, message: Message) -> None: ...

    async def record_result(self, result: ToolResult, seconds: float) -> None:
        """Keep a result at once, before the message that will carry it is complete."""
        ...

    async def record_usage(self, usage: Usage, model: str) -> None: ...

    async def record_compaction(self, compaction: Compaction) -> None: ...
