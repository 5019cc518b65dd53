"""`memory`: lasting facts, kept for later sessions."""

from typing import Literal

from msgspec import Struct

from hermes_tui.core.errors import ToolError
from hermes_tui.memory.files import MemoryFiles
from hermes_tui.tools.registry import Say, Tool


class MemoryArgs(Struct, frozen=True):
    """Keep a lasting fact for later sessions: target `user` for who the person is and what they
    like, `memory` for everything else. Short entries; no secrets. replace and remove find the
    entry containing `old`."""  # noqa: D205, D209

    action: Literal["add", "replace", "remove"]
    target: Literal["memory", "user"] = "memory"
    text: str = ""
    old: str = ""


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
