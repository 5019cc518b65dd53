"""Tools about the conversation itself: `todo`, `clarify`, `session_search` and `memory`."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from hermes_tui.core.errors import ToolError
from hermes_tui.core.messages import Checklist
from hermes_tui.core.ports import Human
from hermes_tui.memory.files import MemoryFiles
from hermes_tui.store.search import Search
from hermes_tui.tools.registry import Outcome, Say, Tool

OWN_HITS = 20
"""How many hits of the running session are looked past."""
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


class SessionSearchArgs(Struct, frozen=True):
    """Search earlier conversations by words or "exact phrases"."""

    query: str
    limit: Annotated[int, Meta(ge=1, le=50)] = 10


class MemoryArgs(Struct, frozen=True):
    """Keep a lasting fact for later sessions: target `user` for who the person is and what they
    like, `memory` for everything else. Short entries; no secrets. replace and remove find the
    entry containing `old`."""  # noqa: D205, D209

    action: Literal["add", "replace", "remove"]
    target: Literal["memory", "user"] = "memory"
    text: str = ""
    old: str = ""


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


def session_search_tool(search: Search, *, but: str = "") -> Tool[SessionSearchArgs]:
    """Searches every session but the one with the id `but`, which the model has before it."""

    async def run(args: SessionSearchArgs, say: Say) -> str:
        del say
        found = await search.find(args.query, limit=args.limit + OWN_HITS)
        hits = [hit for hit in found.hits if hit.session_id != but][: args.limit]
        searched = f"{found.sessions_searched} sessions searched for: {' '.join(found.terms)}"
        if not hits:
            return f"Nothing found. [{searched}]"
        lines = [
            f"{hit.at:%Y-%m-%d %H:%M}  session {hit.session_id} ({hit.session_title})  {hit.role}: "
            f"{' '.join(hit.excerpt.split())}"
            for hit in hits
        ]
        return "\n".join([*lines, f"[{searched}]"])

    return Tool("session_search", SessionSearchArgs, run, parallel_safe=True)


def memory_tool(files: MemoryFiles) -> Tool[MemoryArgs]:
    async def run(args: MemoryArgs, say: Say) -> str:
        del say
        match args.action:
            case "add":
                _needs(args.text, "text")
                state = await files.add(args.target, args.text)
            case "replace":
                _needs(args.old, "old")
                _needs(args.text, "text")
                state = await files.replace(args.target, args.old, args.text)
            case "remove":
                _needs(args.old, "old")
                state = await files.remove(args.target, args.old)
        return (
            f"{state.name} now holds {state.size:,} of {state.limit:,} characters. "
            "New sessions will see it; this one keeps what it started with."
        )

    return Tool("memory", MemoryArgs, run)


def _needs(value: str, name: str) -> None:
    if not value.strip():
        raise ToolError(f"`{name}` is empty.", hint=f"Pass {name}.")
