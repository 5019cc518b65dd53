"""A model that replies from a list, for tests and examples."""

import re
from collections.abc import AsyncGenerator

from hermes_tui.core.errors import ModelError
from hermes_tui.core.events import Notice, ReasoningDelta, TextDelta
from hermes_tui.core.messages import Message, Reasoning, Text, ToolCall
from hermes_tui.core.ports import ModelItem, ModelRequest, Reply
from hermes_tui.core.usage import Usage, estimated_tokens

Line = Message | Reply | ModelError | tuple[Notice, Message]
"""What may stand in a script: a message, a whole reply, an error, a notice before a message."""


class ScriptedModel:
    """Plays back its lines in order and keeps the requests it was sent."""

    def __init__(
        self, *lines: Line, name: str = "scripted", context_window: int | None = None
    ) -> None:
        self._lines = list(lines)
        self._name = name
        self._context_window = context_window
        self.requests: list[ModelRequest] = []

    @property
    def name(self) -> str:
        return self._name

    @property
    def context_window(self) -> int | None:
        return self._context_window

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        """Yield the next line word by word, then as a `Reply`.

        Raises:
            ModelError: the script is at its end, or its line is an error.
        """
        self.requests.append(request)
        if not self._lines:
            raise ModelError("The scripted model has no replies left.")
        line = self._lines.pop(0)
        if isinstance(line, ModelError):
            raise line
        if isinstance(line, tuple):
            notice, line = line
            yield notice
        reply = line if isinstance(line, Reply) else Reply(line, estimated_usage(request, line))
        for part in reply.message.parts:
            if isinstance(part, Text):
                for word in words(part.text):
                    yield TextDelta(word)
            elif isinstance(part, Reasoning):
                yield ReasoningDelta(part.text)
        yield reply


def says(text: str) -> Message:
    """An assistant message of prose."""
    return Message("assistant", (Text(text),))


def calls(*wanted: tuple[str, str]) -> Message:
    """An assistant message calling tools, e.g. `calls(("terminal", '{"command": "ls"}'))`."""
    parts = tuple(ToolCall(f"call_{n}", name, args) for n, (name, args) in enumerate(wanted, 1))
    return Message("assistant", parts)


def words(text: str) -> list[str]:
    """`text` cut behind each run of white space; joined again it is `text`."""
    return re.findall(r"\s*\S+\s*|\s+", text)


def estimated_usage(request: ModelRequest, message: Message) -> Usage:
    """What a call roughly took, at no cost: for models that are no model."""
    sent = len(request.prefix.system)
    for earlier in request.messages:
        sent += len(earlier.text) + sum(len(result.content) for result in earlier.tool_results)
    received = message.text + "".join(call.arguments for call in message.tool_calls)
    return Usage(input_tokens=sent // 4, output_tokens=estimated_tokens(received), cost_usd=0.0)
