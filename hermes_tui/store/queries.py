"""What somebody wants to find: words, and where and when they were said."""

import re
from collections.abc import Sequence
from datetime import datetime, tzinfo
from functools import cache
from typing import cast, get_args

from msgspec import Struct

from hermes_tui.core.messages import Role
from hermes_tui.store.dates import parse_period, take_dates
from hermes_tui.store.terms import Terms, parse

ABOUT_A_DAY = frozenset(
    """
    anything ask asked chat chats conversation conversations day discuss discussed everything
    happen happened list said say session sessions something spoke stuff summarise summarize
    summary talk talked thing things work worked working
    """.split()  # noqa: SIM905  a list of quoted words is no easier to read
)
"""Words that, beside a date, ask for everything of that time."""


class Query(Struct, frozen=True, kw_only=True):
    """A query taken apart."""

    terms: Terms
    text: str = ""
    """What the terms were taken from: the words as typed, without dates and filters."""
    role: Role | None = None
    project: str = ""
    session: str = ""
    after: datetime | None = None
    """Inclusive."""
    before: datetime | None = None
    """Exclusive."""
    dates: tuple[str, ...] = ()
    """What was taken for a date, as typed."""
    asks_for_all: bool = False
    """Nothing but a time, a folder or a role was named."""


def read_query(
    text: str, *, alt: Sequence[str] = (), now: datetime, zone: tzinfo | None = None
) -> Query:
    """Take a query apart.

    `role:user`, `project:NAME`, `session:ID`, `since:DATE` and `until:DATE` narrow it (`after:`
    and `before:` likewise, without the day itself), and so do dates in plain words. Anything
    else is looked for.

    Args:
        alt: The same in other words; their words are looked for too, their dates are not.
    """
    narrowed = _Narrowed(now, zone)
    rest = _filter_pattern().sub(narrowed.take, text)
    dated = take_dates(rest, now=now, zone=zone)
    terms = parse(dated.rest)
    others = [parse(take_dates(other, now=now, zone=zone).rest) for other in alt]
    is_narrow = bool(dated.taken or narrowed.taken)
    if is_narrow and all(_says_nothing(one) for one in (terms, *others)):
        terms, others = Terms((), (*terms.dropped, *(term.text for term in terms.kept))), []
    return Query(
        terms=terms.joined(others) if others else terms,
        text=" ".join(dated.rest.split()),
        role=narrowed.role,
        project=narrowed.project,
        session=narrowed.session,
        after=latest(dated.after, narrowed.after),
        before=earliest(dated.before, narrowed.before),
        dates=(*dated.taken, *narrowed.dates),
        asks_for_all=is_narrow and not terms.kept,
    )


def latest(*times: datetime | None) -> datetime | None:
    return max((time for time in times if time is not None), default=None)


def earliest(*times: datetime | None) -> datetime | None:
    return min((time for time in times if time is not None), default=None)


def _says_nothing(terms: Terms) -> bool:
    return all(
        term.is_stop_word or (not term.is_quoted and term.text.lower() in ABOUT_A_DAY)
        for term in terms.kept
    )


class _Narrowed:
    """Collects the `name:value` parts of a query."""

    def __init__(self, now: datetime, zone: tzinfo | None) -> None:
        self._now = now
        self._zone = zone
        self.role: Role | None = None
        self.project = ""
        self.session = ""
        self.after: datetime | None = None
        self.before: datetime | None = None
        self.dates: tuple[str, ...] = ()
        self.taken = False

    def take(self, match: re.Match[str]) -> str:
        """What stays of a part: nothing when it was understood."""
        quoted = match["quoted"]
        if match["name"] is None:
            return match[0]
        name, value = match["name"].lower(), match["bare"] if quoted is None else quoted
        if not self._understood(name, value):
            return match[0]
        self.taken = True
        return " "

    def _understood(self, name: str, value: str) -> bool:
        match name:
            case "role":
                if value.lower() not in get_args(Role):
                    return False
                self.role = cast("Role", value.lower())
            case "project":
                self.project = value
            case "session":
                self.session = value.lower()
            case _:
                return self._limit(name, value)
        return True

    def _limit(self, name: str, value: str) -> bool:
        period = parse_period(value, now=self._now, zone=self._zone)
        if period is None:
            return False
        first, last = period
        match name:
            case "since":
                self.after = latest(self.after, first)
            case "after":
                self.after = latest(self.after, last)
            case "before":
                self.before = earliest(self.before, first)
            case _:
                self.before = earliest(self.before, last)
        self.dates += (f"{name} {value}",)
        return True


@cache
def _filter_pattern() -> re.Pattern[str]:
    # The last alternative steps over quoted phrases.
    return re.compile(
        r"(?<!\S)(?P<name>role|project|session|since|after|before|until):"
        r'(?:"(?P<quoted>[^"]*)"|(?P<bare>[^\s"]+))|"[^"]*"',
        re.IGNORECASE,
    )
