"""Taking conversations of another program, or of another home, into the store."""

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from hermes_tui.core.messages import Message, Text, ToolResult
from hermes_tui.store.database import Database, now, stamp
from hermes_tui.store.import_forms import Said
from hermes_tui.store.indexes import Index
from hermes_tui.store.layout import Row, storable, storable_text, to_row
from hermes_tui.store.messages import insert, open_calls, title_of
from hermes_tui.store.sessions import ID_ALPHABET, ID_LENGTH

SOURCE = "import"
NO_RESULT = "No result was kept."
"""What the model reads about a call that nothing answered where it was imported from."""


class Taken(Struct, frozen=True):
    """What became of some messages."""

    sessions: dict[str, str]
    """The id here of each session, by its name there."""
    added: int
    known: int
    """Messages that were here already."""
    deleted: frozenset[str] = frozenset()
    """Ids of sessions that somebody deleted here; nothing was added to them."""
    answered: int = 0
    """Calls nothing answered, which are marked so."""
    orphans: int = 0
    """Results of no call, kept as text or left out."""


class _Session:
    """A session while messages are added to it."""

    def __init__(self, key: int, known: Counter[bytes], open_ids: list[str]) -> None:
        self.key = key
        self.known = known
        """What has not been met again yet of what was stored before."""
        self.open = open_ids
        """Ids of calls the last messages here leave unanswered."""

    def copy(self) -> "_Session":
        return _Session(self.key, Counter(self.known), list(self.open))

    def is_known(self, message: Message) -> bool:
        """Whether it is here; each that is counts once."""
        digest = _digest(to_row(storable(message)))
        if self.known[digest] <= 0:
            return False
        self.known[digest] -= 1
        return True


class Importer:
    """Takes messages in, each once, however often it comes.

    Providers refuse a history with calls nothing answers, or with results of no call: the
    first are answered with `NO_RESULT`, the others become text.
    """

    def __init__(self, database: Database, index: Index) -> None:
        self._database = database
        self._index = index
        self._sessions: dict[str, _Session] = {}
        """Those this run has met, by their name elsewhere."""

    async def take(self, said: Iterable[Said]) -> Taken:
        """Store messages in one transaction; those already there are passed over.

        A message is known by its session, its role and its content: the third "ok" of a
        session is taken in when there are two.

        Raises:
            StoreError: they cannot be written. None of them is stored then.
        """
        given = list(said)
        # An interrupted transaction must leave no trace here either.
        names = {one.session for one in given} & self._sessions.keys()
        met = {**self._sessions, **{name: self._sessions[name].copy() for name in names}}

        def work(connection: sqlite3.Connection) -> Taken:
            batch = _Batch(connection, met)
            for one in given:
                batch.take(one)
            self._index.add(connection, limit=len(given) + batch.answered)
            return batch.taken

        taken = await self._database.write(work)
        self._sessions = met
        return taken


class _Batch:
    """One transaction."""

    def __init__(self, connection: sqlite3.Connection, met: dict[str, _Session]) -> None:
        self._connection = connection
        self._met = met
        self._ids: dict[str, str] = {}
        self._deleted: set[str] = set()
        self._known = self._orphans = 0
        self.added = self.answered = 0

    @property
    def taken(self) -> Taken:
        return Taken(
            self._ids,
            self.added,
            self._known,
            frozenset(self._deleted),
            self.answered,
            self._orphans,
        )

    def take(self, said: Said) -> None:
        session_id = imported_id(said.session)
        if session_id in self._deleted:
            return
        if (session := self._met.get(said.session)) is None:
            key = _key(self._connection, session_id, said)
            if key is None:
                self._deleted.add(session_id)
                return
            open_ids = [call_id for call_id, _ in open_calls(self._connection, key)]
            session = _Session(key, _stored(self._connection, key), open_ids)
            self._met[said.session] = session
        self._ids[said.session] = session_id
        if session.is_known(said.message):
            self._known += 1
        elif said.message.role == "tool":
            self._take_results(session, said)
        else:
            self._answer_open(session, said)
            self._add(session, said, said.message)
            session.open = [call.id for call in said.message.tool_calls]

    def _take_results(self, session: _Session, said: Said) -> None:
        results = said.message.tool_results
        orphans = [one for one in results if one.call_id not in session.open]
        if not orphans:
            self._add(session, said, said.message)
        else:
            self._orphans += len(orphans)
            message = _without(said.message, orphans)
            if message is None or session.is_known(message):
                return
            self._add(session, said, message)
        for one in results:
            if one.call_id in session.open:
                session.open.remove(one.call_id)

    def _answer_open(self, session: _Session, said: Said) -> None:
        if not session.open:
            return
        results = tuple(ToolResult(call, NO_RESULT, is_error=True) for call in session.open)
        _add(self._connection, session.key, said.at, Message("tool", results))
        self.answered += len(results)

    def _add(self, session: _Session, said: Said, message: Message) -> None:
        _add(self._connection, session.key, said.at, message)
        self.added += 1


def _without(message: Message, orphans: Sequence[ToolResult]) -> Message | None:
    """A tool message without the results of no call; what it held alone becomes text."""
    if len(message.parts) == 1:
        text = orphans[0].content
        return Message("tool", (Text(text),)) if text.strip() else None
    parts = tuple(part for part in message.parts if part not in orphans)
    return Message("tool", parts) if parts else None


def imported_id(name: str) -> str:
    """The id of a session that has another name elsewhere; ids of Hermes stay as they are."""
    if len(name) == ID_LENGTH and set(name) <= set(ID_ALPHABET):
        return name
    digest = hashlib.sha256(storable_text(name).encode()).digest()
    return "".join(ID_ALPHABET[byte % 32] for byte in digest[:ID_LENGTH])


def _key(connection: sqlite3.Connection, session_id: str, said: Said) -> int | None:
    """The key of a session, made when it is new; None for one that somebody deleted here."""
    row = connection.execute(
        "SELECT key, deleted_at FROM sessions WHERE id = ?", (session_id,)
    ).fetchone()
    if row is not None:
        key, deleted_at = row
        return key if deleted_at is None else None
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
    return title_of(said.message.text)


def _stored(connection: sqlite3.Connection, key: int) -> Counter[bytes]:
    rows = connection.execute(
        "SELECT role, text, layout, search_text FROM messages WHERE session = ?", (key,)
    )
    return Counter(_digest(Row(*row)) for row in rows)


def _digest(row: Row) -> bytes:
    return hashlib.sha256("\0".join((row.role, row.text, row.layout or "")).encode()).digest()[:16]


def _add(connection: sqlite3.Connection, key: int, time: datetime | None, message: Message) -> None:
    message, at = storable(message), _at(time)
    insert(connection, key, at, message, calls_are="finished")
    connection.execute(
        "UPDATE sessions SET updated_at = max(updated_at, ?1), created_at = min(created_at, ?1), "
        "archived_at = NULL, message_count = message_count + 1 WHERE key = ?2",
        (at, key),
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
