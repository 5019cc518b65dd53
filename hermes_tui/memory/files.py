"""`MEMORY.md` and `USER.md`: short lists of facts that people can read and edit.

Entries are separated by a line with `§`. Sizes are Unicode characters of the
whole text, separators included, as the model will see it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import anyio.to_thread
from msgspec import Struct

from hermes_tui.config.files import editing, replace_file
from hermes_tui.core.errors import HermesError, ToolError

SEPARATOR = "\n§\n"

Target = Literal["memory", "user"]
NAMES: dict[Target, str] = {"memory": "MEMORY.md", "user": "USER.md"}
LIMITS: dict[Target, int] = {"memory": 2200, "user": 1375}


class MemoryFile(Struct, frozen=True):
    """One memory file as it stands."""

    name: str
    path: Path
    text: str
    limit: int
    """Characters the prompt has room for."""

    @property
    def size(self) -> int:
        return len(self.text)

    @property
    def entries(self) -> list[str]:
        return [entry.strip() for entry in self.text.split(SEPARATOR) if entry.strip()]


class MemoryFiles:
    """The memory files of one home. Every change is one locked, atomic rewrite."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, target: Target) -> MemoryFile:
        """The file as it is on disk now; empty when there is none.

        Raises:
            HermesError: it cannot be read.
        """
        path = self._folder / NAMES[target]
        try:
            text = path.read_text(encoding="utf-8", errors="replace").strip()
        except FileNotFoundError:
            text = ""
        except OSError as error:
            raise HermesError(
                f"{path} cannot be read: {error.strerror}.", hint="Check its permissions."
            ) from error
        return MemoryFile(NAMES[target], path, text, LIMITS[target])

    async def add(self, target: Target, text: str) -> MemoryFile:
        """Append an entry; one that is there already is not added twice."""
        fresh = _one_entry(text)
        return await self._change(
            target, lambda entries: entries if fresh in entries else [*entries, fresh]
        )

    async def replace(self, target: Target, old: str, text: str) -> MemoryFile:
        """Replace the one entry that contains `old`."""
        fresh = _one_entry(text)
        return await self._change(target, lambda entries: _with(entries, old, [fresh]))

    async def remove(self, target: Target, old: str) -> MemoryFile:
        """Remove the one entry that contains `old`."""
        return await self._change(target, lambda entries: _with(entries, old, []))

    async def _change(self, target: Target, change: Callable[[list[str]], list[str]]) -> MemoryFile:
        return await anyio.to_thread.run_sync(self._change_now, target, change)

    def _change_now(self, target: Target, change: Callable[[list[str]], list[str]]) -> MemoryFile:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with editing(self._folder / NAMES[target]):
            before = self.read(target)
            text = SEPARATOR.join(change(before.entries))
            if len(text) > before.limit and len(text) > before.size:
                raise ToolError(
                    f"{before.name} would have {len(text):,} characters; it holds "
                    f"{before.limit:,}.",
                    hint=f"Shorten or remove entries first. It says:\n{before.text}",
                )
            replace_file(before.path, f"{text}\n".encode() if text else b"", mode=0o600)
            return self.read(target)


def _one_entry(text: str) -> str:
    """`text` without what would split it into several entries."""
    return text.replace("§", "").strip()


def _with(entries: list[str], old: str, new: list[str]) -> list[str]:
    places = [number for number, entry in enumerate(entries) if old in entry]
    if len(places) != 1:
        count = f"{len(places)} entries contain" if places else "No entry contains"
        listed = "\n".join(f"- {entry}" for entry in entries) or "(none)"
        raise ToolError(f"{count} {old!r}.", hint=f"Pass text of exactly one entry of:\n{listed}")
    (place,) = places
    return [*entries[:place], *new, *entries[place + 1 :]]
