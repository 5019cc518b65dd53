"""Turning typed Python functions into tools, and running calls against them."""

import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from hermes_tui.core.environment import Spot
from hermes_tui.core.errors import HermesError
from hermes_tui.core.events import ToolFinished, ToolOutput, ToolStarted
from hermes_tui.core.messages import Display, ToolCall, ToolResult
from hermes_tui.core.ports import Emit, ToolSpec
from hermes_tui.safety.risk import Assessment, Risk
from hermes_tui.tools.output import OutputShelf

Args = TypeVar("Args", bound=msgspec.Struct)

LOG = logging.getLogger(__name__)
HARMLESS = Assessment(Risk.READ, "It changes nothing.")


async def harmless(_args: object) -> Assessment:
    """For a tool of which every call is harmless."""
    return HARMLESS


class Outcome(msgspec.Struct, frozen=True):
    """What a tool has to say: to the model and, if that differs, to the person."""

    content: str
    is_error: bool = False
    display: Display | None = None


class Say(Protocol):
    """How a running tool shows what it is doing."""

    async def __call__(self, chunk: str) -> None: ...


class Gate(Protocol):
    """Decides whether a call may run at `spot`.

    Raises:
        RefusedError: it may not; the message is for the model.
    """

    async def __call__(
        self, call: ToolCall, action: str, assessment: Assessment, spot: Spot, emit: Emit
    ) -> None: ...


class Tool(Generic[Args]):
    """One tool: its arguments type, its code, and how it may be run.

    The description the model sees is the arguments type's docstring, so the
    prose and the schema live side by side.
    """

    def __init__(
        self,
        name: str,
        args: type[Args],
        run: Callable[[Args, Say], Awaitable[str | Outcome]],
        *,
        assess: Callable[[Args], Awaitable[Assessment]] = harmless,
        describe: Callable[[Args], Awaitable[str]] | None = None,
        parallel_safe: bool = False,
        where: Callable[[Args], Spot] | None = None,
    ) -> None:
        """Describe a tool.

        Args:
            run: Gets the arguments and a function that shows progress.
            assess: How dangerous a call with these arguments is.
            describe: What a call would do, in full, for the approval dialog.
            parallel_safe: Whether calls may run beside others.
            where: In which environment a call works, found without opening it; None for a tool
                that uses none.
        """
        self.name = name
        self.args = args
        self.run = run
        self.assess = assess
        self.describe = describe
        self.parallel_safe = parallel_safe
        self.where = where

    @property
    def spec(self) -> ToolSpec:
        return ToolSpec(self.name, (self.args.__doc__ or "").strip(), _schema(self.args))


class Admitted(msgspec.Struct, frozen=True):
    """A call that may run."""

    tool: Tool[Any]
    args: Any


class ToolSet:
    """The tools of one session. Implements `core.ports.Tools`."""

    def __init__(self, tools: Iterable[Tool[Any]], *, gate: Gate, shelf: OutputShelf) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._gate = gate
        self._shelf = shelf

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        return tuple(tool.spec for tool in self._tools.values())

    def is_parallel_safe(self, call: ToolCall) -> bool:
        tool = self._tools.get(call.name)
        return tool is not None and tool.parallel_safe

    async def run(self, call: ToolCall, emit: Emit) -> ToolResult:
        spot, admitted = await self._admitted(call, emit)
        await emit(ToolStarted(call, spot.name))
        started = time.monotonic()
        outcome = await _run(admitted, call, emit) if isinstance(admitted, Admitted) else admitted
        content = self._shelf.capped(outcome.content)
        result = ToolResult(call.id, content, outcome.is_error, outcome.display)
        await emit(ToolFinished(result, time.monotonic() - started))
        return result

    async def _admitted(self, call: ToolCall, emit: Emit) -> tuple[Spot, Admitted | Outcome]:
        """Where the call works, and what is needed to run it or why it may not."""
        tool = self._tools.get(call.name)
        if tool is None:
            unknown = f"There is no tool {call.name!r}. Tools: {self._names}."
            return Spot(), Outcome(unknown, is_error=True)
        try:
            args = _decode(call, tool.args)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            bad = f"Bad arguments for {call.name}: {error}."
            return Spot(), Outcome(bad, is_error=True)
        spot = Spot()
        try:
            spot = tool.where(args) if tool.where else spot
            action = f"{call.name} {call.arguments}"
            if tool.describe:
                action = await tool.describe(args)
            await self._gate(call, action, await tool.assess(args), spot, emit)
        except Exception as error:  # noqa: BLE001 - a call never raises, see `core.ports.Tools`
            return spot, _failure(call, error)
        return spot, Admitted(tool, args)

    @property
    def _names(self) -> str:
        return ", ".join(sorted(self._tools))


async def _run(admitted: Admitted, call: ToolCall, emit: Emit) -> Outcome:
    async def say(chunk: str) -> None:
        await emit(ToolOutput(call.id, chunk))

    try:
        outcome = await admitted.tool.run(admitted.args, say)
    except Exception as error:  # noqa: BLE001 - a call never raises, see `core.ports.Tools`
        return _failure(call, error)
    return outcome if isinstance(outcome, Outcome) else Outcome(outcome)


def _failure(call: ToolCall, error: Exception) -> Outcome:
    """What went wrong, for the model; a bug also goes into the log."""
    if isinstance(error, HermesError):
        return Outcome(str(error), is_error=True)
    LOG.error("The tool %s failed", call.name, exc_info=error)
    return Outcome(f"{call.name} crashed: {error!r}", is_error=True)


def _decode(call: ToolCall, args: type[Args]) -> Args:
    # Models send numbers as strings and vice versa; `strict=False` accepts what is unambiguous.
    return msgspec.convert(msgspec.json.decode(call.arguments or "{}"), type=args, strict=False)


def _schema(args: type[msgspec.Struct]) -> dict[str, Any]:
    """JSON Schema of the arguments, without what costs tokens and says nothing."""
    (root,), definitions = msgspec.json.schema_components([args])
    name = root["$ref"].rsplit("/", 1)[-1]
    return _inlined({**definitions[name], "title": None, "description": None}, definitions)


def _inlined(node: Any, definitions: dict[str, Any]) -> Any:
    """`node` with references resolved and titles, nulls and empty defaults removed."""
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _inlined(definitions[str(node["$ref"]).rsplit("/", 1)[-1]], definitions)  # pyright: ignore[reportUnknownArgumentType]
    return {
        key: _inlined(value, definitions)
        for key, value in node.items()  # pyright: ignore[reportUnknownVariableType]
        if key not in {"title", "default"} and value is not None
    }
