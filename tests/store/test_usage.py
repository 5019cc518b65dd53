import sqlite3
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from hermes_tui.core.usage import Usage
from hermes_tui.store.database import stamp
from hermes_tui.store.sessions import SessionRecord
from hermes_tui.store.store import Store
from hermes_tui.store.usage import DayUsage
from tests.store.conftest import begin


async def test_a_session_costs_the_sum_of_its_calls(store: Store, session: SessionRecord) -> None:
    calls = [Usage(100, 20, 80, 5, 0.25), Usage(50, 10, 0, 0, None, 1), Usage(1, 1, 0, 0, 0.5)]
    for call in calls:
        await store.usage.record(session.id, call, "openai/x")
    total = calls[0] + calls[1] + calls[2]
    assert await store.usage.of_session(session.id) == total
    assert (await store.sessions.get(session.id)).usage == total


async def test_an_unknown_price_stays_unknown(store: Store, session: SessionRecord) -> None:
    await store.usage.record(session.id, Usage(10, 1, unpriced_calls=1), "local/x")
    assert (await store.usage.of_session(session.id)).cost_usd is None


async def test_days_are_those_of_the_asker(store: Store, path: Path) -> None:
    session = await begin(store)
    for model in ("a", "a", "b", "a"):
        await store.usage.record(session.id, Usage(1), model)
    times = [
        datetime(2026, 3, 1, 18, 29, tzinfo=UTC),  # 1 March, 23:59 in Kolkata
        datetime(2026, 3, 1, 18, 31, tzinfo=UTC),  # 2 March, 00:01
        datetime(2026, 3, 1, 18, 32, tzinfo=UTC),
        datetime(2026, 2, 1, tzinfo=UTC),
    ]
    connection = sqlite3.connect(path)
    with connection:
        for rowid, at in enumerate(times, 1):
            connection.execute("UPDATE usage SET at = ? WHERE rowid = ?", (stamp(at), rowid))
    connection.close()
    kolkata = ZoneInfo("Asia/Kolkata")
    assert await store.usage.by_day(datetime(2026, 3, 1, tzinfo=kolkata)) == [
        DayUsage(date(2026, 3, 1), "a", 1, Usage(1)),
        DayUsage(date(2026, 3, 2), "a", 1, Usage(1)),
        DayUsage(date(2026, 3, 2), "b", 1, Usage(1)),
    ]
    in_utc = await store.usage.by_day(datetime(2026, 3, 1, tzinfo=UTC))
    assert [(day.day, day.model, day.calls) for day in in_utc] == [
        (date(2026, 3, 1), "a", 2),
        (date(2026, 3, 1), "b", 1),
    ]
