"""Finding what was said."""

import sqlite3
from datetime import datetime
from typing import cast

from msgspec import Struct

from hermes_tui.core.messages import Role
from hermes_tui.store.database import DAY, Database, moment, stamp
from hermes_tui.store.excerpts import Matcher
from hermes_tui.store.indexes import Filter, Index, Ranking
from hermes_tui.store.layout import storable_text
from hermes_tui.store.messages import IDS_PER_BLOCK
from hermes_tui.store.terms import Terms, parse

CATCH_UP_MESSAGES = 5000
"""How many messages an index that fell behind takes up in one transaction, about 0.3 s."""


class Hit(Struct, frozen=True):
    """A message that matches."""

    session_id: str
    session_title: str
    message_id: int
    role: Role
    at: datetime
    excerpt: str
    """Up to 240 characters on one line around the first match, matches between « and ».
    Untrusted text."""


class SearchResults(Struct, frozen=True):
    """What a search found, and what it looked for and where."""

    hits: tuple[Hit, ...]
    """The best first."""
    total: int
    """How many messages match, as far as looked at."""
    is_capped: bool
    """Only the newest matches were looked at; there may be older ones."""
    sessions_searched: int
    terms: tuple[str, ...]
    """What was looked for, any of it; empty when the query holds no letter or digit."""
    dropped: tuple[str, ...]
    """Words too common to look for."""


class Search:
    """Searches the messages of every session that is not deleted."""

    def __init__(self, database: Database, index: Index) -> None:
        self._database = database
        self._index = index

    async def find(
        self,
        query: str,
        *,
        limit: int = 20,
        role: Role | None = None,
        after: datetime | None = None,
        before: datetime | None = None,
        session: str | None = None,
        cwd: str | None = None,
    ) -> SearchResults:
        """Messages with any word of `query`, ranked by BM25 among the newest matches.

        Whatever is typed is searched for. "Quoted words" must stand together, `word*` may go
        on, common words are left out unless there are no others. `after` is inclusive and
        `before` exclusive; both are timezone-aware. `session` is a full id.

        Raises:
            StoreError: the file cannot be read or is damaged.
        """
        while await self._database.read(self._index.is_behind):
            await self._database.write(
                lambda connection: self._index.add(connection, limit=CATCH_UP_MESSAGES)
            )
        places = _Places(
            role=role,
            after=after,
            before=before,
            session=None if session is None else storable_text(session),
            cwd=None if cwd is None else storable_text(cwd),
        )
        terms = parse(storable_text(query))
        return await self._database.read(
            lambda connection: self._find(connection, terms, places, limit)
        )

    def _find(
        self, connection: sqlite3.Connection, terms: Terms, places: "_Places", limit: int
    ) -> SearchResults:
        ranking = self._rank(connection, terms, places, limit)
        if not ranking.total and (loosened := terms.loosened) is not None:
            terms = loosened
            ranking = self._rank(connection, terms, places, limit)
        return SearchResults(
            hits=_hits(connection, ranking.best, Matcher(terms.kept)),
            total=ranking.total,
            is_capped=ranking.is_capped,
            sessions_searched=places.count_sessions(connection),
            terms=tuple(str(term) for term in terms.kept),
            dropped=terms.dropped,
        )

    def _rank(
        self, connection: sqlite3.Connection, terms: Terms, places: "_Places", limit: int
    ) -> Ranking:
        within = places.filter(connection)
        if not terms.kept or within is None:
            return Ranking((), 0, is_capped=False)
        return self._index.find(connection, terms.kept, within, limit=limit)


class _Places(Struct, frozen=True, kw_only=True):
    """Where to search."""

    role: Role | None
    after: datetime | None
    before: datetime | None
    session: str | None
    cwd: str | None

    def filter(self, connection: sqlite3.Connection) -> Filter | None:
        """The SQL for it; None when no message can be there."""
        conditions = ["s.deleted_at IS NULL"]
        parameters: list[object] = []
        for condition, value in (
            ("m.role = ?", self.role),
            ("s.id = ?", self.session),
            ("s.cwd = ?", self.cwd),
            ("m.at >= ?", stamp(self.after) if self.after else None),
            ("m.at < ?", stamp(self.before) if self.before else None),
        ):
            if value is not None:
                conditions.append(condition)
                parameters.append(value)
        first, last = self._range(connection)
        if first is None or last is None:
            return None
        return Filter(" AND ".join(conditions), tuple(parameters), first, last)

    def _range(self, connection: sqlite3.Connection) -> tuple[int | None, int | None]:
        """The ids to look at: the index then skips the rest without reading their rows."""
        if self.session is not None:
            return connection.execute(
                "SELECT min(id), max(id) FROM messages "
                "WHERE session = (SELECT key FROM sessions WHERE id = ?)",
                (self.session,),
            ).fetchone()
        return connection.execute(
            "SELECT min(block) * ?1, (max(block) + 1) * ?1 - 1 FROM days "
            "WHERE (?2 IS NULL OR day >= ?2) AND (?3 IS NULL OR day <= ?3)",
            (
                IDS_PER_BLOCK,
                stamp(self.after) // DAY if self.after else None,
                stamp(self.before) // DAY if self.before else None,
            ),
        ).fetchone()

    def count_sessions(self, connection: sqlite3.Connection) -> int:
        (count,) = connection.execute(
            "SELECT count(*) FROM sessions WHERE deleted_at IS NULL "
            "AND (?1 IS NULL OR id = ?1) AND (?2 IS NULL OR cwd = ?2)",
            (self.session, self.cwd),
        ).fetchone()
        return cast("int", count)


def _hits(
    connection: sqlite3.Connection, messages: tuple[int, ...], matcher: Matcher
) -> tuple[Hit, ...]:
    hits: list[Hit] = []
    for message in messages:
        session_id, title, role, at, text = connection.execute(
            """
            SELECT s.id, s.title, m.role, m.at,
                   CASE WHEN m.search_text IS NULL THEN b.body ELSE m.text END
            FROM messages m JOIN sessions s ON s.key = m.session
            JOIN message_bodies b ON b.rowid = m.id WHERE m.id = ?
            """,
            (message,),
        ).fetchone()
        hits.append(Hit(session_id, title, message, role, moment(at), matcher.excerpt(text)))
    return tuple(hits)
