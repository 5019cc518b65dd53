"""Shared words of the model tests."""

from contextlib import aclosing
from typing import Any

from hermes_tui.core.events import Notice, ReasoningDelta, TextDelta
from hermes_tui.core.messages import Message, Part, user
from hermes_tui.core.ports import Model, ModelItem, ModelRequest, Prefix, Reply, ToolSpec

TERMINAL = ToolSpec(
    "terminal",
    "Run a command.",
    {
        "type": "object",
        "properties": {"command": {"type": "string"}},
        "required": ["command"],
    },
)


def spec(name: str, *properties: str) -> ToolSpec:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {one: {"type": "string"} for one in properties},
    }
    return ToolSpec(name, f"The {name} tool.", schema)


def ask(
    *messages: Message | str, tools: tuple[ToolSpec, ...] = (), system: str = "Be brief."
) -> ModelRequest:
    history = tuple(user(one) if isinstance(one, str) else one for one in messages)
    return ModelRequest(Prefix(system, tools), history or (user("hi"),))


async def items_of(model: Model, request: ModelRequest) -> list[ModelItem]:
    async with aclosing(model.stream(request)) as stream:
        return [item async for item in stream]


async def reply_of(model: Model, request: ModelRequest) -> Reply:
    last = (await items_of(model, request))[-1]
    assert isinstance(last, Reply)
    return last


def parts_in(items: list[ModelItem]) -> tuple[Part, ...]:
    last = items[-1]
    assert isinstance(last, Reply)
    return last.message.parts


def text_in(items: list[ModelItem]) -> str:
    return "".join(item.text for item in items if isinstance(item, TextDelta))


def reasoning_in(items: list[ModelItem]) -> str:
    return "".join(item.text for item in items if isinstance(item, ReasoningDelta))


def notices_in(items: list[ModelItem]) -> list[str]:
    return [item.text for item in items if isinstance(item, Notice)]
