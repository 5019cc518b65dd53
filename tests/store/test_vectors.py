"""Vectors in the store: kept, replaced, gone with their texts, compared."""

import random
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from hermes_tui.core.memory import Learnt, Source
from hermes_tui.core.messages import user
from hermes_tui.store import vectors
from hermes_tui.store.database import Database
from hermes_tui.store.store import Store
from hermes_tui.store.summaries import Note
from hermes_tui.store.vectors import Vectors, nearest
from tests.store.conftest import begin


async def noted(store: Store, summary: str) -> str:
    """A session with a note."""
    record = await begin(store)
    await store.messages.append(record.id, user("hello"))
    await store.summaries.put(record.id, Note(summary=summary), upto=1, method="extractive")
    return record.id


async def remembered(store: Store, text: str) -> int:
    learnt = Learnt(text, "fact", Source("person", "", ""))
    (item,) = await store.memory_items.record("memory", learnt=[learnt])
    return item.id


async def test_what_has_no_vector_of_this_model_is_pending(store: Store, path: Path) -> None:
    await noted(store, "First.")
    await noted(store, "Second.")
    item = await remembered(store, "The port is 9000.")
    async with Database.open(path) as database:
        kept = Vectors(database)
        found = await kept.pending("a/m", limit=9)
        assert [one.text for one in found] == ["Second.", "First.", "The port is 9000."]
        await kept.put("a/m", [(one, (1.0, 0.0)) for one in found])
        assert await kept.pending("a/m", limit=9) == []
        assert await kept.get("memory", item, "a/m") == (1.0, 0.0)
        assert len(await kept.pending("b/m", limit=9)) == 3
        assert (await kept.has_any("a/m"), await kept.has_any("b/m")) == (True, False)


async def test_a_vector_goes_with_its_text(store: Store, path: Path) -> None:
    session = await noted(store, "First.")
    item = await remembered(store, "The port is 9000.")
    async with Database.open(path) as database:
        kept = Vectors(database)
        first, fact = await kept.pending("a/m", limit=9)
        await kept.put("a/m", [(first, (1.0,)), (fact, (1.0,))])
        await store.summaries.put(session, Note(summary="Changed."), upto=1, method="extractive")
        (changed,) = await kept.pending("a/m", limit=9)
        assert (changed.text, await kept.get("summary", first.ref, "a/m")) == ("Changed.", None)
        await kept.put("a/m", [(first, (1.0,))])  # what was asked for before the change
        assert await kept.get("summary", first.ref, "a/m") is None
        await store.memory_items.erase(item)
        assert await kept.get("memory", item, "a/m") is None


async def test_other_dimensions_of_the_same_model_are_made_anew(store: Store, path: Path) -> None:
    await noted(store, "First.")
    await noted(store, "Second.")
    async with Database.open(path) as database:
        kept = Vectors(database)
        second, first = await kept.pending("a/m", limit=9)
        await kept.put("a/m", [(first, (1.0, 0.0))])
        await kept.put("a/m", [(second, ())])  # unreadable: no dimensions, no vote
        assert await kept.pending("a/m", limit=9) == []
        await kept.put("a/m", [(second, (1.0, 0.0, 0.0))])
        assert await kept.pending("a/m", limit=9) == [first]


async def test_a_deleted_session_is_not_pending(store: Store, path: Path) -> None:
    session = await noted(store, "First.")
    async with Database.open(path) as database:
        kept = Vectors(database)
        assert [one.kind for one in await kept.pending("a/m", limit=9)] == ["summary"]
        await store.sessions.delete(session)
        assert await kept.pending("a/m", limit=9) == []


def cloud(count: int, dims: int, *, seed: int = 1) -> tuple[list[float], list[bytes]]:
    """A direction, and vectors around nothing of which the 7th and the last go that way."""
    chance = random.Random(seed)
    wanted = [chance.gauss(0, 1) for _ in range(dims)]
    rows: list[bytes] = []
    for number in range(count):
        pull = 1.0 if number in (7, count - 1) else 0.0
        row = [chance.gauss(0, 1) + pull * value for value in wanted]
        length = sum(value * value for value in row) ** 0.5
        rows.append(struct.pack(f"<{dims}e", *(value / length for value in row)))
    length = sum(value * value for value in wanted) ** 0.5
    return [value / length for value in wanted], rows


@pytest.mark.parametrize("count", [9, 50, 2000, 3000])
def test_only_those_that_stand_out_are_near(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "_numpy", lambda: None)
    wanted, rows = cloud(count, 384)
    found = nearest(wanted, rows)
    assert set(found) == {7, count - 1}
    assert list(found.values()) == sorted(found.values(), reverse=True)
    unrelated = [random.Random(9).gauss(0, 1 / 384**0.5) for _ in range(384)]
    assert nearest(unrelated, rows) == {}


def test_with_and_without_numpy_the_same_are_near(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numpy")
    wanted, rows = cloud(3000, 384)
    by_numpy = nearest(wanted, rows)
    monkeypatch.setattr(vectors, "_numpy", lambda: None)
    assert nearest(wanted, rows) == pytest.approx(by_numpy, abs=1e-3)


def test_a_model_that_puts_any_two_texts_near_still_tells_them_apart() -> None:
    wanted, rows = cloud(60, 384)
    chance = random.Random(5)
    offset = [chance.gauss(0, 1) for _ in wanted]

    def shifted(vector: Sequence[float]) -> list[float]:
        scale = len(vector) ** 0.5
        moved = [scale * value + 1.5 * more for value, more in zip(vector, offset, strict=True)]
        length = sum(value * value for value in moved) ** 0.5
        return [value / length for value in moved]

    crowded = [struct.pack("<384e", *shifted(struct.unpack("<384e", row))) for row in rows]
    first, second, *others = nearest(shifted(wanted), crowded)
    assert {first, second} == {7, 59}
    assert len(others) <= 1  # chance puts one text in 700 so far out
