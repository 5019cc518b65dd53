"""A small app around a view, and what a person sees of it."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widget import Widget

from hermes_tui.core.messages import (
    Message,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
    tool_results,
    user,
)


class Stage(App[None]):
    """One view, nothing else, no animations."""

    def __init__(self, view: Widget) -> None:
        super().__init__()
        self.view = view
        self.animation_level = "none"

    def compose(self) -> ComposeResult:
        yield self.view


@asynccontextmanager
async def staged(view: Widget, size: tuple[int, int] = (80, 24)) -> AsyncGenerator[Pilot[None]]:
    """The view on a screen of this size, focused."""
    app = Stage(view)
    async with app.run_test(size=size) as pilot:
        view.focus()
        await pilot.pause()
        yield pilot


def seen(view: Widget) -> list[str]:
    """The lines in sight."""
    return [view.render_line(y).text.rstrip() for y in range(view.size.height)]


def call(call_id: str, name: str, **arguments: object) -> ToolCall:
    return ToolCall(call_id, name, json.dumps(arguments))


def exchange(number: int) -> list[Message]:
    """A prompt, a thought, a tool call with its result, and an answer."""
    listing = call(f"call-{number}", "list_files", path=f"folder-{number}")
    return [
        user(f"Question {number}?"),
        Message("assistant", (Reasoning("Hm."), Text(f"Looking at **{number}**."), listing)),
        tool_results([ToolResult(listing.id, f"a-{number}\nb-{number}")]),
        Message(
            "assistant",
            (Text(f"Answer {number}:\n\n- one\n- two\n\n```python\nx = {number}\n```"),),
        ),
    ]


def conversation(count: int) -> list[Message]:
    return [message for number in range(count) for message in exchange(number)]
