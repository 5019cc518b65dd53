"""What came of using skills."""

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from hermes_tui.core.skills import How, Outcome, Use
from hermes_tui.store.database import Database, moment, now
from hermes_tui.store.layout import storable_text

_SELECT = "SELECT id, skill, version, session, at, how, outcome, note FROM skill_uses"


class Uses:
    """Implements `core.skills.SkillUses`. All methods raise `StoreError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, skill: str, *, version: int, session: str, how: How) -> None:
        """A skill came into play; again in the same task changes nothing."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO skill_uses (skill, version, session, at, how) "
                "SELECT ?1, ?2, ?3, ?4, ?5 WHERE NOT EXISTS (SELECT 1 FROM skill_uses "
                "WHERE skill = ?1 AND session = ?3 AND how = ?5 AND outcome IS NULL)",
                (skill, version, session, now(), how),
            )

        await self._database.write(work)

    async def judge(self, use: int, outcome: Outcome, note: str = "") -> None:
        """How the task with a use went; also otherwise than was said before."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE skill_uses SET outcome = ?, note = ? WHERE id = ?",
                (outcome, storable_text(note), use),
            )

        await self._database.write(work)

    async def of(self, skill: str) -> list[Use]:
        """All uses of one skill, the oldest first."""

        def work(connection: sqlite3.Connection) -> list[Use]:
            rows = connection.execute(f"{_SELECT} WHERE skill = ? ORDER BY id", (skill,))
            return [_use(row) for row in rows]

        return await self._database.read(work)

    async def of_session(self, session: str) -> list[Use]:
        """All uses in one session, the oldest first."""

        def work(connection: sqlite3.Connection) -> list[Use]:
            rows = connection.execute(f"{_SELECT} WHERE session = ? ORDER BY id", (session,))
            return [_use(row) for row in rows]

        return await self._database.read(work)

    async def all(self) -> dict[str, list[Use]]:
        """All uses by skill, the oldest first."""

        def work(connection: sqlite3.Connection) -> dict[str, list[Use]]:
            found: defaultdict[str, list[Use]] = defaultdict(list)
            for row in connection.execute(f"{_SELECT} ORDER BY id"):
                use = _use(row)
                found[use.skill].append(use)
            return dict(found)

        return await self._database.read(work)

    async def count(self, name: str, many: int = 1) -> int:
        """More of something that is counted across sessions; how many there are now."""

        def work(connection: sqlite3.Connection) -> int:
            (value,) = connection.execute(
                "INSERT INTO counters VALUES (?1, ?2) "
                "ON CONFLICT (name) DO UPDATE SET value = value + ?2 RETURNING value",
                (name, many),
            ).fetchone()
            return int(value)

        return await self._database.write(work)

    async def take(self, name: str, many: int) -> bool:
        """Take `many` off a count if it has come that far: one process at most succeeds."""

        def work(connection: sqlite3.Connection) -> bool:
            changed = connection.execute(
                "UPDATE counters SET value = value - ?1 WHERE name = ?2 AND value >= ?1",
                (many, name),
            )
            return changed.rowcount == 1

        return await self._database.write(work)


def _use(row: Sequence[Any]) -> Use:
    use, skill, version, session, at, how, outcome, note = row
    return Use(use, skill, version, session, moment(at), how, outcome, note)
