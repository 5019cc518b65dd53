"""Taking conversations of another program, or of another home, into the store."""

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from hermes_tui.core.messages import Message, ToolResult
from hermes_tui.store.database import DAY, Database, now, stamp
from hermes_tui.store.import_forms import Said
from hermes_tui.store.indexes import Index
from hermes_tui.store.layout import Row, storable, storable_text, to_row
from hermes_tui.store.messages import IDS_PER_BLOCK
from hermes_tui.store.sessions import ID_ALPHABET, ID_LENGTH

SOURCE = "import"
TITLE_CHARS = 60


class Taken(Struct, frozen=True):
    """What became of some messages."""

    sessions: dict[str, str]
    """The id here of each session, by its name there."""
    added: int
    known: int
    """Messages that were here already."""


class Importer:
    """Takes messages in, each once, however often it comes."""

    def __init__(self, database: Database, index: Index) -> None:
        self._database = database
        self._index = index
        self._known: dict[str, Counter[bytes]] = {}
        """What this run has not met again yet of what was stored before it, by session."""

    async def take(self, said: Iterable[Said]) -> Taken:
        """Store messages in one transaction; those already there are passed over.

        A message is known by its session, its role and its content: the third "ok" of a
        session is taken in when there are two.

        Raises:
            StoreError: they cannot be written. None of them is stored then.
        """
        given = list(said)
        # An interrupted transaction must leave no trace here either.
        known = {name: Counter(counts) for name, counts in self._known.items()}

        def work(connection: sqlite3.Connection) -> Taken:
            sessions: dict[str, str] = {}
            added = 0
            for one in given:
                session_id = sessions.setdefault(one.session, imported_id(one.session))
                key = _session(connection, session_id, one)
                if one.session not in known:
                    known[one.session] = _stored(connection, key)
                row = to_row(storable(one.message))
                digest = _digest(row)
                if known[one.session][digest] > 0:
                    known[one.session][digest] -= 1
                    continue
                _add(connection, key, one, row)
                added += 1
            self._index.add(connection, limit=len(given))
            return Taken(sessions, added, len(given) - added)

        taken = await self._database.write(work)
        self._known = known
        return taken


def imported_id(name: str) -> str:
    """The id of a session that has another name elsewhere; ids of Hermes stay as they are."""
    if len(name) == ID_LENGTH and set(name) <= set(ID_ALPHABET):
        return name
    digest = hashlib.sha256(storable_text(name).encode()).digest()
    return "".join(ID_ALPHABET[byte % 32] for byte in digest[:ID_LENGTH])


def _session(connection: sqlite3.Connection, session_id: str, said: Said) -> int:
    row = connection.execute(
        "SELECT key, deleted_at FROM sessions WHERE id = ?", (session_id,)
    ).fetchone()
    if row is not None:
        key, deleted_at = row
        if deleted_at is not None:
            connection.execute("UPDATE sessions SET deleted_at = NULL WHERE key = ?", (key,))
        return key
    at = _at(said.at)
    title = " ".join(storable_text(said.title or _title(said)).split())
    added = connection.execute(
        "INSERT INTO sessions (id, title, cwd, model, environment, source, created_at, updated_at) "
        "VALUES (?, ?, ?, '', 'local', ?, ?, ?)",
        (session_id, title, storable_text(said.cwd), SOURCE, at, at),
    ).lastrowid
    assert added is not None
    return added


def _title(said: Said) -> str:
    """The session's name elsewhere where people gave it, else the first prompt's first line."""
    if not said.session.startswith("sha256:") and said.session != "import":
        return said.session
    line = said.message.text.strip().partition("\n")[0]
    return line if len(line) <= TITLE_CHARS else f"{line[: TITLE_CHARS - 1]}…"


def _stored(connection: sqlite3.Connection, key: int) -> Counter[bytes]:
    rows = connection.execute(
        "SELECT role, text, layout, search_text FROM messages WHERE session = ?", (key,)
    )
    return Counter(_digest(Row(*row)) for row in rows)


def _digest(row: Row) -> bytes:
    return hashlib.sha256("\0".join((row.role, row.text, row.layout or "")).encode()).digest()[:16]


def _add(connection: sqlite3.Connection, key: int, said: Said, row: Row) -> None:
    at = _at(said.at)
    added = connection.execute(
        "INSERT INTO messages (session, role, at, text, layout, search_text) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (key, row.role, at, row.text, row.layout, row.search_text),
    ).lastrowid
    assert added is not None
    connection.execute(
        "INSERT INTO days VALUES (?, ?) ON CONFLICT DO NOTHING", (at // DAY, added // IDS_PER_BLOCK)
    )
    connection.execute(
        "UPDATE sessions SET updated_at = max(updated_at, ?1), created_at = min(created_at, ?1), "
        "message_count = message_count + 1 WHERE key = ?2",
        (at, key),
    )
    _add_calls(connection, key, added, said.message)


def _add_calls(connection: sqlite3.Connection, key: int, added: int, message: Message) -> None:
    connection.executemany(
        "INSERT INTO tool_calls (message, position, call_id, name, status) "
        "VALUES (?, ?, ?, ?, 'finished')",
        [(added, place, call.id, call.name) for place, call in enumerate(message.tool_calls)],
    )
    for result in message.tool_results:
        if result.is_error:
            _mark_failed(connection, key, result)


def _mark_failed(connection: sqlite3.Connection, key: int, result: ToolResult) -> None:
    connection.execute(
        "UPDATE tool_calls SET status = 'failed' WHERE call_id = ? AND message = "
        "(SELECT max(id) FROM messages WHERE session = ? AND role = 'assistant')",
        (result.call_id, key),
    )


def _at(at: datetime | None) -> int:
    return now() if at is None else stamp(at)
