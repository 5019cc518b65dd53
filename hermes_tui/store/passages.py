"""Reading what a search found: messages with their neighbours, sessions, pages of them."""
# ruff: noqa: S608  statements are put together from constants of this package only

import sqlite3
from collections.abc import Iterable

from msgspec import structs

from hermes_tui.core.errors import NotFoundError
from hermes_tui.core.messages import Role
from hermes_tui.store.database import moment, stamp
from hermes_tui.store.excerpts import Matcher
from hermes_tui.store.places import Places
from hermes_tui.store.results import FoundSession, Hit, Line, Neighbour, Passage
from hermes_tui.store.words import one_line

HIT_CHARS = 2000
NEIGHBOUR_CHARS = 160
ABOUT_CHARS = 240
_PROMPTS_SHOWN = 3
SEARCH_TOOL = "session_search"

_NEXT_TO = (
    "SELECT max(id) FROM messages WHERE session = ?1 AND id < ?2",
    "SELECT min(id) FROM messages WHERE session = ?1 AND id > ?2",
)
_LINES = "SELECT id, role, at, text FROM messages"


def neighbours(
    connection: sqlite3.Connection, messages: Iterable[int]
) -> dict[int, tuple[int, ...]]:
    """The messages before and after each in its session, as far as there are any."""
    found: dict[int, tuple[int, ...]] = {}
    for message in messages:
        row = connection.execute(
            "SELECT (SELECT max(id) FROM messages WHERE session = m.session AND id < m.id), "
            "(SELECT min(id) FROM messages WHERE session = m.session AND id > m.id) "
            "FROM messages m WHERE id = ?",
            (message,),
        ).fetchone()
        found[message] = tuple(one for one in row if one is not None)
    return found


def quoting_searches(connection: sqlite3.Connection, messages: Iterable[int]) -> set[int]:
    """Those messages that call `session_search`, or bring its results."""
    return {
        message
        for message in messages
        if connection.execute(
            "SELECT 1 FROM tool_calls WHERE name = ?2 AND message = "
            "(SELECT CASE m.role WHEN 'assistant' THEN m.id WHEN 'tool' THEN "
            " (SELECT id FROM messages WHERE session = m.session AND id < m.id "
            "  AND role = 'assistant' ORDER BY id DESC LIMIT 1) END "
            " FROM messages m WHERE m.id = ?1)",
            (message, SEARCH_TOOL),
        ).fetchone()
    }


class Hits:
    """Reads what is shown of messages and sessions, each message once."""

    def __init__(
        self, connection: sqlite3.Connection, matcher: Matcher, *, are_nearest: bool = False
    ) -> None:
        self._connection = connection
        self._are_nearest = are_nearest
        self._matcher = matcher
        self._hits: dict[int, Hit] = {}

    def hit(self, message: int) -> Hit:
        if message in self._hits:
            return self._hits[message]
        key, session_id, title, role, at, text = self._connection.execute(
            """
            SELECT s.key, s.id, s.title, m.role, m.at,
                   CASE WHEN m.search_text IS NULL THEN b.body ELSE m.text END
            FROM messages m JOIN sessions s ON s.key = m.session
            JOIN message_bodies b ON b.rowid = m.id WHERE m.id = ?
            """,
            (message,),
        ).fetchone()
        (place,) = self._connection.execute(
            "SELECT count(*) FROM messages WHERE session = ? AND id <= ?", (key, message)
        ).fetchone()
        before, after = (self._neighbour(key, message, statement) for statement in _NEXT_TO)
        hit = Hit(
            session_id=session_id,
            session_title=title,
            message_id=message,
            role=role,
            at=moment(at),
            excerpt=self._matcher.excerpt(text),
            before=before,
            after=after,
            place=place,
            text=text[:HIT_CHARS],
            is_nearest=self._are_nearest,
        )
        self._hits[message] = hit
        return hit

    def session(
        self, key: int, messages: Iterable[int], *, by_meaning: bool = False
    ) -> FoundSession:
        found = _found_session(self._connection, key)
        return structs.replace(found, hits=tuple(map(self.hit, messages)), by_meaning=by_meaning)

    def _neighbour(self, session: int, message: int, statement: str) -> Neighbour | None:
        row: tuple[int, Role, str] | None = self._connection.execute(
            f"SELECT id, role, substr(text, 1, {4 * NEIGHBOUR_CHARS}) FROM messages "
            f"WHERE id = ({statement})",
            (session, message),
        ).fetchone()
        if row is None:
            return None
        return Neighbour(row[0], row[1], one_line(row[2], NEIGHBOUR_CHARS))


def sessions_of_time(
    connection: sqlite3.Connection, places: Places, *, limit: int
) -> tuple[FoundSession, ...]:
    """Sessions in which something was said then, the last used first."""
    within = places.sessions(connection)
    said = ["m.session = s.key"]
    parameters = list(within.row_parameters)
    if within.of_rows:
        said.append(within.of_rows)
    for condition, value in (
        ("m.role = ?", places.role),
        ("m.at >= ?", stamp(places.after) if places.after else None),
        ("m.at < ?", stamp(places.before) if places.before else None),
    ):
        if value is not None:
            said.append(condition)
            parameters.append(value)
    rows = connection.execute(
        f"SELECT s.key FROM sessions s WHERE {within.of_sessions} "
        f"AND EXISTS (SELECT 1 FROM messages m WHERE {' AND '.join(said)}) "
        "ORDER BY s.updated_at DESC, s.key DESC LIMIT ?",
        (*within.session_parameters, *parameters, limit),
    ).fetchall()
    return tuple(_found_session(connection, key) for (key,) in rows)


def _found_session(connection: sqlite3.Connection, key: int) -> FoundSession:
    session_id, title, cwd, created_at, updated_at, count, summary = connection.execute(
        "SELECT s.id, title, cwd, created_at, updated_at, message_count, substr(u.text, 1, ?1) "
        "FROM sessions s LEFT JOIN summaries u ON u.session = s.key WHERE s.key = ?2",
        (4 * ABOUT_CHARS, key),
    ).fetchone()
    return FoundSession(
        id=session_id,
        title=title,
        cwd=cwd,
        created_at=moment(created_at),
        updated_at=moment(updated_at),
        message_count=count,
        about=one_line(summary or _first_prompts(connection, key), ABOUT_CHARS),
    )


def _first_prompts(connection: sqlite3.Connection, key: int) -> str:
    rows = connection.execute(
        "SELECT substr(text, 1, ?) FROM messages WHERE session = ? AND role = 'user' "
        "ORDER BY id LIMIT ?",
        (ABOUT_CHARS, key, _PROMPTS_SHOWN),
    )
    return " · ".join(text for (text,) in rows)


def around(connection: sqlite3.Connection, message: int, *, size: int) -> Passage:
    """A message with up to `size` before and after it.

    Raises:
        NotFoundError: it is not there, or its session is deleted.
    """
    row = connection.execute(
        "SELECT session FROM messages m JOIN sessions s ON s.key = m.session "
        "WHERE m.id = ? AND deleted_at IS NULL",
        (message,),
    ).fetchone()
    if row is None:
        raise NotFoundError(
            f"There is no message {message}.", hint="Search for it; hits have ids such as #12."
        )
    (key,) = row
    before = connection.execute(
        f"{_LINES} WHERE session = ? AND id < ? ORDER BY id DESC LIMIT ?", (key, message, size)
    ).fetchall()
    after = connection.execute(
        f"{_LINES} WHERE session = ? AND id >= ? ORDER BY id LIMIT ?", (key, message, size + 1)
    ).fetchall()
    lines = tuple(_line(*one) for one in (*reversed(before), *after))
    (first,) = connection.execute(
        "SELECT count(*) FROM messages WHERE session = ? AND id <= ?", (key, lines[0].message_id)
    ).fetchone()
    return Passage(_found_session(connection, key), lines, first, first + len(lines) - 1)


def page(connection: sqlite3.Connection, session: str, number: int, *, chars: int) -> Passage:
    """The `number`th page of a session, counted from 1; each has about `chars` characters.

    Raises:
        NotFoundError: there is no such session, or it has fewer pages.
    """
    row = connection.execute(
        "SELECT key FROM sessions WHERE id = ? AND deleted_at IS NULL", (session,)
    ).fetchone()
    if row is None:
        raise NotFoundError(
            f"There is no session {session!r}.", hint="Search or browse; results have session ids."
        )
    (key,) = row
    pages: list[list[tuple[int, int]]] = [[]]
    filled = 0
    for place, (message, length) in enumerate(
        connection.execute(
            "SELECT id, min(length(text), ?) FROM messages WHERE session = ? ORDER BY id",
            (chars // 4, key),
        ),
        start=1,
    ):
        if pages[-1] and filled + length > chars:
            pages.append([])
            filled = 0
        pages[-1].append((message, place))
        filled += length
    if not 1 <= number <= len(pages) or not pages[number - 1]:
        raise NotFoundError(
            f"Session {session!r} has {len(pages)} page{'s' if len(pages) > 1 else ''}.",
            hint="Pass one of them.",
        )
    wanted = pages[number - 1]
    rows = connection.execute(
        f"{_LINES} WHERE session = ? AND id BETWEEN ? AND ? ORDER BY id",
        (key, wanted[0][0], wanted[-1][0]),
    )
    return Passage(
        _found_session(connection, key),
        tuple(_line(*one) for one in rows),
        first=wanted[0][1],
        last=wanted[-1][1],
        next_page=number + 1 if number < len(pages) else None,
    )


def _line(message: int, role: Role, at: int, text: str) -> Line:
    return Line(message, role, moment(at), text)
