"""Whether what is remembered is still true, as far as cheap checks on this machine tell."""

import re
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from hermes_tui.core.memory import MemoryItem
from hermes_tui.memory.decay import LIFE_DAYS
from hermes_tui.memory.subjects import claim, contradiction, supersedes

STALE_LIVES = 4
"""An item that nobody confirmed for so many times its life is in doubt."""
COMPARED = 50
"""Of one subject so many items at most are compared."""

_PATH = re.compile(r"(?<![\w/:.~$])(~?/[\w.@+-][\w.@+/-]*)")
_COMMAND = re.compile(
    r"(?i:\b(?:runs?|running|commands?)\s+)`([a-z][\w.+-]*)(?=[ `])|`([a-z][a-z0-9+-]*) [^`]+`"
)
_NO_PROGRAMS = frozenset(
    {
        "alias", "async", "await", "cd", "class", "const", "create", "def", "delete", "eval",
        "exec", "export", "for", "from", "function", "if", "import", "insert", "let", "return",
        "select", "set", "source", "unset", "update", "var", "while", "with",
    }
)  # fmt: skip
"""What code in an entry may begin with that is found on no `PATH`."""
_SYSTEM_ROOTS = frozenset(
    {
        "bin", "boot", "dev", "etc", "home", "lib", "mnt", "opt", "proc", "root", "run", "sbin",
        "srv", "sys", "tmp", "usr", "var", "Applications", "Library", "Users",
    }
)  # fmt: skip
"""What a path of this machine begins with, rather than one of an address."""


class Doubt(Struct, frozen=True):
    """An item that may be out of date."""

    item: MemoryItem
    reason: str
    """A sentence."""
    is_replaced: bool = False
    """A newer item says otherwise."""


class Conflict(Struct, frozen=True):
    """Two items that cannot both be true; which one is, a person decides."""

    older: MemoryItem
    newer: MemoryItem
    reason: str


def doubts(items: Sequence[MemoryItem], at: datetime) -> list[Doubt]:
    """The items in doubt, each with the first reason found. Looks at the disk."""
    found: list[Doubt] = []
    claims = [(claim(item.text), item) for item in items]
    about: dict[tuple[str, ...], list[MemoryItem]] = {}
    for one, item in claims:
        if one is not None:
            about.setdefault(one.subject, []).append(item)
    for one, item in claims:
        if one and (newer := _newer(item, about[one.subject][:COMPARED])):
            said = newer.text.removesuffix(".")
            found.append(Doubt(item, f"A newer item says otherwise: {said!r}.", True))
        elif reason := _outdated(item, at):
            found.append(Doubt(item, reason))
    return found


def conflicts(items: Sequence[MemoryItem]) -> list[Conflict]:
    """Pairs of items that contradict each other by their wording."""
    found: list[Conflict] = []
    for position, item in enumerate(items):
        for other in items[position + 1 :]:
            if reason := contradiction(item.text, other.text):
                older, newer = sorted((item, other), key=_age)
                found.append(Conflict(older, newer, reason))
    return found


def _newer(item: MemoryItem, items: Sequence[MemoryItem]) -> MemoryItem | None:
    later = (other for other in items if _age(other) > _age(item))
    return next((other for other in later if supersedes(other.text, item.text)), None)


def _age(item: MemoryItem) -> tuple[datetime, int]:
    return item.learnt_at, item.id


def _outdated(item: MemoryItem, at: datetime) -> str:
    for path in _PATH.findall(item.text):
        if _is_missing(path.rstrip(".,/")):
            return f"{path.rstrip('.,')} is not on this machine."
    for match in _COMMAND.finditer(item.text):
        command = str(match[1] or match[2])
        if command not in _NO_PROGRAMS and not _is_command(command):
            return f"`{command}` is not among the commands of this machine."
    days = (at - item.confirmed_at).days
    if not item.is_pinned and days > STALE_LIVES * LIFE_DAYS[item.kind]:
        return f"Nothing has confirmed it for {days} days."
    return ""


def _is_command(name: str) -> bool:
    return shutil.which(name) is not None  # pyright: ignore[reportDeprecated]  for Windows only


def _is_missing(path: str) -> bool:
    """Whether a path is surely one of this machine, and is not there."""
    try:
        full = Path(path).expanduser()
        if not path.startswith("~") and full.parts[1] not in _SYSTEM_ROOTS:
            return False  # as likely the path of an address, or of something in a container
        return not full.exists()
    except (OSError, RuntimeError, IndexError):
        return False
