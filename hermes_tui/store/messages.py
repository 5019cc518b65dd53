"""The messages of sessions, and what became of their tool calls."""

import sqlite3
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct

from hermes_tui.core.errors import StoreError
from hermes_tui.core.messages import Message, ToolResult
from hermes_tui.store.database import DAY, Database, moment, now
from hermes_tui.store.indexes import Index
from hermes_tui.store.layout import from_row, storable, to_row
from hermes_tui.store.sessions import session_key
from hermes_tui.store.words import one_line

INTERRUPTED = "Interrupted; its outcome is unknown."
"""What the model reads about a call that was running when Hermes died."""

IDS_PER_BLOCK = 1024
"""Message ids are put down in `days` by blocks of this many."""
_CATCH_UP_MESSAGES = 100
"""How many messages an append indexes at most: its own, and some another SQLite left out."""
TITLE_CHARS = 60


class StoredMessage(Struct, frozen=True):
    """A message with its place in the store."""

    id: int
    """Rises with time over all sessions."""
    message: Message
    at: datetime
    """When it was stored, in UTC."""


class Messages:
    """Reads and adds messages. Each method that adds returns once the rows are durable."""

    def __init__(self, database: Database, index: Index) -> None:
        self._database = database
        self._index = index

    async def append(self, session_id: str, message: Message) -> int:
        """Store a message, its tool calls and its index entry at once; returns its id.

        Raises:
            StoreError: it cannot be written, or the session is gone.
        """
        message = storable(message)
        title = title_of(message.text) if message.role == "user" else ""

        def work(connection: sqlite3.Connection) -> int:
            key = session_key(connection, session_id)
            at = now()
            added = insert(connection, key, at, message, calls_are="called")
            connection.execute(
                "UPDATE sessions SET updated_at = ?, archived_at = NULL, "
                "message_count = message_count + 1, "
                "title = CASE title WHEN '' THEN ? ELSE title END WHERE key = ?",
                (at, title, key),
            )
            for result in message.tool_results:
                # The message carries the result from now on.
                _settle_call(connection, key, result, carried=True)
            self._index.add(connection, limit=_CATCH_UP_MESSAGES)
            return added

        return await self._database.write(work)

    async def record_result(self, session_id: str, result: ToolResult, seconds: float) -> None:
        """Keep a result until the tool message that carries it is appended.

        Raises:
            StoreError: it cannot be written, or no call of the session waits for it.
        """
        result = storable(result)

        def work(connection: sqlite3.Connection) -> None:
            key = session_key(connection, session_id)
            if not _settle_call(connection, key, result, carried=False, seconds=seconds):
                raise StoreError(
                    f"Session {session_id!r} has no open tool call {result.call_id!r}."
                )

        await self._database.write(work)

    async def of_session(
        self, session_id: str, *, before: int | None = None, limit: int | None = None
    ) -> list[StoredMessage]:
        """Messages in order; with `limit` the newest of those with an id below `before`.

        Raises:
            StoreError: the session is gone, or a row is damaged.
        """

        def work(connection: sqlite3.Connection) -> list[StoredMessage]:
            rows = connection.execute(
                "SELECT id, role, text, layout, at FROM messages "
                "WHERE session = ? AND id < ? ORDER BY id DESC LIMIT ?",
                (
                    session_key(connection, session_id),
                    2**62 if before is None else before,
                    -1 if limit is None else limit,
                ),
            ).fetchall()
            return [_stored(row) for row in reversed(rows)]

        return await self._database.read(work)

    async def readable(self, session_id: str) -> tuple[list[StoredMessage], list[str]]:
        """Every message that can be read, in order, and a sentence on each that cannot.

        Raises:
            StoreError: the session is gone, or not even the ids of its messages can be read.
        """

        def work(connection: sqlite3.Connection) -> tuple[list[StoredMessage], list[str]]:
            ids = connection.execute(
                "SELECT id FROM messages WHERE session = ? ORDER BY id",
                (session_key(connection, session_id),),
            ).fetchall()
            stored: list[StoredMessage] = []
            damaged: list[str] = []
            for (message_id,) in ids:
                try:
                    stored.append(_by_id(connection, message_id))
                except StoreError as error:
                    damaged.append(error.message)
                except (sqlite3.Error, TypeError) as error:
                    damaged.append(f"Message {message_id} is damaged: {error}.")
            return stored, damaged

        return await self._database.read(work)

    async def unanswered(self, session_id: str) -> list[ToolResult]:
        """A result for each call of the last assistant message that no tool message answers.

        In the order of the calls: the result where it was recorded before Hermes died, else
        one that says the outcome is unknown. Append them as a tool message to make the
        history valid again. Nothing is ever run a second time.
        """

        def work(connection: sqlite3.Connection) -> list[ToolResult]:
            key = session_key(connection, session_id)
            return [
                msgspec.json.decode(result, type=ToolResult)
                if result is not None
                else ToolResult(call_id, INTERRUPTED, is_error=True)
                for call_id, result in open_calls(connection, key)
            ]

        return await self._database.read(work)


def _by_id(connection: sqlite3.Connection, message_id: int) -> StoredMessage:
    return _stored(
        connection.execute(
            "SELECT id, role, text, layout, at FROM messages WHERE id = ?", (message_id,)
        ).fetchone()
    )


def _stored(row: tuple[int, str, str, str | None, int]) -> StoredMessage:
    message_id, role, text, layout, at = row
    return StoredMessage(message_id, from_row(message_id, role, text, layout), moment(at))


def open_calls(connection: sqlite3.Connection, key: int) -> list[tuple[str, str | None]]:
    """Ids of the last assistant message's calls no tool message answers, and recorded results."""
    (last,) = connection.execute(
        "SELECT max(id) FROM messages WHERE session = ? AND role = 'assistant'", (key,)
    ).fetchone()
    answered = _answers_after(connection, key, last)
    calls = connection.execute(
        "SELECT call_id, result FROM tool_calls WHERE message = ? ORDER BY position", (last,)
    ).fetchall()
    return [(call_id, result) for call_id, result in calls if call_id not in answered]


def title_of(prompt: str) -> str:
    """What a session is called that begins with `prompt`: its first line, shortened."""
    return one_line(prompt.strip().partition("\n")[0], TITLE_CHARS)


def insert(
    connection: sqlite3.Connection,
    key: int,
    at: int,
    message: Message,
    *,
    calls_are: Literal["called", "finished"],
) -> int:
    """Add the rows of a message that `storable` has passed; returns its id."""
    row = to_row(message)
    added = connection.execute(
        "INSERT INTO messages (session, role, at, text, layout, search_text) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (key, row.role, at, row.text, row.layout, row.search_text),
    ).lastrowid
    assert added is not None
    connection.execute(
        "INSERT INTO days VALUES (?, ?) ON CONFLICT DO NOTHING", (at // DAY, added // IDS_PER_BLOCK)
    )
    connection.executemany(
        "INSERT INTO tool_calls (message, position, call_id, name, status) VALUES (?, ?, ?, ?, ?)",
        [
            (added, position, call.id, call.name, calls_are)
            for position, call in enumerate(message.tool_calls)
        ],
    )
    return added


def _settle_call(
    connection: sqlite3.Connection,
    key: int,
    result: ToolResult,
    *,
    carried: bool,
    seconds: float | None = None,
) -> bool:
    """Note how a call of the last assistant message ended; whether there was one to note.

    Providers may use an id again in a later message, and models twice in one: only the last
    message counts, and there the first call that still waits.
    """
    settled = connection.execute(
        """
        UPDATE tool_calls SET status = ?1, result = ?2, seconds = coalesce(?3, seconds)
        WHERE (message, position) = (
            SELECT message, position FROM tool_calls
            WHERE call_id = ?4 AND (status = 'called' OR (?5 AND result IS NOT NULL))
              AND message = (
                SELECT max(id) FROM messages WHERE session = ?6 AND role = 'assistant')
            ORDER BY position LIMIT 1)
        """,
        (
            "failed" if result.is_error else "finished",
            None if carried else msgspec.json.encode(result).decode(),
            seconds,
            result.call_id,
            carried,
            key,
        ),
    )
    return settled.rowcount == 1


def _answers_after(connection: sqlite3.Connection, key: int, message_id: int | None) -> set[str]:
    rows = connection.execute(
        "SELECT id, role, text, layout FROM messages "
        "WHERE session = ? AND id > ? AND role = 'tool'",
        (key, message_id),
    )
    return {result.call_id for row in rows for result in from_row(*row).tool_results}
