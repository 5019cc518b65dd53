"""What texts mean, as vectors: kept as half floats, and compared one by one.

There are as many as sessions, not as messages: hundreds, seldom thousands. Where comparing
all of them would take too long without numpy, their signs choose which are compared.
"""

import sqlite3
import struct
from collections.abc import Iterable, Sequence
from functools import cache
from heapq import nlargest, nsmallest
from importlib import import_module
from importlib.util import find_spec
from operator import mul
from typing import Any, Literal

from msgspec import Struct

from hermes_tui.store.database import Database
from hermes_tui.store.indexes import Filter

Kind = Literal["summary", "memory"]

NEAREST = 20
"""How many texts can be near a question."""
EXACT_VALUES = 800_000
"""How many numbers are compared one by one without numpy, about 35 ms."""
SAMPLE = 100
"""How many texts show how near those are that have nothing to do with a question."""
FLOOR = 0.25
"""A similarity (cosine) below this is none, whatever the model."""
FEW = 12
"""With fewer texts nobody can say how near unrelated ones are."""
SPREADS = 3.0

_SIGNS = bytes([ord("0")] * 128 + [ord("1")] * 128)
"""The last byte of a half float, as the digit of its sign."""


class Pending(Struct, frozen=True):
    """A text without a vector."""

    kind: Kind
    ref: int
    """Its id in `summaries` or `memory_items`."""
    text: str


class Vectors:
    """One vector a text, of the model used last; it goes with its text."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pending(self, model: str, *, limit: int) -> list[Pending]:
        """Summaries and remembered items without a vector of `model`, the newest first.

        Raises:
            StoreError: they cannot be read.
        """

        def work(connection: sqlite3.Connection) -> list[Pending]:
            rows = connection.execute(
                "SELECT 'summary' AS kind, t.id, t.text FROM summaries t "
                "JOIN sessions s ON s.key = t.session WHERE s.deleted_at IS NULL "
                "AND NOT EXISTS (SELECT 1 FROM embeddings "
                " WHERE kind = 'summary' AND ref = t.id AND model = ?1) "
                "UNION ALL SELECT 'memory', t.id, t.text FROM memory_items t "
                "WHERE t.ended_at IS NULL AND NOT EXISTS (SELECT 1 FROM embeddings "
                " WHERE kind = 'memory' AND ref = t.id AND model = ?1) "
                "ORDER BY 1 DESC, 2 DESC LIMIT ?2",
                (model, limit),
            )
            return [Pending(*row) for row in rows]

        return await self._database.read(work)

    async def put(self, model: str, found: Iterable[tuple[Pending, Sequence[float]]]) -> None:
        """Keep vectors of one length; an empty one says that the model cannot read the text.

        A vector whose text has gone meanwhile is dropped, and so are others of the same model
        with other dimensions.

        Raises:
            StoreError: they cannot be written.
        """
        rows = [
            (one.kind, one.ref, model, len(vector), struct.pack(f"<{len(vector)}e", *vector))
            for one, vector in found
        ]

        dims = max((row[3] for row in rows), default=0)

        def work(connection: sqlite3.Connection) -> None:
            if dims:
                connection.execute(
                    "DELETE FROM embeddings WHERE model = ? AND dims NOT IN (0, ?)", (model, dims)
                )
            connection.executemany(
                "INSERT INTO embeddings (kind, ref, model, dims, vector) "
                "SELECT ?1, ?2, ?3, ?4, ?5 WHERE ?2 IN (SELECT id FROM summaries "
                " WHERE ?1 = 'summary' UNION ALL SELECT id FROM memory_items WHERE ?1 = 'memory') "
                "ON CONFLICT (kind, ref) DO UPDATE "
                "SET model = excluded.model, dims = excluded.dims, vector = excluded.vector",
                rows,
            )

        await self._database.write(work)

    async def get(self, kind: Kind, ref: int, model: str) -> tuple[float, ...] | None:
        """The vector of a text, as far as half floats keep it."""

        def work(connection: sqlite3.Connection) -> tuple[float, ...] | None:
            row = connection.execute(
                "SELECT dims, vector FROM embeddings WHERE kind = ? AND ref = ? AND model = ?",
                (kind, ref, model),
            ).fetchone()
            return None if row is None else struct.unpack(f"<{row[0]}e", row[1])

        return await self._database.read(work)

    async def has_any(self, model: str) -> bool:
        """Whether any summary has a vector of `model`."""

        def work(connection: sqlite3.Connection) -> bool:
            row = connection.execute(
                "SELECT 1 FROM embeddings WHERE kind = 'summary' AND model = ? AND dims > 0",
                (model,),
            ).fetchone()
            return row is not None

        return await self._database.read(work)


def near_sessions(
    connection: sqlite3.Connection, model: str, vector: Sequence[float], within: Filter
) -> dict[int, float]:
    """Keys of the sessions whose summaries mean what `vector` does, with their similarity.

    The nearest first. Takes up to 50 ms, so it has no place on the event loop.
    """
    rows = connection.execute(
        "SELECT m.session, e.vector FROM embeddings e JOIN summaries m ON m.id = e.ref "  # noqa: S608
        "JOIN sessions s ON s.key = m.session "
        f"WHERE e.kind = 'summary' AND e.model = ? AND e.dims = ? AND {within.condition}",
        (model, len(vector), *within.parameters),
    ).fetchall()
    found = nearest(vector, [blob for _, blob in rows])
    return {rows[place][0]: similarity for place, similarity in found.items()}


def nearest(vector: Sequence[float], blobs: Sequence[bytes]) -> dict[int, float]:
    """Places of the vectors that stand out as near, with their similarity, the nearest first."""
    if not blobs:
        return {}
    places: Iterable[int] = range(len(blobs))
    background = places
    rate = _rate
    if len(blobs) * len(vector) > EXACT_VALUES:
        if _numpy() is not None:
            rate = _rate_by_numpy
        else:
            background = range(0, len(blobs), max(1, len(blobs) // SAMPLE))
            room = max(EXACT_VALUES // len(vector) - len(background), NEAREST)
            places = _nearest_by_sign(vector, blobs, room)
    every = sorted({*places, *background})
    rated = dict(zip(every, rate(vector, [blobs[place] for place in every]), strict=True))
    needed = _needed([rated[place] for place in background])
    best = nlargest(NEAREST, rated, key=rated.__getitem__)
    return {place: rated[place] for place in best if rated[place] >= needed}


def _needed(similarities: Sequence[float]) -> float:
    """The similarity above which a text stands out from those that are unrelated.

    Models differ in how near they put any two texts, so it is measured: most texts have nothing
    to do with a question, and the lower half of them shows how far those spread.
    """
    if len(similarities) < FEW:
        return FLOOR
    ordered = sorted(similarities)
    median, low = ordered[len(ordered) // 2], ordered[len(ordered) // 6]
    return max(FLOOR, median + SPREADS * (median - low))


def _rate(vector: Sequence[float], blobs: Sequence[bytes]) -> list[float]:
    unpack = struct.Struct(f"<{len(vector)}e").unpack
    return [sum(map(mul, vector, unpack(blob))) for blob in blobs]


def _rate_by_numpy(vector: Sequence[float], blobs: Sequence[bytes]) -> list[float]:
    numpy = _numpy()
    table = numpy.frombuffer(b"".join(blobs), dtype="<f2").reshape(len(blobs), len(vector))
    return (table.astype("f4") @ numpy.asarray(vector, dtype="f4")).tolist()


def _nearest_by_sign(vector: Sequence[float], blobs: Sequence[bytes], count: int) -> list[int]:
    """Those with the most signs in common, which nearly always include the nearest."""
    wanted = _signs(struct.pack(f"<{len(vector)}e", *vector))
    apart = [(_signs(blob) ^ wanted).bit_count() for blob in blobs]
    return nsmallest(count, range(len(blobs)), key=apart.__getitem__)


def _signs(blob: bytes) -> int:
    return int(blob[1::2].translate(_SIGNS), 2)


@cache
def _numpy() -> Any:
    """numpy, imported only where there is much to compare; None where it is missing."""
    return None if find_spec("numpy") is None else import_module("numpy")
