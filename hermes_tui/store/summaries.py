"""What sessions were about: a note for each, with a full-text index of its own."""

import sqlite3
from datetime import datetime

import msgspec
from msgspec import Struct

from hermes_tui.store.database import Database, moment, now, stamp
from hermes_tui.store.indexes import Index, remove_summary
from hermes_tui.store.layout import storable
from hermes_tui.store.sessions import session_key
from hermes_tui.store.words import has_unspaced, spaced

_CATCH_UP = 100


class Note(Struct, frozen=True, kw_only=True):
    """What a session was about. Every text is one line or a few, never empty."""

    summary: str
    topics: tuple[str, ...] = ()
    decisions: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    """With what solved them, where that is known."""
    files: tuple[str, ...] = ()
    open_items: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The note as people and the index read it."""
        lines = [self.summary]
        for heading, items in (
            ("Topics", self.topics),
            ("Decisions", self.decisions),
            ("Problems", self.problems),
            ("Files", self.files),
            ("Open", self.open_items),
        ):
            if items:
                joint = ", " if heading in ("Topics", "Files") else "; "
                lines.append(f"{heading}: {joint.join(items)}")
        return "\n".join(line for line in lines if line)


class StoredNote(Struct, frozen=True):
    """A note with what it covers."""

    session_id: str
    note: Note
    method: str
    """"extractive", or the name of the model that wrote it."""
    upto: int
    """Id of the last message it covers."""
    at: datetime
    """When it was written, in UTC."""


class Summaries:
    """One note a session; a newer one takes the place of the older."""

    def __init__(self, database: Database, index: Index) -> None:
        self._database = database
        self._index = index

    async def put(self, session_id: str, note: Note, *, upto: int, method: str) -> None:
        """Keep a note that covers the session up to the message `upto`.

        Raises:
            StoreError: it cannot be written, or the session is gone.
        """
        note = storable(note)
        text = note.text
        row = (
            now(),
            upto,
            method,
            text,
            spaced(text) if has_unspaced(text) else None,
            msgspec.json.encode(note).decode(),
        )

        def work(connection: sqlite3.Connection) -> None:
            key = session_key(connection, session_id)
            remove_summary(connection, key)
            connection.execute("DELETE FROM summaries WHERE session = ?", (key,))
            connection.execute(
                "INSERT INTO summaries (session, at, upto, method, text, search_text, body) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (key, *row),
            )
            self._index.add(connection, limit=_CATCH_UP)

        await self._database.write(work)

    async def get(self, session_id: str) -> StoredNote | None:
        """The session's note, if there is one."""
        found = await self._read("s.id = ?", (session_id,), limit=1)
        return found[0] if found else None

    async def newest(self, *, limit: int = 50) -> list[StoredNote]:
        """Notes of the sessions used last."""
        return await self._read("s.deleted_at IS NULL", (), limit=limit)

    async def pending(
        self, idle_before: datetime, *, at_least: int = 2, limit: int = 20
    ) -> list[str]:
        """Ids of sessions with messages no note covers, idle since `idle_before`.

        The first used first. `at_least` is how many messages a session has to have.
        """

        def work(connection: sqlite3.Connection) -> list[str]:
            rows = connection.execute(
                "SELECT s.id FROM sessions s LEFT JOIN summaries u ON u.session = s.key "
                "WHERE s.deleted_at IS NULL AND s.updated_at < ?1 AND s.message_count >= ?2 "
                "AND coalesce(u.upto, 0) < (SELECT max(id) FROM messages WHERE session = s.key) "
                "ORDER BY s.updated_at LIMIT ?3",
                (stamp(idle_before), at_least, limit),
            )
            return [session_id for (session_id,) in rows]

        return await self._database.read(work)

    async def _read(
        self, condition: str, parameters: tuple[object, ...], *, limit: int
    ) -> list[StoredNote]:
        def work(connection: sqlite3.Connection) -> list[StoredNote]:
            rows = connection.execute(
                "SELECT s.id, u.body, u.method, u.upto, u.at FROM summaries u "  # noqa: S608
                f"JOIN sessions s ON s.key = u.session WHERE {condition} "
                "ORDER BY s.updated_at DESC, s.key DESC LIMIT ?",
                (*parameters, limit),
            )
            return [
                StoredNote(
                    session_id, msgspec.json.decode(body, type=Note), method, upto, moment(at)
                )
                for session_id, body, method, upto, at in rows
            ]

        return await self._database.read(work)
