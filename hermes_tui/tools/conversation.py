"""Tools about the conversation itself: `todo` and `clarify`."""

from typing import Literal

from msgspec import Struct

from hermes_tui.core.messages import Checklist
from hermes_tui.core.ports import Human
from hermes_tui.tools.registry import Outcome, Say, Tool

MARKS = {"pending": "[ ]", "doing": "[>]", "done": "[x]"}


class TodoItem(Struct, frozen=True):
    """One step of a plan."""

    text: str
    state: Literal["pending", "doing", "done"] = "pending"


class TodoArgs(Struct, frozen=True):
    """Keep a plan for work of several steps: pass the whole list each time it changes."""

    items: list[TodoItem]


class ClarifyArgs(Struct, frozen=True):
    """Ask the person a question when guessing could do harm."""

    question: str
    choices: list[str] = []


def todo_tool() -> Tool[TodoArgs]:
    async def run(args: TodoArgs, say: Say) -> Outcome:
        del say
        lines = [f"{MARKS[item.state]} {item.text}" for item in args.items]
        shown = Checklist(tuple((item.state, item.text) for item in args.items))
        return Outcome("\n".join(lines) or "The plan is empty.", display=shown)

    return Tool("todo", TodoArgs, run)


def clarify_tool(human: Human) -> Tool[ClarifyArgs]:
    async def run(args: ClarifyArgs, say: Say) -> str:
        del say
        return await human.ask(args.question, args.choices)

    return Tool("clarify", ClarifyArgs, run)
