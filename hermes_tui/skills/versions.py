"""What is said about a change to a skill, and what its history tells of it."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

Action = Literal[
    "create", "refine", "edit", "rollback", "archive", "restore", "install", "merge", "resolve"
]


class Change(Struct, frozen=True, kw_only=True):
    """A change about to be made, and why."""

    skill: str
    """The path of its folder below the skills, with `/`, as in `git/bisect`."""
    action: Action
    reason: str
    session: str = ""
    outcome: str = ""
    confidence: tuple[float, float] | None = None
    """Before and after, each from 0 to 1; two decimals are kept."""
    by_user: bool = False


class Version(Struct, frozen=True, kw_only=True):
    """One version of a skill: one commit."""

    skill: str
    number: int
    """From 1, never given twice; 0 where no history could be written."""
    commit: str
    """40 hexadecimal digits; empty where no history could be written."""
    at: datetime
    """In UTC, to the second."""
    by_user: bool
    action: Action
    reason: str
    session: str = ""
    outcome: str = ""
    confidence: tuple[float, float] | None = None


class BlamedLine(Struct, frozen=True):
    """A line of a file and the version it came with."""

    number: int
    """Of the version."""
    by_user: bool
    at: datetime
    text: str
    """Without its line end."""
