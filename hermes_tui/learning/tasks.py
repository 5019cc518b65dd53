"""A conversation cut into tasks: what a person asked for, and all that was done about it."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import zip_longest
from typing import TypeVar

import msgspec
from msgspec import Struct

from hermes_tui.core.history import INTERRUPTED
from hermes_tui.core.messages import Message, ToolCall, ToolResult
from hermes_tui.store.messages import StoredMessage

Form = TypeVar("Form", bound=Struct)

COMMAND_TOOL = "terminal"
MIN_ERROR_CHARS = 12
"""A call that failed without saying so much only had nothing to find."""


class Call(Struct, frozen=True):
    """A tool call and what it came to."""

    name: str
    arguments: str
    """JSON, as the model wrote it."""
    result: str
    is_error: bool
    is_answered: bool = True

    @property
    def command(self) -> str:
        """What was run in a shell; empty for any other tool."""
        if self.name != COMMAND_TOOL:
            return ""
        return _argument(self.arguments, _Command).command

    @property
    def skill(self) -> str:
        """The skill that was read; empty for any other call."""
        if self.name != "skill_load" or self.is_error:
            return ""
        return _argument(self.arguments, _Named).name

    @property
    def is_telling_failure(self) -> bool:
        """Whether it failed with more to say than that nothing was found."""
        said = self.result.partition("[Exit code ")[0].strip()
        is_stopped = self.result.startswith(INTERRUPTED.removesuffix("."))
        return self.is_error and len(said) >= MIN_ERROR_CHARS and not is_stopped


class Task(Struct, frozen=True):
    """From a person's prompt to the end of the turn."""

    prompt: str
    messages: tuple[Message, ...]
    calls: tuple[Call, ...]
    begun: datetime
    ended: datetime
    """When its last message came."""
    last_id: int
    """Of its last message in the store."""
    steered: tuple[str, ...] = ()
    """What the person said while it went on."""

    @property
    def answer(self) -> str:
        """What the agent said at the end; empty while it has not come to one."""
        last = self.messages[-1]
        return last.text if self.is_over else ""

    @property
    def is_over(self) -> bool:
        last = self.messages[-1]
        return last.role == "assistant" and not last.tool_calls

    @property
    def skills(self) -> frozenset[str]:
        """Names of those read in it."""
        return frozenset(call.skill for call in self.calls if call.skill)

    @property
    def errors(self) -> int:
        """How many calls failed with something to learn from."""
        return sum(call.is_telling_failure for call in self.calls)

    @property
    def is_recovered(self) -> bool:
        """Whether a tool failed, and the same one succeeded later."""
        failed: set[str] = set()
        for call in self.calls:
            if call.is_telling_failure:
                failed.add(call.name)
            elif not call.is_error and call.name in failed:
                return True
        return False


def tasks_of(stored: Sequence[StoredMessage]) -> list[Task]:
    """The tasks in `stored`, in order; what stands before the first prompt is left out."""
    return [_task(part) for part in _parts(stored)]


def _parts(stored: Sequence[StoredMessage]) -> Iterator[list[StoredMessage]]:
    part: list[StoredMessage] = []
    for one in stored:
        before = part[-1].message if part else None
        # Whatever a person says behind a tool's result, or behind their own words, steers.
        is_prompt = one.message.role == "user" and (
            before is None or (before.role == "assistant" and not before.tool_calls)
        )
        if is_prompt and part:
            yield part
            part = []
        if is_prompt or part:
            part.append(one)
    if part:
        yield part


def _task(part: Sequence[StoredMessage]) -> Task:
    messages = tuple(one.message for one in part)
    calls: list[Call] = []
    for message, after in zip_longest(messages, messages[1:]):
        # Ids are paired with the very next message: some providers begin anew in each reply.
        results = {one.call_id: one for one in after.tool_results} if after else {}
        calls += (_call(call, results.get(call.id)) for call in message.tool_calls)
    steered = tuple(message.text for message in messages[1:] if message.role == "user")
    return Task(
        messages[0].text, messages, tuple(calls), part[0].at, part[-1].at, part[-1].id, steered
    )  # fmt: skip


def _call(call: ToolCall, result: ToolResult | None) -> Call:
    if result is None:
        return Call(call.name, call.arguments, "", is_error=True, is_answered=False)
    return Call(call.name, call.arguments, result.content, result.is_error)


class _Command(Struct, frozen=True):
    command: str = ""


class _Named(Struct, frozen=True):
    name: str = ""


def _argument(arguments: str, kind: type[Form]) -> Form:
    try:
        return msgspec.json.decode(arguments, type=kind)
    except msgspec.DecodeError:
        return kind()
