"""The ledger of memory: every item the memory files ever held."""
# ruff: noqa: S608  statements are put together from constants of this package only

import sqlite3
from collections.abc import Sequence
from typing import Any

from hermes_tui.core.memory import MAX_STRENGTH, Ended, Learnt, MemoryItem, Target
from hermes_tui.store.database import Database, moment, now
from hermes_tui.store.layout import storable_text

_COLUMNS = (
    "id, target, text, kind, origin, session, evidence, learnt_at, confirmed_at, ended_at, "
    "ending, superseded_by, strength, is_pinned"
)


class MemoryItems:
    """Keeps items and how they ended. Implements `core.memory.Ledger`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def items(self, *, with_ended: bool = False) -> list[MemoryItem]:
        """Those in the files now, or all there ever were; the oldest first.

        Raises:
            StoreError: they cannot be read.
        """
        where = "" if with_ended else "WHERE ended_at IS NULL"

        def work(connection: sqlite3.Connection) -> list[MemoryItem]:
            rows = connection.execute(f"SELECT {_COLUMNS} FROM memory_items {where} ORDER BY id")
            return [_item(row) for row in rows]

        return await self._database.read(work)

    async def record(
        self,
        target: Target,
        *,
        learnt: Sequence[Learnt] = (),
        ended: Sequence[Ended] = (),
        confirmed: Sequence[int] = (),
        restored: Sequence[int] = (),
    ) -> list[MemoryItem]:
        """Keep what one write did, all of it or nothing; the learnt items, as stored.

        Raises:
            StoreError: it cannot be written.
        """

        def work(connection: sqlite3.Connection) -> list[MemoryItem]:
            at = now()
            fresh = [_insert(connection, target, one, at) for one in learnt]
            connection.executemany(
                "UPDATE memory_items SET ended_at = NULL, ending = NULL, superseded_by = NULL "
                "WHERE id = ?",
                [(item,) for item in restored],
            )
            connection.executemany(
                "UPDATE memory_items SET ended_at = ?, ending = ?, superseded_by = ("
                "  SELECT max(id) FROM memory_items"
                "  WHERE target = ? AND text = ? AND ended_at IS NULL"
                ") WHERE id = ? AND ended_at IS NULL",
                [(at, one.ending, target, storable_text(one.by), one.id) for one in ended],
            )
            connection.executemany(
                "UPDATE memory_items SET confirmed_at = ?, strength = min(strength + 1, ?) "
                "WHERE id = ?",
                [(at, MAX_STRENGTH, item) for item in confirmed],
            )
            return [_by_id(connection, item) for item in fresh]

        return await self._database.write(work)

    async def pin(self, item: int, *, is_pinned: bool) -> None:
        """Keep an item from being squeezed out, or no longer.

        Raises:
            StoreError: it cannot be written.
        """
        await self._database.write(
            lambda connection: connection.execute(
                "UPDATE memory_items SET is_pinned = ? WHERE id = ?", (is_pinned, item)
            )
        )

    async def erase(self, item: int) -> None:
        """Remove an item and every other with the same text; their pages are overwritten.

        Raises:
            StoreError: it cannot be written.
        """

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("PRAGMA secure_delete = ON")
            same = "SELECT id FROM memory_items WHERE text = ("
            same += "SELECT text FROM memory_items WHERE id = ?)"
            connection.execute(
                f"UPDATE memory_items SET superseded_by = NULL WHERE superseded_by IN ({same})",
                (item,),
            )
            connection.execute(f"DELETE FROM memory_items WHERE id IN ({same})", (item,))

        await self._database.write(work)


def _insert(connection: sqlite3.Connection, target: Target, one: Learnt, at: int) -> int:
    source = one.source
    cursor = connection.execute(
        "INSERT INTO memory_items (target, text, kind, origin, session, evidence, learnt_at, "
        "confirmed_at, is_pinned) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            target,
            storable_text(one.text),
            one.kind,
            source.origin,
            source.session,
            storable_text(source.evidence),
            at,
            at,
            one.is_pinned,
        ),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def _by_id(connection: sqlite3.Connection, item: int) -> MemoryItem:
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM memory_items WHERE id = ?", (item,)
    ).fetchone()
    return _item(row)


def _item(row: tuple[Any, ...]) -> MemoryItem:
    *head, learnt_at, confirmed_at, ended_at, ending, superseded_by, strength, is_pinned = row
    return MemoryItem(
        *head,
        learnt_at=moment(learnt_at),
        confirmed_at=moment(confirmed_at),
        ended_at=None if ended_at is None else moment(ended_at),
        ending=ending,
        superseded_by=superseded_by,
        strength=strength,
        is_pinned=bool(is_pinned),
    )
