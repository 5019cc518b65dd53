"""How long sessions are shortened for the model."""

import sqlite3

from hermes_tui.core.history import NOT_COMPACTED, Compaction
from hermes_tui.store.database import Database, now
from hermes_tui.store.layout import storable_text
from hermes_tui.store.sessions import session_key


class Compactions:
    """Keeps every one; the last made counts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, session_id: str, compaction: Compaction) -> None:
        """Keep a compaction, durably.

        Raises:
            StoreError: it cannot be written, or the session is gone.
        """

        def work(connection: sqlite3.Connection) -> None:
            key = session_key(connection, session_id)
            connection.execute(
                "INSERT INTO compactions (session, at, head, tail, whole, summary) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (
                    key,
                    now(),
                    compaction.head,
                    compaction.tail,
                    compaction.whole,
                    storable_text(compaction.summary),
                ),
            )

        await self._database.write(work)

    async def latest(self, session_id: str) -> Compaction:
        """The one that counts; `NOT_COMPACTED` when there is none."""

        def work(connection: sqlite3.Connection) -> Compaction:
            row = connection.execute(
                "SELECT head, tail, whole, summary FROM compactions "
                "WHERE session = ? ORDER BY rowid DESC LIMIT 1",
                (session_key(connection, session_id),),
            ).fetchone()
            return Compaction(*row) if row else NOT_COMPACTED

        return await self._database.read(work)
