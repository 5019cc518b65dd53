"""Finding what was said."""

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from hermes_tui.core.messages import Role
from hermes_tui.store.database import Database
from hermes_tui.store.excerpts import Matcher
from hermes_tui.store.indexes import (
    MESSAGES,
    SUMMARIES,
    Corpus,
    Filter,
    Index,
    IndexDamagedError,
    Lookup,
)
from hermes_tui.store.layout import storable_text
from hermes_tui.store.passages import (
    Hits,
    around,
    neighbours,
    page,
    quoting_searches,
    sessions_of_time,
)
from hermes_tui.store.places import Places
from hermes_tui.store.queries import Query, earliest, latest, read_query
from hermes_tui.store.ranking import (
    BY_MEANING,
    candidates,
    fused,
    session_order,
    shown_sessions,
)
from hermes_tui.store.results import Passage, SearchResults
from hermes_tui.store.terms import Terms

if TYPE_CHECKING:
    from hermes_tui.store.meaning import Meaning, Meant

CATCH_UP_MESSAGES = 5000
"""How many messages an index that fell behind takes up in one transaction, about 0.3 s."""
DEADLINE_SECONDS = 0.15
"""When matches are no longer rated but taken as they come, the newest first."""
HITS_PER_SESSION = 3
NEAREST_SESSIONS = 5
NOTHING_NEAR: Mapping[int, float] = {}
_EVERYTHING = Query(terms=Terms((), ()), asks_for_all=True)


class Search:
    """Searches the messages and summaries of every session that is not deleted."""

    def __init__(
        self,
        database: Database,
        index: Index,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        zone: tzinfo | None = None,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        """Search `database` by `index`.

        Args:
            now: What dates in queries are relative to; timezone-aware.
            zone: Where days begin and end; None: as this machine has it.
        """
        self._database = database
        self._index = index
        self._now = now
        self._zone = zone
        self._deadline_seconds = deadline_seconds
        self.meaning: Meaning | None = None
        """What finds sessions that say it in other words; None: words only."""

    async def find(
        self,
        query: str,
        *,
        alt: Sequence[str] = (),
        limit: int = 20,
        role: Role | None = None,
        after: datetime | None = None,
        before: datetime | None = None,
        session: str | None = None,
        cwd: str | None = None,
        but: str = "",
        by_meaning: bool = True,
    ) -> SearchResults:
        """Messages with any word of `query`, ranked among the newest matches.

        Whatever is typed is searched for. "Quoted words" must stand together, `word*` may go
        on, common words are left out unless there are no others, and dates narrow the search,
        see `queries.read_query`. Where nothing matches, the results are the nearest there is.

        Args:
            alt: The same in other words.
            limit: How many hits, and how many sessions; meaning can add three more.
            after: Inclusive, and `before` exclusive; both timezone-aware.
            session: A full id.
            cwd: A folder, with everything in it, or the name of one.
            but: The full id of a session to leave out.
            by_meaning: Whether to look for other words too, where `meaning` is there for it.

        Raises:
            StoreError: the file cannot be read or is damaged.
        """
        read = read_query(
            storable_text(query),
            alt=[storable_text(other) for other in alt],
            now=self._now(),
            zone=self._zone,
        )
        places = Places(
            role=role or read.role,
            after=latest(after, read.after),
            before=earliest(before, read.before),
            session=storable_text(session if session is not None else read.session) or None,
            but=but or None,
            project=storable_text(cwd if cwd is not None else read.project) or None,
        )
        asked = _Asked(query=read, places=places, limit=limit)
        if by_meaning and self.meaning is not None and asked.can_be_meant:
            meant = await self.meaning.of("\n".join((read.text, *map(storable_text, alt))))
            asked = structs.replace(asked, meant=meant)
        for _ in range(2):
            await self._catch_up()
            try:
                return await self._database.read(lambda connection: self._found(connection, asked))
            except IndexDamagedError:
                await self._database.write(self._index.rebuild)
        await self._catch_up()
        return await self._database.read(lambda connection: self._found(connection, asked))

    async def browse(
        self,
        *,
        after: datetime | None = None,
        before: datetime | None = None,
        cwd: str | None = None,
        but: str = "",
        limit: int = 20,
    ) -> SearchResults:
        """Sessions that were going on between two times, the last used first."""
        places = Places(after=after, before=before, project=cwd or None, but=but or None)
        asked = _Asked(query=_EVERYTHING, places=places, limit=limit)
        return await self._database.read(
            lambda connection: asked.refused(connection) or _of_time(connection, asked)
        )

    async def around(self, message: int, *, size: int) -> Passage:
        """A message with up to `size` before and after it.

        Raises:
            NotFoundError: it is not there, or its session is deleted.
        """
        return await self._database.read(lambda connection: around(connection, message, size=size))

    async def page(self, session: str, number: int, *, chars: int) -> Passage:
        """A page of a session, counted from 1, of about `chars` characters.

        Raises:
            NotFoundError: there is no such session (a full id is needed) or page.
        """
        session = storable_text(session).strip().lower()
        return await self._database.read(
            lambda connection: page(connection, session, number, chars=chars)
        )

    async def _catch_up(self) -> None:
        while await self._database.read(self._index.is_behind):
            await self._database.write(
                lambda connection: self._index.add(connection, limit=CATCH_UP_MESSAGES)
            )

    def _found(self, connection: sqlite3.Connection, asked: "_Asked") -> SearchResults:
        terms = asked.query.terms
        if refused := asked.refused(connection):
            return refused
        if asked.query.asks_for_all:
            return _of_time(connection, asked)
        if not terms.kept:
            note = "There is no letter or digit in what to look for."
            return structs.replace(asked.results(connection), note=note)
        near = asked.near(connection)
        for attempt, note in (
            (terms, ""),
            (terms.loosened, ""),
            (terms.widened, "No message has these words; these have words that begin like them."),
        ):
            if attempt and (found := self._by_words(connection, asked, attempt, note, near)):
                return asked.explained(found)
        nearest = self._nearest(connection, asked)
        return asked.explained(_by_meaning(connection, near, nearest) if near else nearest)

    def _by_words(
        self,
        connection: sqlite3.Connection,
        asked: "_Asked",
        terms: Terms,
        note: str,
        near: Mapping[int, float] = NOTHING_NEAR,
    ) -> SearchResults | None:
        """What matches any of `terms`; None when nothing does."""
        messages, summaries = self._look_up(connection, asked.places, terms)
        if not messages.matches and not summaries.matches:
            return None
        ordered = _ordered(connection, messages, summaries)
        plain = session_order(messages, ordered, summaries)
        joined = session_order(messages, ordered, summaries, near) if near else plain
        shown = shown_sessions(plain, joined, near, limit=asked.limit)
        with_words = set(plain)
        hits = Hits(connection, Matcher(terms.kept), are_nearest=bool(note))
        by_session: dict[int, list[int]] = {}
        for message in ordered:
            by_session.setdefault(messages.matches[message].session, []).append(message)
        return structs.replace(
            asked.results(connection),
            hits=tuple(map(hits.hit, ordered[: asked.limit])),
            sessions=tuple(
                hits.session(
                    key,
                    by_session.get(key, [])[:HITS_PER_SESSION],
                    by_meaning=key not in with_words,
                )
                for key in shown
            ),
            total=messages.total,
            is_capped=messages.is_capped,
            is_partial=messages.is_partial or summaries.is_partial,
            sessions_found=len(with_words.union(shown)),
            terms=tuple(str(term) for term in terms.kept),
            note=note,
            found_as_asked=not note,
        )

    def _look_up(
        self, connection: sqlite3.Connection, places: Places, terms: Terms
    ) -> tuple[Lookup, Lookup]:
        started = time.monotonic()

        def look_up(corpus: Corpus, within: Filter | None, share: float) -> Lookup:
            if within is None:
                return Lookup({})
            deadline = started + self._deadline_seconds * share
            return self._index.find(connection, corpus, terms.kept, within, deadline=deadline)

        # Summaries are few, and must leave time for the messages.
        summaries = look_up(SUMMARIES, places.summaries(connection), 0.3)
        return look_up(MESSAGES, places.messages(connection), 1.0), summaries

    def _nearest(self, connection: sqlite3.Connection, asked: "_Asked") -> SearchResults:
        """For words that occur nowhere: what was said then, else on other days, else lately."""
        nothing = asked.results(connection)
        if asked.places.after or asked.places.before:
            if then := sessions_of_time(connection, asked.places, limit=NEAREST_SESSIONS):
                return structs.replace(
                    nothing,
                    sessions=then,
                    note="Nothing in that time has these words; these are its sessions.",
                )
            asked = structs.replace(
                asked, places=structs.replace(asked.places, after=None, before=None)
            )
            # Options are meant as they stand; a date in plain words may be part of the matter.
            if asked.query.dates:
                note = "Nothing was said in that time; these are of other days."
                if found := self._by_words(connection, asked, asked.query.terms, note):
                    return structs.replace(found, after=nothing.after, before=nothing.before)
        lately = sessions_of_time(connection, asked.places, limit=NEAREST_SESSIONS)
        note = "Nothing has these words; these are the last sessions." if lately else ""
        return structs.replace(nothing, sessions=lately, note=note)


class _Asked(Struct, frozen=True):
    """A search as it was asked for."""

    query: Query
    places: Places
    limit: int
    meant: "Meant | None" = None

    @property
    def can_be_meant(self) -> bool:
        """Whether there is something to compare with what summaries mean."""
        return bool(self.query.terms.kept) and self.places.role is None

    def near(self, connection: sqlite3.Connection) -> Mapping[int, float]:
        """Keys of sessions that say it in other words, the nearest first."""
        within = self.places.summaries(connection)
        if self.meant is None or within is None:
            return NOTHING_NEAR
        return self.meant.near(connection, within)

    def explained(self, found: SearchResults) -> SearchResults:
        """`found`, with the reason why only words were compared, where there is one."""
        if self.meant is None or not self.meant.problem:
            return found
        note = f"{found.note} {self.meant.problem}".lstrip()
        return structs.replace(found, note=note)

    def refused(self, connection: sqlite3.Connection) -> SearchResults | None:
        """Nothing, with the reason, where a place was named that is not known."""
        note = self.places.unknown(connection)
        return structs.replace(self.results(connection), note=note) if note else None

    def results(self, connection: sqlite3.Connection) -> SearchResults:
        """Nothing found, so far."""
        return SearchResults(
            sessions_searched=self.places.count_sessions(connection),
            terms=tuple(str(term) for term in self.query.terms.kept),
            dropped=self.query.terms.dropped,
            dates=self.query.dates,
            after=self.places.after,
            before=self.places.before,
            found_as_asked=False,
        )


def _of_time(connection: sqlite3.Connection, asked: _Asked) -> SearchResults:
    """The sessions of a time, where nothing but that was asked for."""
    sessions = sessions_of_time(connection, asked.places, limit=asked.limit)
    nothing = asked.results(connection)
    if not sessions:
        anything = structs.replace(asked.places, after=None, before=None)
        lately = sessions_of_time(connection, anything, limit=NEAREST_SESSIONS)
        note = "There is no session of that time; these are the last ones." if lately else ""
        return structs.replace(nothing, sessions=lately, note=note)
    return structs.replace(
        nothing, sessions=sessions, sessions_found=len(sessions), found_as_asked=True
    )


def _by_meaning(
    connection: sqlite3.Connection, near: Mapping[int, float], nearest: SearchResults
) -> SearchResults:
    """What says it in other words, where nothing has the words; then words of other days."""
    reader = Hits(connection, Matcher(()), are_nearest=True)
    found = tuple(reader.session(key, (), by_meaning=True) for key in list(near)[:BY_MEANING])
    note = "Nothing has these words; sessions found by meaning say the like in others."
    if not nearest.hits:
        return structs.replace(
            nearest, sessions=found, sessions_found=len(found), note=note, found_as_asked=True
        )
    known = {session.id for session in found}
    others = tuple(session for session in nearest.sessions if session.id not in known)
    return structs.replace(
        nearest,
        sessions=(*found, *others),
        sessions_found=len(found) + len(others),
        note=f"{nearest.note} Sessions found by meaning say the like in other words.",
    )


def _ordered(connection: sqlite3.Connection, messages: Lookup, summaries: Lookup) -> list[int]:
    """The best messages, those that only repeat an earlier search last."""
    best = candidates(messages)
    echoes = quoting_searches(connection, best)
    ordered = fused(messages, best, neighbours(connection, best), summaries)
    return [m for m in ordered if m not in echoes] + [m for m in ordered if m in echoes]
