"""The agent loop: ask the model, run the tools it calls, repeat until it stops.

This is the only place in Hermes that decides what happens next in a turn. It
talks to the outside through three ports (`Model`, `Tools`, `emit`) and keeps no
state of its own, so a test can drive all of it with a scripted model.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from itertools import groupby

import msgspec

from hermes_tui.core.errors import ModelUnavailableError
from hermes_tui.core.events import MessageAdded, ModelCallStarted, Notice, StopReason
from hermes_tui.core.messages import ToolCall, ToolResult, tool_results
from hermes_tui.core.ports import Emit, Model, ModelRequest, Reply, Tools
from hermes_tui.core.tasks import task_group
from hermes_tui.core.usage import Usage

REPEATS_WARNED = 3
REPEATS_ENDED = 5
"""How often a call may give the same result without progress until the model is warned, or stopped.
"""


async def run_loop(
    prepare: Callable[[], Awaitable[ModelRequest]],
    *,
    model: Model,
    tools: Tools,
    emit: Emit,
    account: Callable[[Usage], Awaitable[None]],
    max_steps: int,
) -> StopReason:
    """Run model calls and tool calls until the model answers without calling a tool.

    Args:
        prepare: Called before each model call. The session uses it to slip in what
            the person said meanwhile: so never between a call and its result.
        account: Told what each model call consumed.
        max_steps: Upper bound on model calls, so a confused model cannot spend forever.

    Raises:
        ModelError: the provider failed; everything emitted so far is consistent.
    """
    repeats = Repeats()
    for step in range(1, max_steps + 1):
        request = await prepare()
        await emit(ModelCallStarted(step, model.name))
        reply = await _ask(model, request, emit)
        await emit(MessageAdded(reply.message))
        await account(reply.usage)
        calls = reply.message.tool_calls
        if not calls and not reply.message.text.strip():
            await emit(Notice("The model's answer is empty.", "warning"))
        if not calls:
            return "done"
        results = await _run_calls(calls, tools, emit)
        results, most = repeats.marked(calls, results)
        await emit(MessageAdded(tool_results(results)))
        if most >= REPEATS_ENDED:
            return "loop"
    return "step_limit"


async def _ask(model: Model, request: ModelRequest, emit: Emit) -> Reply:
    async with aclosing(model.stream(request)) as stream:
        async for item in stream:
            if isinstance(item, Reply):
                if item.is_truncated:
                    await emit(Notice("The answer was cut off at the output limit.", "warning"))
                return item
            await emit(item)
    raise ModelUnavailableError(
        "The model's reply ended before it was complete.", hint="Try again."
    )


async def _run_calls(calls: Sequence[ToolCall], tools: Tools, emit: Emit) -> list[ToolResult]:
    """Run calls in the order given, neighbouring parallel-safe ones side by side.

    Results come back in call order whatever order they finish in.
    """
    results: dict[int, ToolResult] = {}

    async def run_one(position: int, call: ToolCall) -> None:
        results[position] = await tools.run(call, emit)

    for parallel, batch in groupby(
        enumerate(calls), key=lambda numbered: tools.is_parallel_safe(numbered[1])
    ):
        if parallel:
            async with task_group() as tasks:
                for position, call in batch:
                    tasks.start_soon(run_one, position, call)
        else:
            for position, call in batch:
                await run_one(position, call)
    return [results[position] for position in range(len(calls))]


class Repeats:
    """Counts how often a call gave the same result while nothing else got anywhere.

    A result not seen before, whichever call it came from, is progress: counts begin anew.
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, str], tuple[int, int]] = {}
        """How often, and how many different results there were the last time."""

    def marked(
        self, calls: Sequence[ToolCall], results: Sequence[ToolResult]
    ) -> tuple[list[ToolResult], int]:
        """The results, with a warning on those seen often before, and the highest count."""
        marked: list[ToolResult] = []
        most = 0
        for call, result in zip(calls, results, strict=True):
            times = self._count((call.name, call.arguments, result.content))
            most = max(most, times)
            if times >= REPEATS_WARNED:
                warning = (
                    f"\n\n[This call has given this same result {times} times. If you wait for "
                    "something, wait longer before you ask again; if not, do something else. "
                    f"The turn ends at {REPEATS_ENDED}.]"
                )
                result = msgspec.structs.replace(result, content=result.content + warning)  # noqa: PLW2901
            marked.append(result)
        return marked, most

    def _count(self, seen: tuple[str, str, str]) -> int:
        times, known = self._counts.setdefault(seen, (0, 0))
        times = times + 1 if known == len(self._counts) else 1
        self._counts[seen] = (times, len(self._counts))
        return times
