"""Facts kept across sessions, and the ledger that keeps all there ever were."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol

from msgspec import Struct

Target = Literal["memory", "user"]
"""Which file an item is in: what Hermes knows, or who the person is."""
Kind = Literal["fact", "preference", "project", "environment", "task"]
Origin = Literal["person", "agent", "hand", "import"]
"""Who put it there: the person through a command, the agent, an editor, another program."""
Ending = Literal["superseded", "archived", "forgotten"]

MAX_STRENGTH = 8


class Source(Struct, frozen=True):
    """Where something learnt comes from."""

    origin: Origin = "person"
    session: str = ""
    """The session's id; empty when there was none."""
    evidence: str = ""
    """A quote or a command that bears it out."""


class MemoryItem(Struct, frozen=True):
    """One thing the memory files hold or once held."""

    id: int
    target: Target
    text: str
    kind: Kind
    origin: Origin
    session: str
    evidence: str
    learnt_at: datetime
    confirmed_at: datetime
    ended_at: datetime | None = None
    """None while it is in the file."""
    ending: Ending | None = None
    superseded_by: int | None = None
    strength: int = 0
    """How often it proved useful or was learnt again, up to `MAX_STRENGTH`."""
    is_pinned: bool = False


class Learnt(Struct, frozen=True):
    """An item new to a file."""

    text: str
    kind: Kind
    source: Source
    is_pinned: bool = False


class Ended(Struct, frozen=True):
    """An item that left a file."""

    id: int
    ending: Ending
    by: str = ""
    """The text, by then in the file, that takes its place."""


class Ledger(Protocol):
    """Keeps every item. All methods raise `StoreError` when the store cannot serve."""

    async def items(self, *, with_ended: bool = False) -> list[MemoryItem]:
        """Those in the files now, or all there ever were; the oldest first."""
        ...

    async def record(
        self,
        target: Target,
        *,
        learnt: Sequence[Learnt] = (),
        ended: Sequence[Ended] = (),
        confirmed: Sequence[int] = (),
        restored: Sequence[int] = (),
    ) -> list[MemoryItem]:
        """Keep what one write did, all of it or nothing; the learnt items, as stored."""
        ...

    async def pin(self, item: int, *, is_pinned: bool) -> None: ...

    async def erase(self, item: int) -> None:
        """Remove an item and every other with the same text, without a trace."""
        ...
