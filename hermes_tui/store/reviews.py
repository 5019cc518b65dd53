"""How far each session has been looked through for what it teaches, and which are put away."""
# ruff: noqa: S608  statements are put together from constants of this package only

import sqlite3
from datetime import datetime
from typing import Literal

from msgspec import Struct

from hermes_tui.store.database import Database, now, stamp
from hermes_tui.store.sessions import session_key


class Span(Struct, frozen=True):
    """Messages nobody has looked through yet, by id."""

    after: int
    upto: int
    """Included."""


class Reviews:
    """Hands each message out for review once, whichever process asks.

    Args:
        column: Where it is noted; what one reviews for says nothing of the other.
    """

    def __init__(
        self, database: Database, *, column: Literal["reviewed", "tasks_reviewed"] = "reviewed"
    ) -> None:
        self._database = database
        self._column = column

    async def claim(self, session_id: str) -> Span | None:
        """What is new since the last claim; None when nothing is.

        Raises:
            StoreError: the session is gone.
        """

        def work(connection: sqlite3.Connection) -> Span | None:
            key = session_key(connection, session_id)
            after, upto = connection.execute(
                f"SELECT {self._column}, (SELECT coalesce(max(id), 0) FROM messages "
                "WHERE session = key) FROM sessions WHERE key = ?",
                (key,),
            ).fetchone()
            if upto <= after:
                return None
            connection.execute(f"UPDATE sessions SET {self._column} = ? WHERE key = ?", (upto, key))
            return Span(after, upto)

        return await self._database.write(work)

    async def release(self, session_id: str, span: Span) -> None:
        """Give back what nobody looked through after all, unless more was claimed since.

        Raises:
            StoreError: it cannot be written.
        """

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                f"UPDATE sessions SET {self._column} = ? WHERE id = ? AND {self._column} = ?",
                (span.after, session_id, span.upto),
            )

        await self._database.write(work)

    async def pending(
        self, *, since: datetime, before: datetime, but: str = "", limit: int = 20
    ) -> list[str]:
        """Ids of sessions used in that time that hold something to look through.

        Those used first come first; imported ones never do.
        """

        def work(connection: sqlite3.Connection) -> list[str]:
            rows = connection.execute(
                "SELECT id FROM sessions WHERE deleted_at IS NULL AND archived_at IS NULL "
                "AND source <> 'import' AND id <> ? AND updated_at >= ? AND updated_at < ? "
                f"AND {self._column} < (SELECT max(id) FROM messages WHERE session = key) "
                "ORDER BY updated_at LIMIT ?",
                (but, stamp(since), stamp(before), limit),
            ).fetchall()
            return [session_id for (session_id,) in rows]

        return await self._database.read(work)

    async def archive(self, before: datetime) -> int:
        """Put away sessions not used since `before`; returns how many.

        Only those with a note on all of their messages, written before then: what was imported
        stays in sight as long as what was said here. They leave lists and the search of
        messages; their notes stay searchable, and `Sessions.restore` brings them back.
        """

        def work(connection: sqlite3.Connection) -> int:
            return connection.execute(
                "UPDATE sessions SET archived_at = ?1 WHERE deleted_at IS NULL "
                "AND archived_at IS NULL AND updated_at < ?2 "
                "AND key IN (SELECT session FROM summaries s WHERE at < ?2 "
                "AND upto >= (SELECT max(id) FROM messages m WHERE m.session = s.session))",
                (now(), stamp(before)),
            ).rowcount

        return await self._database.write(work)
