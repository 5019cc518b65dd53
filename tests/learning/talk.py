"""Conversations to look back at, written down in few words."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from hermes_tui.core.messages import (
    Message,
    Text,
    ToolCall,
    ToolResult,
    assistant,
    tool_results,
    user,
)
from hermes_tui.learning.tasks import Task, tasks_of
from hermes_tui.store.messages import StoredMessage

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def ran(command: str, output: str = "", *, fails: bool = False) -> list[Message]:
    """A command in the shell and what it printed."""
    told = f"{output}\n[Exit code 1.]" if fails else output
    return called("terminal", {"command": command}, told, fails=fails)


def called(
    name: str, arguments: dict[str, str], result: str = "Done.", *, fails: bool = False
) -> list[Message]:
    """A tool call and its result."""
    call = ToolCall("call_1", name, msgspec.json.encode(arguments).decode())
    return [
        Message("assistant", (Text(""), call)),
        tool_results([ToolResult("call_1", result, is_error=fails)]),
    ]


def wrote(path: str = "app.py") -> list[Message]:
    return called("write_file", {"path": path, "content": "x"})


def turn(prompt: str, *steps: Sequence[Message], answer: str = "Done.") -> list[Message]:
    """A prompt, what was done about it, and the answer."""
    done = [message for step in steps for message in step]
    return [user(prompt), *done, *([assistant(answer)] if answer else [])]


def stored(messages: Sequence[Message]) -> list[StoredMessage]:
    """As the store has them, a second apart."""
    return [
        StoredMessage(number, message, NOON + timedelta(seconds=number))
        for number, message in enumerate(messages, 1)
    ]


def task(prompt: str, *steps: Sequence[Message], answer: str = "Done.") -> Task:
    (one,) = tasks_of(stored(turn(prompt, *steps, answer=answer)))
    return one
