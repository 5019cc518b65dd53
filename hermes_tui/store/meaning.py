"""Searching by meaning: the vectors of what is stored, and of what is asked."""

import sqlite3
from collections.abc import Callable, Sequence

from msgspec import Struct

from hermes_tui.core.embedding import Embedder
from hermes_tui.core.errors import (
    ConfigError,
    ContentRefusedError,
    ContextOverflowError,
    ModelError,
)
from hermes_tui.store.database import Database
from hermes_tui.store.indexes import Filter
from hermes_tui.store.usage import UsageLedger
from hermes_tui.store.vectors import Pending, Vectors, near_sessions

QUERY_SECONDS = 0.4
"""How long a search waits for the vector of what is looked for."""
BATCH = 64
MOST_AT_ONCE = 640
"""How many texts are caught up with at a time, so that idle time stays free for other things."""


class Meant(Struct, frozen=True):
    """What a query means, as far as it could be found out."""

    model: str = ""
    vector: tuple[float, ...] = ()
    problem: str = ""
    """Why only words are compared, as a sentence; empty when they are not alone."""

    def near(self, connection: sqlite3.Connection, within: Filter) -> dict[int, float]:
        """Keys of sessions that say so in other words, the nearest first."""
        if not self.vector:
            return {}
        return near_sessions(connection, self.model, self.vector, within)


class Meaning:
    """Joins the model of vectors to what is stored of it.

    Args:
        embedder: Called when it is first needed; may raise `ConfigError` or `ModelError`.
    """

    def __init__(
        self,
        database: Database,
        usage: UsageLedger,
        embedder: Callable[[], Embedder],
        *,
        query_seconds: float = QUERY_SECONDS,
    ) -> None:
        self.vectors = Vectors(database)
        self._usage = usage
        self._embedder = embedder
        self._query_seconds = query_seconds

    async def of(self, query: str) -> Meant:
        """The vector of a query, or why there is none; never raises a `ModelError`."""
        try:
            embedder = self._embedder()
            if not await self.vectors.has_any(embedder.name):
                return Meant(
                    problem=f"Only words were compared: nothing has a vector of {embedder.name} "
                    "yet; the screen makes them in idle time."
                )
            found = await embedder.embed([query], purpose="query", seconds=self._query_seconds)
        except (ConfigError, ModelError) as error:
            return Meant(problem=f"Only words were compared: {error.message}")
        await self._usage.record("", found.usage, embedder.name)
        return Meant(embedder.name, found.vectors[0])

    async def catch_up(self, *, limit: int = MOST_AT_ONCE) -> int:
        """Make vectors of what has none of this model; returns of how many texts.

        Raises:
            ConfigError: the model cannot be had as it is named.
            ModelError: it failed; what was made before is kept.
            StoreError: the store cannot be read or written.
        """
        embedder = self._embedder()
        done = 0
        while done < limit:
            texts = await self.vectors.pending(embedder.name, limit=min(BATCH, limit - done))
            if not texts:
                break
            await self._embed(embedder, texts)
            done += len(texts)
        return done

    async def _embed(self, embedder: Embedder, texts: Sequence[Pending]) -> None:
        try:
            found = await embedder.embed([one.text for one in texts])
        except (ContextOverflowError, ContentRefusedError):
            if len(texts) == 1:
                # Not to be asked for again; a vector without numbers is near to nothing.
                await self.vectors.put(embedder.name, [(texts[0], ())])
                return
            for one in texts:
                await self._embed(embedder, [one])
            return
        pairs = zip(texts, found.vectors, strict=True)
        await self.vectors.put(embedder.name, pairs)
        await self._usage.record("", found.usage, embedder.name)
