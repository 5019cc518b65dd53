"""Dates as people type them: "last Tuesday", "between 3 and 5 March", "since Monday".

Only what can hardly mean anything else is taken for a date: "in May" is one, "may" is not.
A month, day or weekday without a year is the last one that has begun.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from typing import Any

from msgspec import Struct

# fmt: off
MONTHS: tuple[str, ...] = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)
WEEKDAYS: tuple[str, ...] = (
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
)
_NUMBERS: tuple[str, ...] = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve",
)
# fmt: on
_DAYS_IN_A_FEW = 7
_YEARS_LOOKED_BACK = 9
"""29 February may be eight years ago."""

Match = re.Match[str]
Span = tuple[date, date]
"""The first day, and the day after the last."""


class Dated(Struct, frozen=True):
    """A text without its dates, and what they come to."""

    rest: str
    after: datetime | None = None
    """Inclusive; in UTC."""
    before: datetime | None = None
    """Exclusive; in UTC."""
    taken: tuple[str, ...] = ()
    """The expressions, as typed."""


def take_dates(text: str, *, now: datetime, zone: tzinfo | None = None) -> Dated:
    """Take the dates out of a query; what is between double quotes stays.

    Args:
        now: Timezone-aware.
        zone: Where days begin and end; None: as this machine has it.
    """
    today = now.astimezone(zone).date()
    rest: list[str] = []
    taken: list[str] = []
    start = end = None
    done = 0
    for found in _expressions(text, today):
        rest.append(text[done : found.start])
        done = found.end
        taken.append(text[found.start : found.end])
        start = _later(start, found.first)
        end = _earlier(end, found.last)
    rest.append(text[done:])
    return Dated(
        rest=" ".join(" ".join(rest).split()) if taken else text,
        after=None if start is None else midnight(start, zone),
        before=None if end is None else midnight(end, zone),
        taken=tuple(taken),
    )


def parse_period(
    text: str, *, now: datetime, zone: tzinfo | None = None
) -> tuple[datetime, datetime] | None:
    """Beginning and end (exclusive) of what a whole text names; None when it is no date.

    Here "March", "Monday" and "2025" count, and so does a time: "2026-03-05T12:30".
    """
    text = " ".join(text.split())
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is not None and len(text) > len("2026-03-05"):
        moment = at if at.tzinfo else _localised(at, zone)
        return moment.astimezone(UTC), moment.astimezone(UTC)
    found = _span(text, 0, now.astimezone(zone).date(), is_bare=True)
    if found is None or found[0] != len(text):
        return None
    _, (first, last) = found
    return midnight(first, zone), midnight(last, zone)


def midnight(day: date, zone: tzinfo | None) -> datetime:
    """When `day` begins in `zone` (None: as this machine has it), in UTC."""
    return _localised(datetime.combine(day, time()), zone).astimezone(UTC)


def _localised(naive: datetime, zone: tzinfo | None) -> datetime:
    return naive.astimezone() if zone is None else naive.replace(tzinfo=zone)


def _later(one: date | None, other: date | None) -> date | None:
    return max(filter(None, (one, other)), default=None)


def _earlier(one: date | None, other: date | None) -> date | None:
    return min(filter(None, (one, other)), default=None)


class _Expression(Struct, frozen=True):
    start: int
    end: int
    first: date | None
    last: date | None


def _expressions(text: str, today: date) -> Iterator[_Expression]:
    """From left to right, none within quotes."""
    patterns = _patterns()
    position = 0
    while position < len(text):
        if text[position] == '"':
            closing = text.find('"', position + 1)
            position = len(text) if closing < 0 else closing + 1
            continue
        if word := patterns.word.match(text, position):
            found = _expression(text, position, today)
            if found is not None:
                yield found
            position = found.end if found else word.end()
        else:
            position += 1


def _expression(text: str, start: int, today: date) -> _Expression | None:
    patterns = _patterns()
    if (opening := patterns.between.match(text, start)) and (
        found := _between(text, start, opening.end(), today)
    ):
        return found
    if limit := patterns.limit.match(text, start):
        if found := _span(text, limit.end(), today, is_bare=True):
            end, (first, last) = found
            match limit[1].lower():
                case "since":
                    return _Expression(start, end, first, None)
                case "after":
                    return _Expression(start, end, last, None)
                case "before":
                    return _Expression(start, end, None, first)
                case _:
                    return _Expression(start, end, None, last)
        return None
    opening = patterns.opening.match(text, start)
    for begin in dict.fromkeys((start, opening.end() if opening else start)):
        if found := _span(text, begin, today):
            end, (first, last) = found
            return _Expression(start, end, first, last)
    return None


def _between(text: str, start: int, begin: int, today: date) -> _Expression | None:
    one = _span(text, begin, today, is_bare=True)
    joint = one and _patterns().joint.match(text, one[0])
    other = joint and _span(text, joint.end(), today, is_bare=True)
    if not one or not other:
        return None
    first, last = one[1][0], other[1][1]
    if first >= last:
        first, last = other[1][0], one[1][1]
    return _Expression(start, other[0], first, last)


def _span(text: str, start: int, today: date, *, is_bare: bool = False) -> tuple[int, Span] | None:
    """Where the date that begins at `start` ends, and its days.

    `is_bare`: a word before it says that a date comes, or nothing else is allowed.
    """
    for rule in (*_rules(), *(_bare_rules() if is_bare else ())):
        if match := rule[0].match(text, start):
            try:
                return match.end(), rule[1](match, today)
            except (ValueError, OverflowError):
                continue  # 31 February, 9999 years ago
    return None


def _day(day: date) -> Span:
    return day, day + timedelta(days=1)


def _week(day: date) -> Span:
    monday = day - timedelta(days=day.weekday())
    return monday, monday + timedelta(days=7)


def _month(day: date) -> Span:
    return day.replace(day=1), _months_later(day.replace(day=1), 1)


def _year(day: date) -> Span:
    return date(day.year, 1, 1), date(day.year + 1, 1, 1)


_CALENDAR: dict[str, Callable[[date], Span]] = {
    "day": _day,
    "week": _week,
    "month": _month,
    "year": _year,
}


def _months_later(day: date, months: int) -> date:
    """The same day of another month, or the last there is."""
    years, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    first = date(years, month + 1, 1)
    length = (date(years + (month + 1) // 12, (month + 1) % 12 + 1, 1) - first).days
    return first.replace(day=min(day.day, length))


def _earlier_by(day: date, count: int, unit: str) -> date:
    if unit == "hour":
        return day - timedelta(hours=count)
    if unit in ("day", "week"):
        return day - timedelta(days=count * (7 if unit == "week" else 1))
    return _months_later(day, -count * (12 if unit == "year" else 1))


def _count(word: str) -> int:
    word = word.lower()
    if word.isdigit():
        return int(word)
    return 1 if word in ("a", "an") else _NUMBERS.index(word) + 1


def _month_number(word: str) -> int:
    return next(
        number
        for number, name in enumerate(MONTHS, 1)
        if name.startswith(word.lower().rstrip(".")[:3])
    )


def _last_begun(today: date, month: int, day: int, year: str | None) -> date:
    if year:
        return date(int(year), month, day)
    for back in range(_YEARS_LOOKED_BACK):
        try:
            found = date(today.year - back, month, day)
        except ValueError:
            if (month, day) != (2, 29):
                raise
            continue
        if found <= today:
            return found
    raise ValueError("There is no such day.")


def _day_of_month(match: Match, today: date) -> Span:
    month = _month_number(match["month"])
    return _day(_last_begun(today, month, int(match["day"]), match["year"]))


def _days_of_month(match: Match, today: date) -> Span:
    first, last = sorted((int(match["day"]), int(match["last"])))
    start = _last_begun(today, _month_number(match["month"]), first, match["year"])
    return start, start.replace(day=last) + timedelta(days=1)


def _named_month(match: Match, today: date) -> Span:
    month = _month_number(match["month"])
    return _month(_last_begun(today, month, 1, match.groupdict().get("year")))


def _last_named_month(match: Match, today: date) -> Span:
    first, last = _named_month(match, today)
    return (first, last) if last <= today else _month(_months_later(first, -12))


def _weekday(match: Match, today: date) -> Span:
    """The last one; with "last" before today, with "this" in this week."""
    number = WEEKDAYS.index(match["weekday"].lower())
    which = (match.groupdict().get("which") or "").lower()
    if which == "this":
        return _day(_week(today)[0] + timedelta(days=number))
    back = (today.weekday() - number) % 7
    return _day(today - timedelta(days=back or (7 if which else 0)))


def _weekday_of_week(match: Match, today: date) -> Span:
    """Tuesday last week, Tuesday two weeks ago."""
    weeks = _count(match["count"]) if match["count"] else int(match["which"].lower() != "this")
    monday, _ = _week(today - timedelta(weeks=weeks))
    return _day(monday + timedelta(days=WEEKDAYS.index(match["weekday"].lower())))


def _last_unit(match: Match, today: date) -> Span:
    unit = match["unit"].lower()
    if unit == "weekend":
        saturday = _week(today)[0] + timedelta(days=5)
        if saturday > today or match["which"].lower() != "this":
            saturday -= timedelta(days=7)
        return saturday, saturday + timedelta(days=2)
    match match["which"].lower():
        case "this":
            return _CALENDAR[unit](today)
        case "past":
            return _earlier_by(today, 1, unit), today + timedelta(days=1)
        case _:
            start, _ = _CALENDAR[unit](today)
            return _CALENDAR[unit](start - timedelta(days=1))


def _last_units(match: Match, today: date) -> Span:
    unit, count = match["unit"].lower(), match["count"].lower()
    back = (
        today - timedelta(days=_DAYS_IN_A_FEW)
        if count.endswith("few")
        else _earlier_by(today, _count(count), unit)
    )
    return back, today + timedelta(days=1)


def _ago(match: Match, today: date) -> Span:
    unit, count = match["unit"].lower(), match["count"].lower()
    if count.endswith("few"):
        return today - timedelta(days=_DAYS_IN_A_FEW), today
    if unit == "hour":
        return today - timedelta(hours=_count(count)), today + timedelta(days=1)
    return _CALENDAR[unit](_earlier_by(today, _count(count), unit))


def _relative_day(match: Match, today: date) -> Span:
    word = match[0].lower()
    if "before" in word:
        return _day(today - timedelta(days=2))
    back = 0 if word.startswith(("today", "tonight", "this")) else 1
    return _day(today - timedelta(days=back))


class _Patterns(Struct, frozen=True):
    word: re.Pattern[str]
    between: re.Pattern[str]
    joint: re.Pattern[str]
    limit: re.Pattern[str]
    opening: re.Pattern[str]


@cache
def _patterns() -> _Patterns:
    return _Patterns(
        word=_pattern(r"[^\W_]+(?:['\u2019]s\b)?"),
        between=_pattern(r"(?:between|from)\s+"),
        joint=_pattern(r"\s+(?:and|to|till|until|through)\s+|\s*[\u2013\u2014-]\s*"),
        limit=_pattern(r"(since|after|before|until|till|through)\s+"),
        opening=_pattern(
            r"(?:(?:earlier|between|on|in|during|over|within|from|for|of|at|the)\s+){1,3}"
        ),
    )


Rule = tuple[re.Pattern[str], Callable[[Any, date], Span]]


@cache
def _rules() -> tuple[Rule, ...]:
    """Clear by themselves; the first that fits counts."""
    month = "(?P<month>" + "|".join(_abbreviated(name) for name in MONTHS) + r")\b\.?"
    # Words of other meanings need more than a number after them: "it may 5 times".
    clear_month = (
        r"(?:(?!(?:may|mar|march)\b)|(?-i:(?=M))|(?<=\bon\s)|(?<=since\s)|(?<=before\s)|"
        r"(?<=after\s)|(?<=until\s))" + month
    )
    year = r"(?:,?\s+(?P<year>(?:19|20)\d\d)\b)"
    day = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?\b"
    last = r"(?P<last>\d{1,2})(?:st|nd|rd|th)?\b"
    to = r"\s*(?:and|to|till|until|[\u2013\u2014-])\s*"
    count = rf"(?P<count>\d{{1,4}}|(?:a\s+)?few|an?|{'|'.join(_NUMBERS)})"
    units = r"(?P<unit>hour|day|week|month|year)s?\b"
    weekday = f"(?P<weekday>{'|'.join(WEEKDAYS)})" + r"\b(?:['\u2019]s\b)?"
    part = r"(?:\s+(?:morning|afternoon|evening|night))?\b"
    own = r"(?:['\u2019]s\b)?"
    a_week = r"(?P<which>last|this|previous)\s+week\b"
    weeks_ago = rf"(?P<count>\d{{1,4}}|an?|{'|'.join(_NUMBERS)})\s+weeks?\s+ago\b"
    return (
        (_pattern(r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)(?![\d-])"), _iso_day),
        (_pattern(r"(?P<year>(?:19|20)\d\d)-(?P<month>\d\d)(?![\w-])"), _iso_month),
        (_pattern(r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})(?![\w.])"), _iso_day),
        (_pattern(rf"{day}{to}{last}\s+(?:of\s+)?{month}{year}?"), _days_of_month),
        (_pattern(rf"{clear_month}\s+{day}{to}{last}{year}?"), _days_of_month),
        (_pattern(rf"{day}\s+(?:of\s+)?{month}{year}?"), _day_of_month),
        (_pattern(rf"{month}\s+{day}{year}"), _day_of_month),
        (_pattern(rf"{month}\s+(?P<day>\d{{1,2}})(?P<year>\b\B)?(?:st|nd|rd|th)\b"), _day_of_month),
        (_pattern(rf"{clear_month}\s+{day}{year}?"), _day_of_month),
        (_pattern(rf"{month}(?:\s+of)?{year}"), _named_month),
        (_pattern(rf"(?:the\s+)?day\s+before\s+yesterday\b{own}"), _relative_day),
        (_pattern(rf"(?:today|tonight|yesterday)\b{own}{part}"), _relative_day),
        (_pattern(r"(?:this\s+(?:morning|afternoon|evening)|last\s+night)\b"), _relative_day),
        (_pattern(rf"{weekday}{part}\s+(?:of\s+)?(?:{a_week}|{weeks_ago})"), _weekday_of_week),
        (_pattern(rf"(?:{a_week}{own}|{weeks_ago})\s+(?:on\s+)?{weekday}{part}"), _weekday_of_week),
        (_pattern(rf"(?P<which>last|this|previous|past)\s+{weekday}{part}"), _weekday),
        (_pattern(rf"(?<=\bon\s){weekday}{part}"), _weekday),
        (_pattern(rf"(?:last|past|previous)\s+{count}\s+{units}"), _last_units),
        (_pattern(rf"{count}\s+{units}\s+ago\b"), _ago),
        (
            _pattern(
                r"(?P<which>last|this|past|previous)\s+(?P<unit>weekend|week|month|year)\b" + own
            ),
            _last_unit,
        ),
        (_pattern(rf"(?:last|previous)\s+{month}(?!\s+\d)"), _last_named_month),
        (_pattern(rf"this\s+{month}(?!\s+\d)"), _named_month),
        (_pattern(rf"(?:(?<=\bin\s)|(?<=\bduring\s)){month}(?!\s+\d)"), _named_month),
        (_pattern(r"(?:(?<=\bin\s)|(?<=\bduring\s))(?P<year>20\d\d)\b(?![\w.-])"), _named_year),
    )


@cache
def _bare_rules() -> tuple[Rule, ...]:
    month = "|".join(_abbreviated(name) for name in MONTHS)
    return (
        (_pattern(f"(?P<weekday>{'|'.join(WEEKDAYS)})\\b"), _weekday),
        (_pattern(rf"(?P<month>{month})\b\.?(?!\s+\d)"), _named_month),
        # "after 2000 retries" is no year.
        (_pattern(r"(?P<year>20[1-9]\d)\b(?![\w.-])(?!\s+[a-z])"), _named_year),
    )


def _abbreviated(name: str) -> str:
    rest = name[3:]
    sept = "t?" if name == "september" else ""
    return f"{name[:3]}(?:{rest})?{sept and '|sept'}" if rest else name


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


def _iso_day(match: Match, today: date) -> Span:
    del today
    return _day(date(int(match["year"]), int(match["month"]), int(match["day"])))


def _iso_month(match: Match, today: date) -> Span:
    del today
    return _month(date(int(match["year"]), int(match["month"]), 1))


def _named_year(match: Match, today: date) -> Span:
    del today
    return _year(date(int(match["year"]), 1, 1))
