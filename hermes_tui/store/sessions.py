"""Stored conversations: making, finding, naming and deleting them."""
# ruff: noqa: S608  statements are put together from constants of this package only

import hashlib
import os
import sqlite3
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct

from hermes_tui.core.errors import ConfigError, NotFoundError, StoreError
from hermes_tui.core.ports import Prefix
from hermes_tui.core.usage import Usage
from hermes_tui.store.database import DAY, Database, moment, now
from hermes_tui.store.indexes import remove_session
from hermes_tui.store.layout import storable, storable_text
from hermes_tui.store.usage import SUMS

ID_LENGTH = 8
ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32 in lower case: nothing in it is mistaken for something else."""
_READ_AS = str.maketrans("ilo", "110")
KEEP_DELETED_DAYS = 30
_CANDIDATES_SHOWN = 5

Which = Literal["listed", "archived", "all"]
_ALL = "deleted_at IS NULL AND message_count > 0"
_LISTED = f"{_ALL} AND archived_at IS NULL"
_WHICH: dict[Which, str] = {
    "listed": _LISTED,
    "archived": f"{_ALL} AND archived_at IS NOT NULL",
    "all": _ALL,
}
_COLUMNS = "id, title, cwd, model, environment, source, created_at, updated_at, message_count, key"


class SessionRecord(Struct, frozen=True):
    """A session as lists show it."""

    id: str
    title: str
    """Its first prompt, shortened, until somebody names it; empty before that."""
    cwd: str
    """The folder Hermes was started in, wherever commands run."""
    model: str
    environment: str
    source: str
    """The front end that began it: `screen`, `run`, …"""
    created_at: datetime
    updated_at: datetime
    """Both in UTC."""
    message_count: int
    usage: Usage
    """Sum over all model calls."""


class Sessions:
    """The sessions there are. A deleted one can be restored for 30 days."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, *, cwd: str, model: str, environment: str, source: str, title: str = ""
    ) -> SessionRecord:
        """Begin a session under a new id of eight characters."""
        texts = [storable_text(text) for text in (title, cwd, model, environment, source)]

        def work(connection: sqlite3.Connection) -> SessionRecord:
            at = now()
            while True:
                new_id = "".join(ID_ALPHABET[byte % 32] for byte in os.urandom(ID_LENGTH))
                made = connection.execute(
                    f"INSERT INTO sessions ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL) "
                    "ON CONFLICT (id) DO NOTHING",
                    (new_id, *texts, at, at),
                )
                if made.rowcount == 1:
                    return _records(connection, "id = ?", (new_id,))[0]

        return await self._database.write(work)

    async def get(self, id_or_prefix: str) -> SessionRecord:
        """The session with this id, or the only one whose id begins with it.

        Raises:
            NotFoundError: there is none, it is deleted, or there are several.
        """
        wanted = storable_text(id_or_prefix).strip().lower().translate(_READ_AS)

        def work(connection: sqlite3.Connection) -> SessionRecord:
            found = _records(
                connection,
                "deleted_at IS NULL AND id >= ? AND id < ? || '~'",
                (wanted, wanted),
                limit=_CANDIDATES_SHOWN + 1,
            )
            if len(found) == 1 and wanted:
                return found[0]
            if found and wanted:
                raise _ambiguous(id_or_prefix, found)
            raise _not_found(connection, id_or_prefix, wanted)

        return await self._database.read(work)

    async def latest(self, cwd: str | None = None) -> SessionRecord | None:
        """The session used last in which something was said, of those begun in `cwd` if given."""
        cwd = None if cwd is None else storable_text(cwd)

        def work(connection: sqlite3.Connection) -> SessionRecord | None:
            found = _records(connection, f"{_LISTED} AND (?1 IS NULL OR cwd = ?1)", (cwd,), limit=1)
            return found[0] if found else None

        return await self._database.read(work)

    async def newest(
        self, *, limit: int = 50, offset: int = 0, text: str = "", which: Which = "listed"
    ) -> list[SessionRecord]:
        """Sessions in which something was said, the last used first.

        None of them is deleted. `text` must occur in id, title, cwd or model.
        """
        escaped = storable_text(text).replace("^", "^^").replace("%", "^%").replace("_", "^_")
        return await self._database.read(
            lambda connection: _records(
                connection,
                f"{_WHICH[which]} AND "
                "(id || char(10) || title || char(10) || cwd || char(10) || model) "
                "LIKE ? ESCAPE '^'",
                (f"%{escaped}%",),
                limit=limit,
                offset=offset,
            )
        )

    async def rename(self, session_id: str, title: str) -> None:
        """Give a session another title; line breaks in it become blanks.

        Raises:
            NotFoundError: the session is not there.
            ConfigError: the title is empty.
        """
        title = " ".join(storable_text(title).split())
        if not title:
            raise ConfigError("The title is empty.", hint="Give at least one word.")
        await self._change(session_id, "title = ?", storable_text(title), deleted=False)

    async def move(self, session_id: str, *, cwd: str, model: str, environment: str) -> None:
        """Note that the session goes on in another place or with another model.

        Raises:
            NotFoundError: it is not there.
        """
        values = (storable_text(cwd), model, environment, session_id)

        def work(connection: sqlite3.Connection) -> None:
            changed = connection.execute(
                "UPDATE sessions SET cwd = ?, model = ?, environment = ? "
                "WHERE id = ? AND deleted_at IS NULL",
                values,
            )
            if changed.rowcount != 1:
                raise _not_found(connection, session_id, session_id)

        await self._database.write(work)

    async def delete(self, session_id: str) -> None:
        """Hide a session; `restore` brings it back for 30 days, then it is gone for good.

        Raises:
            NotFoundError: it is not there.
        """
        await self._change(session_id, "deleted_at = ?", now(), deleted=False)

    async def restore(self, id_or_prefix: str) -> str:
        """Bring a deleted or archived session back; returns its id.

        Raises:
            NotFoundError: no such session is deleted or archived, or it is gone for good, or
                several ids begin so.
        """
        wanted = storable_text(id_or_prefix).strip().lower().translate(_READ_AS)

        def work(connection: sqlite3.Connection) -> str:
            found = _records(
                connection,
                "(deleted_at IS NOT NULL OR archived_at IS NOT NULL) AND id >= ? AND id < ? || '~'",
                (wanted, wanted),
                limit=_CANDIDATES_SHOWN + 1,
            )
            if len(found) > 1 and wanted:
                raise _ambiguous(id_or_prefix, found)
            session_id = found[0].id if found and wanted else wanted
            unarchived = connection.execute(
                "UPDATE sessions SET archived_at = NULL, updated_at = ? "
                "WHERE id = ? AND archived_at IS NOT NULL AND deleted_at IS NULL",
                (now(), session_id),
            )
            if unarchived.rowcount != 1:
                _update(connection, session_id, "deleted_at = ?", None, deleted=True)
            return session_id

        return await self._database.write(work)

    async def prefix(self, session_id: str) -> Prefix | None:
        """What every request of the session begins with, once `set_prefix` has kept it."""

        def work(connection: sqlite3.Connection) -> Any:
            return connection.execute(
                "SELECT body FROM sessions JOIN prefixes ON sha256 = prefix WHERE id = ?",
                (session_id,),
            ).fetchone()

        row = await self._database.read(work)
        return msgspec.json.decode(row[0], type=Prefix) if row else None

    async def set_prefix(self, session_id: str, prefix: Prefix) -> None:
        """Keep a session's prefix; sessions with equal ones share a row.

        Raises:
            NotFoundError: the session is not there.
        """
        body = msgspec.json.encode(storable(prefix))
        digest = hashlib.sha256(body).hexdigest()

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO prefixes VALUES (?, ?) ON CONFLICT DO NOTHING", (digest, body.decode())
            )
            _update(connection, session_id, "prefix = ?", digest, deleted=False)

        await self._database.write(work)

    async def _change(
        self, session_id: str, assignment: str, value: object, *, deleted: bool
    ) -> None:
        await self._database.write(
            lambda connection: _update(connection, session_id, assignment, value, deleted=deleted)
        )


def purge(connection: sqlite3.Connection) -> None:
    """Remove for good what was deleted, or begun and never used, more than 30 days ago."""
    before = now() - KEEP_DELETED_DAYS * DAY
    keys = connection.execute(
        "SELECT key FROM sessions WHERE deleted_at < ?1 OR (message_count = 0 AND updated_at < ?1)",
        (before,),
    ).fetchall()
    for (key,) in keys:
        remove_session(connection, key)
        connection.execute("DELETE FROM sessions WHERE key = ?", (key,))
    if keys:
        connection.execute(
            "DELETE FROM prefixes WHERE sha256 NOT IN "
            "(SELECT prefix FROM sessions WHERE prefix IS NOT NULL)"
        )


def session_key(connection: sqlite3.Connection, session_id: str) -> int:
    """The key rows of a session refer to.

    Raises:
        StoreError: the session is gone.
    """
    row = connection.execute("SELECT key FROM sessions WHERE id = ?", (session_id,)).fetchone()
    if row is None:
        raise StoreError(
            f"Session {session_id!r} is no longer stored.", hint="Start a new session."
        )
    return row[0]


def _records(
    connection: sqlite3.Connection,
    condition: str,
    parameters: Iterable[object],
    *,
    limit: int = -1,
    offset: int = 0,
) -> list[SessionRecord]:
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM sessions WHERE {condition} "
        f"ORDER BY updated_at DESC, key DESC LIMIT {limit:d} OFFSET {offset:d}",
        tuple(parameters),
    ).fetchall()
    return [_record(connection, row) for row in rows]


def _record(connection: sqlite3.Connection, row: tuple[Any, ...]) -> SessionRecord:
    session_id, title, cwd, model, environment, source, created_at, updated_at, count, key = row
    sums = connection.execute(f"SELECT {SUMS} FROM usage WHERE session = ?", (key,)).fetchone()
    return SessionRecord(
        id=session_id,
        title=title,
        cwd=cwd,
        model=model,
        environment=environment,
        source=source,
        created_at=moment(created_at),
        updated_at=moment(updated_at),
        message_count=count,
        usage=Usage(*sums),
    )


def _update(
    connection: sqlite3.Connection,
    session_id: str,
    assignment: str,
    value: object,
    *,
    deleted: bool,
) -> None:
    state = "NOT NULL" if deleted else "NULL"
    changed = connection.execute(
        f"UPDATE sessions SET {assignment} WHERE id = ? AND deleted_at IS {state}",
        (value, session_id),
    )
    if changed.rowcount == 1:
        return
    if deleted:
        raise NotFoundError(
            f"There is no deleted session {session_id!r}.",
            hint=f"Deleted sessions are kept for {KEEP_DELETED_DAYS} days; check the id.",
        )
    raise _not_found(connection, session_id, session_id)


def _not_found(connection: sqlite3.Connection, shown: str, wanted: str) -> NotFoundError:
    deleted = connection.execute(
        "SELECT 1 FROM sessions WHERE id = ? AND deleted_at IS NOT NULL", (wanted,)
    ).fetchone()
    if deleted:
        return NotFoundError(f"Session {shown!r} was deleted.", hint="Restore it first.")
    return NotFoundError(
        f"There is no session {shown!r}.", hint="List them with `hermes sessions list`."
    )


def _ambiguous(shown: str, found: list[SessionRecord]) -> NotFoundError:
    listed = ", ".join(
        f"{record.id} ({record.title})" if record.title else record.id
        for record in found[:_CANDIDATES_SHOWN]
    )
    more = ", …" if len(found) > _CANDIDATES_SHOWN else ""
    return NotFoundError(
        f"Several sessions begin with {shown!r}: {listed}{more}.",
        hint="Give more characters of the id.",
    )
