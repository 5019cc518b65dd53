"""Memory with a real ledger, and a clock that can be set."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hermes_tui.core.memory import MemoryItem, Source
from hermes_tui.memory.files import MemoryFiles
from hermes_tui.memory.memory import Consolidate, Memory
from hermes_tui.store.store import Store

AGENT = Source("agent", "s1", "“it is so”")


class Clock:
    """Says how late it is; may be put forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Room:
    """One home's memory."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder = folder
        self.store = store
        self.clock = Clock()
        self.memory = self.remembering()

    def remembering(self, consolidate: Consolidate | None = None) -> Memory:
        return Memory(
            MemoryFiles(self.folder),
            self.store.memory_items,
            consolidate=consolidate,
            now=self.clock,
        )

    def text(self, name: str = "MEMORY.md") -> str:
        return (self.folder / name).read_text("utf-8")

    def write(self, content: bytes, name: str = "MEMORY.md") -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / name).write_bytes(content)

    async def ever(self) -> dict[str, MemoryItem]:
        """Every item there ever was, by text."""
        return {item.text: item for item in await self.memory.items(with_ended=True)}


@pytest.fixture
async def room(tmp_path: Path) -> AsyncGenerator[Room, None]:
    async with Store.open(tmp_path / "hermes.db") as store:
        yield Room(tmp_path / "memory", store)


@pytest.fixture
def files(tmp_path: Path) -> MemoryFiles:
    return MemoryFiles(tmp_path / "memory")
