"""`memory`: lasting facts, kept for later sessions."""

from typing import Annotated, Literal, cast, get_args

from msgspec import Meta, Struct

from hermes_tui.core.errors import ToolError
from hermes_tui.core.memory import Kind, Source
from hermes_tui.memory.draft import Edit
from hermes_tui.memory.memory import Memory
from hermes_tui.memory.report import happened, size
from hermes_tui.tools.registry import Say, Tool

KINDS = get_args(Kind)


class MemoryEdit(Struct, frozen=True):
    """One of several changes."""

    action: Literal["add", "replace", "remove"]
    text: str = ""
    old: str = ""


class MemoryArgs(Struct, frozen=True):
    """Keep a lasting fact for later sessions: target `user` for who the person is and what they
    like, `memory` for everything else. Short entries; no secrets. replace and remove find the
    entry containing `old`; batch makes all `edits` or none. `evidence`: the words or command
    that bear it out."""  # noqa: D205, D209

    action: Literal["add", "replace", "remove", "batch"]
    target: Literal["memory", "user"] = "memory"
    text: str = ""
    old: str = ""
    edits: list[MemoryEdit] = []
    kind: Annotated[str, Meta(extra_json_schema={"enum": [*KINDS]})] = ""
    evidence: str = ""


def memory_tool(memory: Memory, *, session_id: str = "") -> Tool[MemoryArgs]:
    async def run(args: MemoryArgs, say: Say) -> str:
        del say
        source = Source("agent", session_id, args.evidence.strip())
        change = await memory.batch(args.target, _edits(args), source=source)
        lines = [
            f"{size(change)} New sessions will see it; this one keeps what it started with.",
            *happened(change),
        ]
        return "\n".join(lines)

    return Tool("memory", MemoryArgs, run)


def _edits(args: MemoryArgs) -> list[Edit]:
    kind = _kind(args.kind)
    if args.action != "batch":
        return [Edit(args.action, args.text, args.old, kind)]
    if not args.edits:
        raise ToolError("`edits` is empty.", hint="Pass edits: a list of {action, text, old}.")
    return [Edit(edit.action, edit.text, edit.old, kind) for edit in args.edits]


def _kind(name: str) -> Kind | None:
    if name and name not in KINDS:
        raise ToolError(f"There is no kind {name!r}.", hint=f"Pass one of: {', '.join(KINDS)}.")
    return cast("Kind", name) if name else None
