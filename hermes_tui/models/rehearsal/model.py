"""A stand-in that turns plain requests into real tool calls, by rule."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import anyio
import msgspec
from msgspec import Struct

from hermes_tui.core.events import TextDelta
from hermes_tui.core.messages import Message, Part, Text, ToolCall, ToolResult
from hermes_tui.core.ports import ModelItem, ModelRequest, Reply
from hermes_tui.models.rehearsal import answers
from hermes_tui.models.rehearsal.answers import LABEL
from hermes_tui.models.rehearsal.phrases import Step
from hermes_tui.models.rehearsal.understand import attached_text, steps_in
from hermes_tui.models.scripted import estimated_usage, words

__all__ = ["LABEL", "RehearsalModel"]

CONTEXT_WINDOW = 128_000
"""Tokens; nothing is ever held, but a screen can show how full it would be."""
WORD_SECONDS = 0.008
LONGEST_SECONDS = 0.8
"""However long the answer."""


class Progress(Struct, frozen=True):
    """How far the present request has come, read from the history alone."""

    steps: tuple[Step, ...]
    results: tuple[ToolResult, ...]
    """One for each step carried out, in order."""
    before: str
    """The last result of earlier requests."""
    attached: str
    """Text given with the request."""

    @property
    def calling(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.tool)

    def previous(self, position: int) -> str:
        """The result a step at `position` among the calling ones may refer to."""
        return self.results[position - 1].content if position else self.before or self.attached


class RehearsalModel:
    """Understands a fixed set of sentences, keeps no state, and says that it is no LLM."""

    def __init__(self, *, word_seconds: float = WORD_SECONDS) -> None:
        self._word_seconds = word_seconds

    @property
    def name(self) -> str:
        return "rehearsal"

    @property
    def context_window(self) -> int | None:
        return CONTEXT_WINDOW

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        """Yield the answer word by word, then the `Reply`. Never raises `ModelError`."""
        message = answer(request)
        pieces = words(message.text)
        pause = min(self._word_seconds, LONGEST_SECONDS / max(1, len(pieces)))
        for word in pieces:
            await anyio.sleep(pause)
            yield TextDelta(word)
        yield Reply(message, estimated_usage(request, message))


def answer(request: ModelRequest) -> Message:
    """The next tool call of the request, or what came of it all."""
    progress = progress_of(request.messages)
    done = len(progress.results)
    failed = next((at for at, one in enumerate(progress.results) if one.is_error), None)
    tools = {tool.name for tool in request.prefix.tools}
    stopped_by = _obstacle(progress, tools)
    if failed is None and stopped_by is None and done < len(progress.calling):
        step = progress.calling[done]
        arguments = _arguments(step, progress.previous(done), request)
        call = ToolCall(_call_id(request.messages), step.tool, _encoded(arguments))
        parts: tuple[Part, ...] = (Text(_announced(step, done, len(progress.calling))), call)
        return Message("assistant", parts)
    return Message("assistant", (Text(_closing(progress, stopped_by, tools)),))


def progress_of(messages: Sequence[Message]) -> Progress:
    """What the last prompt asks for and what has been done of it."""
    start = max(
        (at for at, one in enumerate(messages) if one.role == "user" and one.text.strip()),
        default=-1,
    )
    if start < 0:
        return Progress((), (), "", "")
    head, attached = attached_text(messages[start].text)
    steps = steps_in(head)
    if not steps or all(step.talk == "unknown" for step in steps):
        steps, whole = steps_in(messages[start].text), steps
        if all(step.talk == "unknown" for step in steps):
            steps = whole
        else:
            attached = ""
    earlier = [result for one in messages[:start] for result in one.tool_results]
    results = [result for one in messages[start + 1 :] for result in one.tool_results]
    return Progress(tuple(steps), tuple(results), earlier[-1].content if earlier else "", attached)


def _obstacle(progress: Progress, tools: set[str]) -> str | None:
    """Why the next step cannot be done, or None."""
    position = 0
    for step in progress.steps:
        if step.talk == "unknown":
            return (
                answers.unknown(step.intent, tools) if position >= len(progress.results) else None
            )
        if not step.tool:
            continue
        if position == len(progress.results):
            if step.tool not in tools:
                return answers.missing(step)
            if step.refers and not progress.previous(position).strip():
                return f"I cannot {step.intent}: there is no earlier result to take it from."
            return None
        position += 1
    return None


def _arguments(step: Step, previous: str, request: ModelRequest) -> dict[str, Any]:
    """A step's arguments, as far as the tool's schema knows them."""
    arguments = dict(step.arguments)
    if step.refers == "names":
        arguments["content"] = "".join(f"{name}\n" for name in answers.names_in(previous))
    elif step.refers == "output":
        where = "body" if step.tool == "skill_save" else "content"
        arguments[where] = answers.body_of(previous) + "\n"
    schema = next(tool.parameters for tool in request.prefix.tools if tool.name == step.tool)
    known: dict[str, Any] = schema.get("properties") or arguments
    return {name: value for name, value in arguments.items() if name in known}


def _announced(step: Step, position: int, count: int) -> str:
    if count == 1:
        return f"I will {step.intent}."
    start = "First" if position == 0 else "Last" if position == count - 1 else "Next"
    return f"{start}, I {step.intent}."


def _closing(progress: Progress, stopped_by: str | None, tools: set[str]) -> str:
    """What came of each step, and what was not done."""
    if not progress.steps:
        return answers.greeting(tools)
    said: list[str] = []
    position = 0
    for step in progress.steps:
        if step.tool:
            if position >= len(progress.results):
                break
            said.append(answers.told(step, progress.results[position]))
            position += 1
        elif step.talk == "greeting":
            said.append(answers.greeting(tools))
        elif step.talk == "summary":
            said.append(_summarised(progress, position))
        else:
            break
    left = progress.calling[len(progress.results) :]
    if stopped_by is not None:
        said.append(stopped_by)
        left = left[1:] if stopped_by.startswith("I cannot") else left
    if left:
        said.append(f"I stopped there and did not {'; did not '.join(one.intent for one in left)}.")
    return "\n\n".join(said)


def _summarised(progress: Progress, position: int) -> str:
    result = progress.results[position - 1].content if position else ""
    result = result or progress.attached or progress.before
    return answers.summary(result) if result else "There is nothing to summarise yet."


def _call_id(messages: Sequence[Message]) -> str:
    """An id no call of this history has."""
    return f"rehearsal_{sum(len(message.tool_calls) for message in messages) + 1}"


def _encoded(arguments: dict[str, Any]) -> str:
    return msgspec.json.encode(arguments).decode()
