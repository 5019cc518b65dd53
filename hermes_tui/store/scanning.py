"""Search where SQLite has no full-text index: the newest rows are read and compared."""
# ruff: noqa: S608  statements are put together from constants of this package only

import math
import sqlite3
from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from hermes_tui.store.excerpts import Matcher
from hermes_tui.store.indexes import (
    TOOL_WEIGHT,
    Corpus,
    Filter,
    IndexKind,
    Lookup,
    Match,
    interrupted_at,
    is_interruption,
)
from hermes_tui.store.terms import Term
from hermes_tui.store.words import root

LIKE_SCANS = 20_000
"""How many rows a search without an index reads, the newest first."""


class Scan:
    """No index: `LIKE`, then a closer look."""

    kind: IndexKind = "like"

    def add(self, connection: sqlite3.Connection, *, limit: int) -> None:
        pass

    def is_behind(self, connection: sqlite3.Connection) -> bool:
        return False

    def rebuild(self, connection: sqlite3.Connection) -> None:
        pass

    def find(
        self,
        connection: sqlite3.Connection,
        corpus: Corpus,
        terms: tuple[Term, ...],
        within: Filter,
        *,
        deadline: float,
    ) -> Lookup:
        source = f"FROM {corpus.rows} m JOIN sessions s ON s.key = m.session"
        condition = f"m.id BETWEEN ? AND ? AND {within.condition}"
        parameters = (within.first_id, within.last_id, *within.parameters)
        (looked_at,) = connection.execute(
            f"SELECT count(*) FROM (SELECT 1 {source} WHERE {condition} LIMIT ?)",
            (*parameters, LIKE_SCANS + 1),
        ).fetchone()
        patterns = [_like_pattern(term) for term in terms]
        anything = " OR ".join("body LIKE ?" for _ in patterns)
        matched: list[_Counted] = []
        is_partial = False
        try:
            with interrupted_at(connection, deadline):
                rows = connection.execute(
                    f"SELECT id, session, role, body FROM (SELECT m.id, m.session, "
                    f"{corpus.role} AS role, b.body {source} "
                    f"JOIN {corpus.bodies} b ON b.rowid = m.id WHERE {condition} "
                    f"ORDER BY m.id DESC LIMIT ?) WHERE {anything}",
                    (*parameters, LIKE_SCANS, *patterns),
                )
                _count_terms(rows, Matcher(terms), matched)
        except sqlite3.OperationalError as error:
            if not is_interruption(error):
                raise
            is_partial = True
        return Lookup(
            _rated(matched, terms, looked_at),
            total=len(matched),
            is_capped=looked_at > LIKE_SCANS,
            is_partial=is_partial,
        )


class _Counted(Struct, frozen=True):
    """How often each term occurs in one row."""

    row: int
    session: int
    weight: float
    length: int
    counts: Counter[Term]


def _like_pattern(term: Term) -> str:
    """A pattern every text with `term` fits; `Matcher` then looks closer."""
    return f"%{'%'.join(root(word) for word in term.words)}%"


def _count_terms(
    rows: Iterable[tuple[int, int, str, str]], matcher: Matcher, matched: list[_Counted]
) -> None:
    for row, session, role, body in rows:
        counts = Counter(term for _, _, term in matcher.matches(body))
        if counts:
            weight = TOOL_WEIGHT if role == "tool" else 1.0
            matched.append(_Counted(row, session, weight, len(body), counts))


def _rated(matched: list[_Counted], terms: tuple[Term, ...], looked_at: int) -> dict[int, Match]:
    """Okapi BM25 (k1 = 1.2, b = 0.75) over what was read."""
    frequency = Counter(term for one in matched for term in one.counts)
    average = sum(one.length for one in matched) / max(len(matched), 1)
    places = {term: place for place, term in enumerate(terms)}

    def score(one: _Counted, term: Term) -> float:
        longer = 0.25 + 0.75 * one.length / average
        rarity = math.log(1 + (looked_at - frequency[term] + 0.5) / (frequency[term] + 0.5))
        return rarity * (one.counts[term] * 2.2 / (one.counts[term] + 1.2 * longer))

    found: dict[int, Match] = {}
    for one in matched:
        match = found[one.row] = Match(one.session, one.weight, {})
        for term in one.counts:
            match.add(places[term], score(one, term))
    return found
