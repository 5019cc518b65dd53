"""What a search came to."""

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from hermes_tui.core.messages import Role


class Neighbour(Struct, frozen=True):
    """A message next to one that matches."""

    message_id: int
    role: Role
    excerpt: str
    """How it begins, up to 160 characters on one line. Untrusted text."""


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
    before: Neighbour | None = None
    after: Neighbour | None = None
    place: int = 0
    """Which message of its session it is, counted from 1."""
    text: str = ""
    """Its first 2,000 characters. Untrusted text."""
    is_nearest: bool = False
    """It is not what was asked for, but the nearest there is."""

    def in_context(self, shown: set[int]) -> Iterator["Hit | Neighbour"]:
        """The hit between its neighbours but those in `shown`, which learns of the others."""
        for one in (self.before, self, self.after):
            if one is self:
                yield self
            elif one is not None and one.message_id not in shown:
                shown.add(one.message_id)
                yield one


class FoundSession(Struct, frozen=True):
    """A session that matches, or took place in the time asked for."""

    id: str
    title: str
    cwd: str
    created_at: datetime
    updated_at: datetime
    message_count: int
    about: str
    """Its summary, or its first prompts where there is none: up to 240 characters on one line."""
    hits: tuple[Hit, ...] = ()
    """Up to three, the best first; none when its summary matches or nothing was looked for."""
    by_meaning: bool = False
    """None of the words are in it; its summary says the like in others."""

    @property
    def gist(self) -> str:
        """What is shown where there are no hits to show."""
        if self.hits or not self.about:
            return ""
        return f"by meaning: {self.about}" if self.by_meaning else self.about


class SearchResults(Struct, frozen=True, kw_only=True):
    """What a search found, and what it looked for and where."""

    hits: tuple[Hit, ...] = ()
    """The best first."""
    sessions: tuple[FoundSession, ...] = ()
    """The same by session, the best first; also sessions found by summary or time alone."""
    total: int = 0
    """How many messages match, as far as looked at."""
    is_capped: bool = False
    """Only the newest matches were looked at; there may be older ones."""
    is_partial: bool = False
    """Time ran out: some matches are in the order of time, or missing."""
    sessions_found: int = 0
    sessions_searched: int = 0
    terms: tuple[str, ...] = ()
    """What was looked for, any of it; empty when the query holds no letter or digit."""
    dropped: tuple[str, ...] = ()
    """Words left out."""
    dates: tuple[str, ...] = ()
    """What was taken for a date, as typed."""
    after: datetime | None = None
    """Inclusive."""
    before: datetime | None = None
    """Exclusive."""
    note: str = ""
    """A sentence on what these are when they are not what was asked for."""
    found_as_asked: bool = True
    """Whether they are; otherwise `hits` or `sessions` are the nearest there is."""

    @property
    def report(self) -> str:
        """What was searched for and where: "2 of 312 sessions; terms used: port; …"."""
        parts = [f"{self.sessions_found:,} of {_sessions(self.sessions_searched)}"]
        if by_meaning := sum(session.by_meaning for session in self.sessions):
            parts.append(f"{by_meaning} by meaning")
        if self.terms:
            parts.append(f"terms used: {', '.join(self.terms)}")
        if self.dropped:
            parts.append(f"left out: {', '.join(self.dropped)}")
        if self.dates or self.after or self.before:
            parts.append(f"dates: {self._period()}")
        if self.is_capped:
            parts.append("only the newest matches were compared, there are older hits")
        if self.is_partial:
            parts.append("partial: time ran out")
        return "; ".join(parts)

    def _period(self) -> str:
        typed = ", ".join(self.dates)
        days = f"{_day(self.after)} to {_day(self.before)}"
        return f"{typed} ({days})" if typed else days


def _day(at: datetime | None) -> str:
    return "…" if at is None else f"{at.astimezone():%Y-%m-%d %H:%M}"


def _sessions(count: int) -> str:
    return f"{count:,} session{'' if count == 1 else 's'}"


class Line(Struct, frozen=True):
    """A message as it is read, with the arguments of its calls and what tools returned."""

    message_id: int
    role: Role
    at: datetime
    text: str
    """Untrusted text."""


class Passage(Struct, frozen=True):
    """Some messages of a session, one after the other."""

    session: FoundSession
    messages: tuple[Line, ...]
    first: int
    last: int
    """Their places in the session, counted from 1."""
    next_page: int | None = None
