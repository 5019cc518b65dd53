"""The full-text index, of the best kind this SQLite has.

FTS5, else FTS4 ranked with `sqlite-fts4`, else no index and LIKE. FTS5 and FTS4 keep no copy
of the text: they index the view `message_bodies`. Whatever is older than an index's newest
entry is in it, so rows written by a Hermes whose SQLite lacks that kind are added later.
"""
# ruff: noqa: S608  statements are put together from constants of this package only

import math
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Literal, Protocol, cast

from msgspec import Struct

from hermes_tui.core.errors import StoreError
from hermes_tui.store.excerpts import Matcher
from hermes_tui.store.terms import Term
from hermes_tui.store.words import root

IndexKind = Literal["fts5", "fts4", "like"]

TOOL_WEIGHT = 0.5
"""What a match in tool output counts, next to one in what people and models wrote."""
LIKE_SCANS = 20_000
"""How many messages a search without an index reads, the newest first."""


class Filter(Struct, frozen=True):
    """Which messages count: SQL over `messages m` and `sessions s`, within a range of ids."""

    condition: str
    parameters: tuple[object, ...]
    first_id: int = 0
    last_id: int = 2**62


class Ranking(Struct, frozen=True):
    """The outcome of a look-up."""

    best: tuple[int, ...]
    """Ids of messages, the best first."""
    total: int
    """How many matched among those looked at."""
    is_capped: bool
    """There are older messages that were not looked at."""


class Index(Protocol):
    """Finds messages by their words; every method runs within the caller's transaction."""

    @property
    def kind(self) -> IndexKind: ...

    def add(self, connection: sqlite3.Connection, *, limit: int) -> None:
        """Take up at most `limit` messages that are not in the index yet, oldest first."""
        ...

    def is_behind(self, connection: sqlite3.Connection) -> bool: ...

    def find(
        self, connection: sqlite3.Connection, terms: tuple[Term, ...], within: Filter, *, limit: int
    ) -> Ranking: ...


class _Fts(Struct, frozen=True):
    """What sets one kind of full-text index apart."""

    kind: IndexKind
    table: str
    options: str
    score: str
    """SQL of what `rate` reads; lower is better once rated."""
    rate: Callable[[Any], float]
    newest: int
    """How many matches are ranked, the newest; ranking costs time for each."""


def _rate_fts4(match: bytes) -> float:
    import sqlite_fts4  # needed only where there is no FTS5

    return cast("Any", sqlite_fts4).rank_bm25(match)


_KINDS = (
    _Fts(
        kind="fts5",
        table="messages_fts5",
        # Beginnings of three letters make `con*` fast for a fifth of the index's size.
        options="body, content='message_bodies', content_rowid='rowid', prefix='3', "
        "tokenize='porter unicode61 remove_diacritics 2'",
        score="bm25(messages_fts5)",
        rate=float,
        newest=2000,
    ),
    _Fts(
        kind="fts4",
        table="messages_fts4",
        options="body, content='message_bodies', prefix='3', tokenize=porter",
        score="matchinfo(messages_fts4, 'pcnalx')",
        rate=_rate_fts4,
        newest=1000,
    ),
)


def open_index(connection: sqlite3.Connection, wanted: IndexKind | Literal["auto"]) -> Index:
    """The index of the kind wanted, created where it is missing; "auto": the best there is.

    Raises:
        StoreError: this SQLite has no such kind.
    """
    for fts in _KINDS:
        if wanted not in ("auto", fts.kind):
            continue
        try:
            connection.execute(
                f"CREATE VIRTUAL TABLE IF NOT EXISTS {fts.table} USING {fts.kind}({fts.options})"
            )
            connection.execute(f"SELECT 1 FROM {fts.table} LIMIT 0")
        except sqlite3.OperationalError as error:
            if "no such module" not in str(error):
                raise
            if wanted == fts.kind:
                raise StoreError(
                    f"This Python's SQLite has no {fts.kind.upper()}.",
                    hint='Use fts="auto" to search with what there is.',
                ) from error
        else:
            return _FullText(fts)
    return _Like()


def remove_session(connection: sqlite3.Connection, key: int) -> None:
    """Take a session's messages out of every index this SQLite can open.

    To be called while they still exist: the index reads from them what to forget.
    """
    for fts in _KINDS:
        try:
            connection.execute(
                f"DELETE FROM {fts.table} WHERE rowid IN (SELECT id FROM messages "
                f"WHERE session = ? AND id <= (SELECT max(rowid) FROM {fts.table}_docsize))",
                (key,),
            )
        except sqlite3.OperationalError as error:
            if not str(error).startswith(("no such table", "no such module")):
                raise


class _FullText:
    """FTS5 or FTS4."""

    def __init__(self, fts: _Fts) -> None:
        self._fts = fts
        self._newest = f"(SELECT coalesce(max(rowid), 0) FROM {fts.table}_docsize)"

    @property
    def kind(self) -> IndexKind:
        return self._fts.kind

    def add(self, connection: sqlite3.Connection, *, limit: int) -> None:
        connection.execute(
            f"INSERT INTO {self._fts.table} (rowid, body) SELECT rowid, body FROM message_bodies "
            f"WHERE rowid > {self._newest} ORDER BY rowid LIMIT ?",
            (limit,),
        )

    def is_behind(self, connection: sqlite3.Connection) -> bool:
        statement = f"SELECT coalesce(max(id), 0) > {self._newest} FROM messages"
        return bool(connection.execute(statement).fetchone()[0])

    def find(
        self, connection: sqlite3.Connection, terms: tuple[Term, ...], within: Filter, *, limit: int
    ) -> Ranking:
        table = self._fts.table
        # CROSS JOIN keeps the index outermost, so that its rows come newest first unsorted
        # and the score is worked out for no more of them than are read.
        rows = connection.execute(
            f"SELECT m.id, m.role, {self._fts.score} FROM {table} "
            f"CROSS JOIN messages m ON m.id = {table}.rowid "
            "CROSS JOIN sessions s ON s.key = m.session "
            f"WHERE {table} MATCH ? AND {table}.rowid BETWEEN ? AND ? AND {within.condition} "
            f"ORDER BY {table}.rowid DESC LIMIT ?",
            (
                " OR ".join(self._expression(term) for term in terms),
                within.first_id,
                within.last_id,
                *within.parameters,
                self._fts.newest + 1,
            ),
        ).fetchall()
        is_capped = len(rows) > self._fts.newest
        rate = self._fts.rate
        scored = [
            (rate(score) * (TOOL_WEIGHT if role == "tool" else 1), -message)
            for message, role, score in rows[: self._fts.newest]
        ]
        scored.sort()
        return Ranking(tuple(-message for _, message in scored[:limit]), len(scored), is_capped)

    def _expression(self, term: Term) -> str:
        quoted = term.quoted_for_index
        if not term.is_prefix:
            return quoted
        # FTS5 has the star after the quotes, FTS4 after the word within them.
        return f"{quoted}*" if self.kind == "fts5" else f'{quoted[:-1]}*"'


class _Like:
    """No index: the newest messages are read and compared."""

    kind: IndexKind = "like"

    def add(self, connection: sqlite3.Connection, *, limit: int) -> None:
        pass

    def is_behind(self, connection: sqlite3.Connection) -> bool:
        return False

    def find(
        self, connection: sqlite3.Connection, terms: tuple[Term, ...], within: Filter, *, limit: int
    ) -> Ranking:
        source = "FROM messages m JOIN sessions s ON s.key = m.session"
        condition = f"m.id BETWEEN ? AND ? AND {within.condition}"
        parameters = (within.first_id, within.last_id, *within.parameters)
        (looked_at,) = connection.execute(
            f"SELECT count(*) FROM (SELECT 1 {source} WHERE {condition} LIMIT ?)",
            (*parameters, LIKE_SCANS + 1),
        ).fetchone()
        patterns = [_like_pattern(term) for term in terms]
        anything = " OR ".join("body LIKE ?" for _ in patterns)
        rows = connection.execute(
            f"SELECT id, role, body FROM (SELECT m.id, m.role, b.body {source} "
            f"JOIN message_bodies b ON b.rowid = m.id WHERE {condition} "
            f"ORDER BY m.id DESC LIMIT ?) WHERE {anything}",
            (*parameters, LIKE_SCANS, *patterns),
        )
        matches = _count_terms(rows, Matcher(terms))
        best = _ranked(matches, looked_at)
        return Ranking(tuple(best[:limit]), len(best), looked_at > LIKE_SCANS)


class _Match(Struct, frozen=True):
    """How often each term occurs in one message."""

    message: int
    weight: float
    length: int
    counts: Counter[Term]


def _like_pattern(term: Term) -> str:
    """A pattern every text with `term` fits; `Matcher` then looks closer."""
    return f"%{'%'.join(root(word) for word in term.words)}%"


def _count_terms(rows: Iterable[tuple[int, str, str]], matcher: Matcher) -> list[_Match]:
    matches: list[_Match] = []
    for message, role, body in rows:
        counts = Counter(term for _, _, term in matcher.matches(body))
        if counts:
            weight = TOOL_WEIGHT if role == "tool" else 1.0
            matches.append(_Match(message, weight, len(body), counts))
    return matches


def _ranked(matches: list[_Match], looked_at: int) -> list[int]:
    """Ids by Okapi BM25 (k1 = 1.2, b = 0.75) over what was read, newest first on a tie."""
    frequency = Counter(term for match in matches for term in match.counts)
    average = sum(match.length for match in matches) / max(len(matches), 1)

    def score(match: _Match) -> float:
        longer = 0.25 + 0.75 * match.length / average
        return match.weight * sum(
            math.log(1 + (looked_at - frequency[term] + 0.5) / (frequency[term] + 0.5))
            * (count * 2.2 / (count + 1.2 * longer))
            for term, count in match.counts.items()
        )

    ordered = sorted((-score(match), -match.message) for match in matches)
    return [-message for _, message in ordered]
