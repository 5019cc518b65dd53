"""The store: everything Hermes remembers of its sessions, in one SQLite file."""

import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from hermes_tui.core.history import Compaction
from hermes_tui.core.messages import Message, ToolResult
from hermes_tui.core.usage import Usage
from hermes_tui.store.compactions import Compactions
from hermes_tui.store.database import Database
from hermes_tui.store.indexes import Index, IndexKind, open_index
from hermes_tui.store.memory_items import MemoryItems
from hermes_tui.store.messages import Messages
from hermes_tui.store.migrations import migrate
from hermes_tui.store.reviews import Reviews
from hermes_tui.store.search import Search
from hermes_tui.store.sessions import Sessions, purge
from hermes_tui.store.skill_index import SkillWords
from hermes_tui.store.skill_uses import Uses
from hermes_tui.store.summaries import Summaries
from hermes_tui.store.usage import UsageLedger

if TYPE_CHECKING:
    from hermes_tui.core.embedding import Embedder
    from hermes_tui.store.importing import Importer


class Store:
    """The parts of an open store."""

    def __init__(self, database: Database, index: Index) -> None:
        self.sessions = Sessions(database)
        self.messages = Messages(database, index)
        self.compactions = Compactions(database)
        self.usage = UsageLedger(database)
        self.memory_items = MemoryItems(database)
        self.summaries = Summaries(database, index)
        self.reviews = Reviews(database)
        self.task_reviews = Reviews(database, column="tasks_reviewed")
        self.skill_words = SkillWords(database)
        self.skill_uses = Uses(database)
        self.search = Search(database, index)
        self._database = database
        self._index = index
        self.index_kind: IndexKind = index.kind
        """How it searches; `hermes doctor` says so."""

    @classmethod
    @asynccontextmanager
    async def open(
        cls, path: Path, *, fts: IndexKind | Literal["auto"] = "auto"
    ) -> AsyncGenerator[Self, None]:
        """Open or create the file, bring it up to date, and purge what was deleted long ago.

        Several processes may have it open at once.

        Raises:
            StoreError: it is read-only, damaged, another program's or a newer Hermes's.
        """

        def prepare(connection: sqlite3.Connection) -> Index:
            migrate(connection, database.path)
            index = open_index(connection, fts)
            purge(connection)
            return index

        async with Database.open(path) as database:
            yield cls(database, await database.write(prepare))

    def importer(self) -> "Importer":
        """Takes conversations in, for as long as one file lasts."""
        from hermes_tui.store.importing import Importer  # no session needs it

        return Importer(self._database, self._index)

    def search_by_meaning(self, embedder: "Callable[[], Embedder]") -> None:
        """Let searches also find what was said in other words.

        `embedder` is called when one is first needed; it may raise `ConfigError` or `ModelError`.
        """
        from hermes_tui.store.meaning import Meaning  # only where a model is set for it

        self.search.meaning = Meaning(self._database, self.usage, embedder)

    def journal(self, session_id: str) -> "SessionJournal":
        """Where one session is kept, as `core.ports.Journal` wants it."""
        return SessionJournal(self, session_id)


class SessionJournal:
    """Writes one session's messages, results and usage."""

    def __init__(self, store: Store, session_id: str) -> None:
        self._store = store
        self._session_id = session_id

    async def append(self, message: Message) -> None:
        await self._store.messages.append(self._session_id, message)

    async def record_result(self, result: ToolResult, seconds: float) -> None:
        await self._store.messages.record_result(self._session_id, result, seconds)

    async def record_usage(self, usage: Usage, model: str) -> None:
        await self._store.usage.record(self._session_id, usage, model)

    async def record_compaction(self, compaction: Compaction) -> None:
        await self._store.compactions.record(self._session_id, compaction)
