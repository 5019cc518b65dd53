from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.store.dates import MONTHS, WEEKDAYS, midnight, parse_period, take_dates

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 5, 14, 12, tzinfo=BERLIN)
"""A Thursday."""


def days(query: str) -> tuple[str, str, str]:
    """What is left of a query, its first day and the day after its last."""
    found = take_dates(query, now=NOW, zone=BERLIN)
    shown = (
        "" if at is None else f"{at.astimezone(BERLIN):%Y-%m-%d}"
        for at in (found.after, found.before)
    )
    return (found.rest, *shown)  # pyright: ignore[reportReturnType]


@pytest.mark.parametrize(
    ("query", "rest", "first", "end"),
    [
        ("What did I do last Tuesday?", "What did I do ?", "2026-05-12", "2026-05-13"),
        ("port today", "port", "2026-05-14", "2026-05-15"),
        ("yesterday's bug", "bug", "2026-05-13", "2026-05-14"),
        ("the day before yesterday", "", "2026-05-12", "2026-05-13"),
        ("last night", "", "2026-05-13", "2026-05-14"),
        ("this week", "", "2026-05-11", "2026-05-18"),
        ("bugs from last week", "bugs", "2026-05-04", "2026-05-11"),
        ("last weekend", "", "2026-05-09", "2026-05-11"),
        ("this month", "", "2026-05-01", "2026-06-01"),
        ("last year", "", "2025-01-01", "2026-01-01"),
        ("in March", "", "2026-03-01", "2026-04-01"),
        ("in november", "", "2025-11-01", "2025-12-01"),
        ("last May", "", "2025-05-01", "2025-06-01"),
        ("March 2025", "", "2025-03-01", "2025-04-01"),
        ("2026-03-05 port", "port", "2026-03-05", "2026-03-06"),
        ("5.3.2026", "", "2026-03-05", "2026-03-06"),
        ("2025-12", "", "2025-12-01", "2026-01-01"),
        ("on 5 March", "", "2026-03-05", "2026-03-06"),
        ("5th of March 2024", "", "2024-03-05", "2024-03-06"),
        ("March 5th", "", "2026-03-05", "2026-03-06"),
        ("May 20", "", "2025-05-20", "2025-05-21"),
        ("29 February", "", "2024-02-29", "2024-03-01"),
        ("errors between 3 and 5 March", "errors", "2026-03-03", "2026-03-06"),
        ("3-5 March", "", "2026-03-03", "2026-03-06"),
        ("between 5 and 3 March", "", "2026-03-03", "2026-03-06"),
        ("March 5 to 3, 2024", "", "2024-03-03", "2024-03-06"),
        ("between 5 March and 3 March", "", "2026-03-03", "2026-03-06"),
        ("port Tuesday last week", "port", "2026-05-05", "2026-05-06"),
        ("on Friday morning of last week", "", "2026-05-08", "2026-05-09"),
        ("last week on Tuesday", "", "2026-05-05", "2026-05-06"),
        ("last week's Tuesday", "", "2026-05-05", "2026-05-06"),
        ("Monday this week", "", "2026-05-11", "2026-05-12"),
        ("Tuesday two weeks ago", "", "2026-04-28", "2026-04-29"),
        ("a week ago Tuesday", "", "2026-05-05", "2026-05-06"),
        ("since Tuesday last week", "", "2026-05-05", ""),
        ("between Tuesday last week and Monday", "", "2026-05-05", "2026-05-12"),
        ("from 3 March to 7 April", "", "2026-03-03", "2026-04-08"),
        ("between Monday and Wednesday", "", "2026-05-11", "2026-05-14"),
        ("between yesterday and last week", "", "2026-05-04", "2026-05-14"),
        ("since Monday", "", "2026-05-11", ""),
        ("after last week", "", "2026-05-11", ""),
        ("before June", "", "", "2025-06-01"),
        ("until 2026-01-01", "", "", "2026-01-02"),
        ("since 2025-01-01 before March 2025", "", "2025-01-01", "2025-03-01"),
        ("3 days ago", "", "2026-05-11", "2026-05-12"),
        ("two weeks ago", "", "2026-04-27", "2026-05-04"),
        ("a month ago", "", "2026-04-01", "2026-05-01"),
        ("in the last 2 weeks", "", "2026-04-30", "2026-05-15"),
        ("past month", "", "2026-04-14", "2026-05-15"),
        ("on Thursday", "", "2026-05-14", "2026-05-15"),
        ("last Thursday", "", "2026-05-07", "2026-05-08"),
    ],
)
def test_a_date_is_taken_out_of_a_query(query: str, rest: str, first: str, end: str) -> None:
    assert days(query) == (rest, first, end)


@pytest.mark.parametrize(
    "query",
    [
        "it may fail a second time",
        "it may 5 times fail",
        "march on",
        "Monday",
        "May",
        "after 2000 retries",
        "python since 3.11",
        "31 February",
        "2026-02-31",
        "9999 years ago",
        "version 2025-12-1",
        '"last week" in quotes',
        "in second place",
        "since when",
        "",
    ],
)
def test_what_may_mean_something_else_stays(query: str) -> None:
    found = take_dates(query, now=NOW, zone=BERLIN)
    assert (found.rest, found.after, found.before, found.taken) == (query, None, None, ())


def test_what_was_taken_is_reported_as_typed() -> None:
    found = take_dates("Port Last  Tuesday or since March 2026", now=NOW, zone=BERLIN)
    assert found.taken == ("Last  Tuesday", "since March 2026")


def test_a_day_begins_at_local_midnight() -> None:
    found = take_dates("2026-07-01", now=NOW, zone=BERLIN)
    assert found.after == datetime(2026, 6, 30, 22, tzinfo=UTC)
    found = take_dates("2026-01-01", now=NOW, zone=BERLIN)
    assert found.after == datetime(2025, 12, 31, 23, tzinfo=UTC)


@pytest.mark.parametrize("text", ["March", "Monday", "2025", "2026-03-05T12:30", "3 days ago"])
def test_an_option_may_be_shorter_than_a_query(text: str) -> None:
    assert parse_period(text, now=NOW, zone=BERLIN) is not None


@pytest.mark.parametrize("text", ["", "sometime", "yesterday morning or so", "port yesterday"])
def test_an_option_that_is_no_date_is_refused(text: str) -> None:
    assert parse_period(text, now=NOW, zone=BERLIN) is None


@given(st.dates(date(1950, 1, 1), date(2090, 1, 1)))
def test_every_iso_day_is_that_day(day: date) -> None:
    found = take_dates(f"x {day.isoformat()} y", now=NOW, zone=BERLIN)
    assert found.rest == "x y"
    assert found.after == midnight(day, BERLIN)
    assert found.before == midnight(day + timedelta(days=1), BERLIN)


@given(
    st.datetimes(datetime(2000, 3, 1), datetime(2080, 1, 1)),  # noqa: DTZ001
    st.sampled_from(
        [
            "today", "yesterday", "this week", "last week", "last month", "last year",
            *(f"last {day}" for day in WEEKDAYS), *(f"on {day}" for day in WEEKDAYS),
            *(f"in {month}" for month in MONTHS), *(f"last {month}" for month in MONTHS),
            *(f"{number} days ago" for number in range(1, 99)), "last 3 weeks", "5 March",
        ]
    ),
)  # fmt: skip
def test_a_date_without_a_year_has_begun_and_ends_after_it_begins(
    now: datetime, expression: str
) -> None:
    now = now.replace(tzinfo=BERLIN)
    found = take_dates(expression, now=now, zone=BERLIN)
    assert found.rest == ""
    assert found.after is not None
    assert found.before is not None
    assert found.after < found.before
    assert found.after <= now.astimezone(UTC)


WORDS = st.sampled_from(
    [
        "last", "this", "since", "before", "after", "between", "and", "from", "to", "until", "in",
        "on", "the", "of", "may", "march", "3", "5th", "2025", "31", "monday", "week", "days",
        "ago", "few", '"', "port", "-", ".", "02", "february", "2026-03-05", "99999", "yesterday",
    ]
)  # fmt: skip


@given(st.text() | st.lists(WORDS).map(" ".join))
def test_nothing_typed_is_an_error_and_no_other_word_is_lost(query: str) -> None:
    found = take_dates(query, now=NOW, zone=BERLIN)
    taken = " ".join(found.taken).split()
    assert sorted([*found.rest.split(), *taken]) == sorted(query.split()) or any(
        character in query for character in '.-"\u2013\u2014'
    )
    assert ("port" in query.split()) <= ("port" in found.rest.split())
