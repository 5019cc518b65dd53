"""What model calls consumed, call by call."""
# ruff: noqa: S608  statements are put together from constants of this package only

import sqlite3
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from msgspec import Struct

from hermes_tui.core.errors import StoreError
from hermes_tui.core.usage import Usage
from hermes_tui.store.database import Database, moment, now, stamp
from hermes_tui.store.layout import storable_text

SUMS = (
    "coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0), "
    "coalesce(sum(cached_tokens), 0), coalesce(sum(reasoning_tokens), 0), "
    "sum(cost_usd), coalesce(sum(unpriced_calls), 0)"
)
"""The columns of a `Usage`, added up over a group of rows of `usage`."""

_QUARTER_HOUR = 15 * 60 * 1_000_000
"""Microseconds; every time zone's midnight falls on a multiple of it."""


class DayUsage(Struct, frozen=True):
    """One day's consumption with one model."""

    day: date
    model: str
    calls: int
    usage: Usage


class UsageLedger:
    """Adds up model calls; it outlives the sessions that made them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, session_id: str, usage: Usage, model: str) -> None:
        """Keep one call's consumption, durably; an empty `session_id` stands for no session.

        Raises:
            StoreError: it cannot be written.
        """

        def work(connection: sqlite3.Connection) -> None:
            found = connection.execute(
                "INSERT INTO usage SELECT key, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM sessions "
                "WHERE id = ?9 UNION ALL SELECT NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE ?9 = ''",
                (
                    now(),
                    storable_text(model),
                    usage.input_tokens,
                    usage.output_tokens,
                    usage.cached_tokens,
                    usage.reasoning_tokens,
                    usage.cost_usd,
                    usage.unpriced_calls,
                    session_id,
                ),
            )
            if found.rowcount != 1:
                raise StoreError(f"Session {session_id!r} is no longer stored.")

        await self._database.write(work)

    async def of_session(self, session_id: str) -> Usage:
        """The sum over a session; zero for one that is not there."""

        def work(connection: sqlite3.Connection) -> Usage:
            sums = connection.execute(
                f"SELECT {SUMS} FROM usage WHERE session = (SELECT key FROM sessions WHERE id = ?)",
                (session_id,),
            ).fetchone()
            return Usage(*sums)

        return await self._database.read(work)

    async def by_day(self, since: datetime) -> list[DayUsage]:
        """Sums by day and model from `since` on, oldest first; days as in its time zone."""

        def work(connection: sqlite3.Connection) -> list[Any]:
            return connection.execute(
                f"SELECT at / ?1, model, count(*), {SUMS} FROM usage WHERE at >= ?2 "
                "GROUP BY 1, 2 ORDER BY 1",
                (_QUARTER_HOUR, stamp(since)),
            ).fetchall()

        return _by_day(await self._database.read(work), since)


def _by_day(rows: Iterable[tuple[Any, ...]], since: datetime) -> list[DayUsage]:
    days: dict[tuple[date, str], DayUsage] = {}
    for quarter, model, calls, *sums in rows:
        day = moment(quarter * _QUARTER_HOUR).astimezone(since.tzinfo).date()
        known = days.get((day, model), DayUsage(day, model, 0, Usage()))
        days[day, model] = DayUsage(day, model, known.calls + calls, known.usage + Usage(*sums))
    return list(days.values())
