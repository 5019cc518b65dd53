"""The full-text indexes of messages and of summaries, of the best kind this SQLite has.

FTS5, else FTS4 ranked with `sqlite-fts4`, else no index and LIKE. FTS5 and FTS4 keep no copy
of the text: they index the views `message_bodies` and `summary_bodies`. Whatever is older
than an index's newest entry is in it, so rows written by a Hermes whose SQLite lacks that
kind are added later.
"""
# ruff: noqa: S608  statements are put together from constants of this package only

import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from heapq import nlargest
from typing import Any, Literal, Protocol, cast

from msgspec import Struct

from hermes_tui.core.errors import StoreError
from hermes_tui.store.terms import Term

IndexKind = Literal["fts5", "fts4", "like"]

TOOL_WEIGHT = 0.5
"""What a match in tool output counts, next to one in what people and models wrote."""
BEST_ROWS = 300
"""How many matches are kept once all terms have been looked up."""
UNRATED = 0.01
"""What a match counts that there was no time to rate."""
PAGE_BYTES = 1000
"""Of the full-text index."""
UNRATED_MATCHES = 200
"""How many of those there are for each term, the newest."""
UNRATED_SECONDS = 0.05
"""How long all terms without rating may take together."""
_OPCODES_PER_CHECK = 2000


class Filter(Struct, frozen=True):
    """Which rows count: SQL over rows `m` and `sessions s`, within a range of ids.

    Either condition may be empty, which spares reading those rows.
    """

    of_rows: str = ""
    row_parameters: tuple[object, ...] = ()
    of_sessions: str = ""
    session_parameters: tuple[object, ...] = ()
    first_id: int = 0
    last_id: int = 2**62

    @property
    def condition(self) -> str:
        return " AND ".join(filter(None, (self.of_rows, self.of_sessions))) or "1"

    @property
    def parameters(self) -> tuple[object, ...]:
        return (*self.row_parameters, *self.session_parameters)


class Match(Struct):
    """A message or summary that has some of the terms."""

    session: int
    """The session's key."""
    weight: float
    """What its scores count, by who wrote it."""
    scores: dict[int, float]
    """How well each term matches, by its place among the terms; more is better."""
    score: float = 0.0
    """Their sum, weighted."""

    def add(self, place: int, score: float) -> None:
        """Note how well a term matches."""
        self.scores[place] = score
        self.score += self.weight * score


class Lookup(Struct):
    """The outcome of looking terms up."""

    matches: dict[int, Match]
    """The best, by id of the message or summary."""
    total: int = 0
    """How many rows match, of those looked at."""
    is_capped: bool = False
    """There are older rows that were not looked at."""
    is_partial: bool = False
    """Time ran out: some matches are not rated, or missing."""


class Corpus(Struct, frozen=True):
    """What is indexed."""

    rows: str
    """A table with `id` and `session`."""
    bodies: str
    """The view of what the index sees: (rowid, body)."""
    role: str
    """SQL of who wrote a row `m`."""
    share: int
    """How many times the usual number of matches are rated."""


MESSAGES = Corpus("messages", "message_bodies", "m.role", 1)
SUMMARIES = Corpus("summaries", "summary_bodies", "'summary'", 10)
CORPORA = (MESSAGES, SUMMARIES)


class Index(Protocol):
    """Finds rows by their words; every method runs within the caller's transaction."""

    @property
    def kind(self) -> IndexKind: ...

    def add(self, connection: sqlite3.Connection, *, limit: int) -> None:
        """Take up at most `limit` messages that are not in the index yet, oldest first.

        Summaries likewise. An index found damaged is begun anew.
        """
        ...

    def is_behind(self, connection: sqlite3.Connection) -> bool: ...

    def rebuild(self, connection: sqlite3.Connection) -> None:
        """Forget everything indexed; `add` takes it up again."""
        ...

    def find(
        self,
        connection: sqlite3.Connection,
        corpus: Corpus,
        terms: tuple[Term, ...],
        within: Filter,
        *,
        deadline: float,
    ) -> Lookup:
        """Rows with any of the terms, the newest where there are many.

        Args:
            deadline: On the monotonic clock; afterwards matches are no longer rated.

        Raises:
            IndexDamagedError: `rebuild` it, then ask again.
        """
        ...


class IndexDamagedError(Exception):
    """The full-text index cannot be read; the rows it was made from may well be whole."""


class _Fts(Struct, frozen=True):
    """What sets one kind of full-text index apart."""

    kind: IndexKind
    options: str
    """With `{bodies}` where the name of the view belongs."""
    score: str
    """SQL of what `rate` reads, with `{table}`; lower is better once rated."""
    rate: Callable[[Any], float]
    newest: int
    """How many matches are ranked, the newest, shared out among the terms; each costs time."""


def _rate_fts4(match: bytes) -> float:
    import sqlite_fts4  # needed only where there is no FTS5

    return cast("Any", sqlite_fts4).rank_bm25(match)


_KINDS = (
    _Fts(
        kind="fts5",
        # Beginnings of three letters make `con*` fast for a fifth of the index's size.
        options="body, content='{bodies}', content_rowid='rowid', prefix='3', "
        "tokenize='porter unicode61 remove_diacritics 2'",
        score="bm25({table})",
        rate=float,
        newest=2000,
    ),
    _Fts(
        kind="fts4",
        options="body, content='{bodies}', prefix='3', tokenize=porter",
        score="matchinfo({table}, 'pcnalx')",
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
            for corpus in CORPORA:
                _create(connection, fts, corpus)
                connection.execute(f"SELECT 1 FROM {_table(fts, corpus)} LIMIT 0")
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
    from hermes_tui.store.scanning import Scan  # needed only where there is no index

    return Scan()


def remove_session(connection: sqlite3.Connection, key: int) -> None:
    """Take a session's rows out of every index this SQLite can open.

    To be called while they still exist: the index reads from them what to forget.
    """
    for corpus in CORPORA:
        _remove(connection, corpus, key)


def remove_summary(connection: sqlite3.Connection, key: int) -> None:
    """Take a session's summary out of every index, likewise."""
    _remove(connection, SUMMARIES, key)


def _remove(connection: sqlite3.Connection, corpus: Corpus, key: int) -> None:
    for fts in _KINDS:
        table = _table(fts, corpus)
        try:
            connection.execute(
                f"DELETE FROM {table} WHERE rowid IN (SELECT id FROM {corpus.rows} "
                f"WHERE session = ? AND id <= (SELECT max(rowid) FROM {table}_docsize))",
                (key,),
            )
        except sqlite3.OperationalError as error:
            if not str(error).startswith(("no such table", "no such module")):
                raise
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            _rebuild(connection, fts)


def _table(fts: _Fts, corpus: Corpus) -> str:
    return f"{corpus.rows}_{fts.kind}"


def _create(connection: sqlite3.Connection, fts: _Fts, corpus: Corpus) -> None:
    options, table = fts.options.format(bodies=corpus.bodies), _table(fts, corpus)
    there = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    if there is not None:
        return
    connection.execute(f"CREATE VIRTUAL TABLE {table} USING {fts.kind}({options})")
    if fts.kind == "fts5":
        # The index merges itself a number of its pages at a time, within the write that is due:
        # with the usual 4,050 bytes some writes take 40 ms, with these 15.
        connection.execute(f"INSERT INTO {table} ({table}, rank) VALUES ('pgsz', {PAGE_BYTES})")


def _rebuild(connection: sqlite3.Connection, fts: _Fts) -> None:
    for corpus in CORPORA:
        connection.execute(f"DROP TABLE IF EXISTS {_table(fts, corpus)}")
        _create(connection, fts, corpus)


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CORRUPT


@contextmanager
def interrupted_at(connection: sqlite3.Connection, deadline: float) -> Generator[None]:
    """Whatever runs on `connection` beyond `deadline` ends with "interrupted"."""
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _OPCODES_PER_CHECK)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)


def is_interruption(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT


class _LookUp(Struct, frozen=True):
    """One term looked up in one index."""

    fts: _Fts
    corpus: Corpus
    expression: str
    within: Filter

    def rated(
        self, connection: sqlite3.Connection, limit: int, deadline: float
    ) -> list[tuple[int, float]]:
        """(id, score), the newest first; one more than `limit` if there are."""
        rate = self.fts.rate
        return [
            (row, max(-rate(score), 1e-6))
            for row, score in self._rows(connection, self.fts.score, limit, deadline)
        ]

    def unrated(self, connection: sqlite3.Connection, deadline: float) -> list[tuple[int, float]]:
        """The newest rows, as far as they are found until then; each term has its chance."""
        deadline = max(deadline, time.monotonic() + 0.01)
        try:
            rows = self._rows(connection, "NULL", UNRATED_MATCHES, deadline)
        except sqlite3.DatabaseError as error:
            if not is_interruption(error):
                raise
            return []
        return [(row, UNRATED) for row, _ in rows]

    def _rows(
        self, connection: sqlite3.Connection, score: str, limit: int, deadline: float
    ) -> list[tuple[int, Any]]:
        table, within = _table(self.fts, self.corpus), self.within
        # CROSS JOIN keeps the index outermost, so that its rows come newest first unsorted
        # and the score is worked out for no more of them than are read.
        joins = ""
        if within.of_rows or within.of_sessions:
            joins = f"CROSS JOIN {self.corpus.rows} m ON m.id = {table}.rowid "
        if within.of_sessions:
            joins += "CROSS JOIN sessions s ON s.key = m.session "
        with interrupted_at(connection, deadline):
            return connection.execute(
                f"SELECT {table}.rowid, {score.format(table=table)} FROM {table} {joins}"
                f"WHERE {table} MATCH ? AND {table}.rowid BETWEEN ? AND ? AND {within.condition} "
                f"ORDER BY {table}.rowid DESC LIMIT ?",
                (self.expression, within.first_id, within.last_id, *within.parameters, limit + 1),
            ).fetchall()


def _matches(
    connection: sqlite3.Connection, corpus: Corpus, scores: dict[int, dict[int, float]]
) -> dict[int, Match]:
    """The best rows with their sessions, weighted by who wrote them."""
    found: dict[int, Match] = {}
    sums = ((sum(by_term.values()), row) for row, by_term in scores.items())
    for _, row in nlargest(BEST_ROWS, sums):
        known = connection.execute(
            f"SELECT session, {corpus.role} FROM {corpus.rows} m WHERE id = ?", (row,)
        ).fetchone()
        if known is not None:
            session, role = known
            match = found[row] = Match(session, TOOL_WEIGHT if role == "tool" else 1.0, {})
            for place, score in scores[row].items():
                match.add(place, score)
    return found


class _FullText:
    """FTS5 or FTS4."""

    def __init__(self, fts: _Fts) -> None:
        self._fts = fts

    @property
    def kind(self) -> IndexKind:
        return self._fts.kind

    def add(self, connection: sqlite3.Connection, *, limit: int) -> None:
        try:
            self._add(connection, limit)
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            self.rebuild(connection)
            self._add(connection, limit)

    def is_behind(self, connection: sqlite3.Connection) -> bool:
        return any(
            connection.execute(
                f"SELECT coalesce(max(id), 0) > {self._newest(corpus)} FROM {corpus.rows}"
            ).fetchone()[0]
            for corpus in CORPORA
        )

    def rebuild(self, connection: sqlite3.Connection) -> None:
        _rebuild(connection, self._fts)

    def find(
        self,
        connection: sqlite3.Connection,
        corpus: Corpus,
        terms: tuple[Term, ...],
        within: Filter,
        *,
        deadline: float,
    ) -> Lookup:
        found = Lookup({})
        scores: dict[int, dict[int, float]] = {}
        newest = max(self._fts.newest // len(terms), UNRATED_MATCHES) * corpus.share
        # Longer words are rarer and tell more; when time runs out they have been rated.
        for place, term in sorted(enumerate(terms), key=lambda pair: -len(pair[1].text)):
            look_up = _LookUp(self._fts, corpus, self._expression(term), within)
            try:
                rows = look_up.rated(connection, newest, deadline)
            except sqlite3.DatabaseError as error:
                if _is_damage(error):
                    raise IndexDamagedError from error
                if not is_interruption(error):
                    raise
                found.is_partial = True
                rows = look_up.unrated(connection, deadline + UNRATED_SECONDS)
            found.is_capped |= len(rows) > newest
            for row, score in rows[:newest]:
                scores.setdefault(row, {})[place] = score
        found.total = len(scores)
        found.matches = _matches(connection, corpus, scores)
        return found

    def _add(self, connection: sqlite3.Connection, limit: int) -> None:
        for corpus in CORPORA:
            connection.execute(
                f"INSERT INTO {_table(self._fts, corpus)} (rowid, body) "
                f"SELECT rowid, body FROM {corpus.bodies} "
                f"WHERE rowid > {self._newest(corpus)} ORDER BY rowid LIMIT ?",
                (limit,),
            )

    def _newest(self, corpus: Corpus) -> str:
        return f"(SELECT coalesce(max(rowid), 0) FROM {_table(self._fts, corpus)}_docsize)"

    def _expression(self, term: Term) -> str:
        quoted = term.quoted_for_index
        if not term.is_prefix:
            return quoted
        # FTS5 has the star after the quotes, FTS4 after the word within them.
        return f"{quoted}*" if self.kind == "fts5" else f'{quoted[:-1]}*"'
