"""Skills: what is known of one, and the records kept of their use."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol

from msgspec import Struct

Origin = Literal["person", "agent", "hub", "bundled", "foreign", "project"]
"""Who wrote it: the person, Hermes, somebody it was installed from, Hermes's makers, somebody
whose other tool keeps it, or the project one works in."""
Outcome = Literal["verified", "success", "correction", "failure", "interrupted"]
"""How the task went after a skill was loaded: a check passed, it ended well as far as anybody can
tell, the person had to correct it, it failed, or it was stopped."""
How = Literal["loaded", "hinted"]
"""The model loaded it, or it was only pointed out."""


class Skill(Struct, frozen=True):
    """What is known of a skill without its body."""

    name: str
    category: str
    """The folder it lies in; empty at the top."""
    description: str
    path: Path
    """Its folder."""
    origin: Origin = "person"
    metadata: Mapping[str, str] = {}
    """Flat: `hermes-origin`, `hermes-requires-toolsets` and the like."""
    problems: tuple[str, ...] = ()
    """What deserves mending, a sentence each; it can be used all the same."""
    stamp: str = ""
    """Changes when `SKILL.md` does; begins with when that was, in nanoseconds since 1970."""

    @property
    def is_pinned(self) -> bool:
        return self.metadata.get("hermes-pinned", "") == "true"

    @property
    def changed_at(self) -> datetime | None:
        """When its `SKILL.md` was last written; None where nobody has looked."""
        nanoseconds = self.stamp.partition("-")[0]
        if not nanoseconds.isdecimal():
            return None
        return datetime.fromtimestamp(int(nanoseconds) / 1e9, UTC)

    def words(self, key: str) -> tuple[str, ...]:
        """The words of `metadata["hermes-" + key]`, e.g. of `requires-toolsets`."""
        return tuple(self.metadata.get(f"hermes-{key}", "").replace(",", " ").split())


class Use(Struct, frozen=True):
    """One time a skill came into play."""

    id: int
    skill: str
    version: int
    session: str
    at: datetime
    how: How
    outcome: Outcome | None = None
    """None while the task runs, and for good where nobody can tell."""
    note: str = ""
    """What went wrong, or what proved it right."""


class Found(Struct, frozen=True):
    """A skill that fits some words."""

    name: str
    score: float
    """BM25, higher is better; comparable within one search only."""
    relevance: float
    """`score` times the share of the words' weight it covers; comparable between searches."""


class SkillIndex(Protocol):
    """Finds skills by words. Raises `StoreError` when the store cannot serve."""

    async def sync(self, skills: Sequence[Skill], body: Callable[[Skill], str]) -> None:
        """Take in what is new or changed, drop what is gone; cheap when nothing is.

        `body` reads the text of a skill; it is called in a thread, for those that changed.
        """
        ...

    async def find(self, words: str, *, limit: int = 10) -> list[Found]:
        """The best first; nothing when no word is known."""
        ...


class SkillUses(Protocol):
    """Keeps uses and their outcomes. Raises `StoreError` when the store cannot serve."""

    async def record(self, skill: str, *, version: int, session: str, how: How) -> None:
        """A skill came into play; again in the same task changes nothing."""
        ...

    async def judge(self, use: int, outcome: Outcome, note: str = "") -> None:
        """How the task with a use went; also otherwise than was said before."""
        ...

    async def of(self, skill: str) -> list[Use]:
        """All uses of one skill, the oldest first."""
        ...

    async def of_session(self, session: str) -> list[Use]:
        """All uses in one session, the oldest first."""
        ...

    async def all(self) -> dict[str, list[Use]]:
        """All uses by skill, the oldest first."""
        ...

    async def count(self, name: str, many: int = 1) -> int:
        """More of something that is counted across sessions; how many there are now."""
        ...

    async def take(self, name: str, many: int) -> bool:
        """Take `many` off a count if it has come that far: one process at most succeeds."""
        ...
