"""The skills on disk: where they are looked for, and which one counts when names meet."""

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import msgspec
from msgspec import Struct

from hermes_tui.core.errors import ConfigError, NotFoundError
from hermes_tui.core.skills import Origin, Skill
from hermes_tui.skills.skill import FILE, read_skill

LOG = logging.getLogger(__name__)

MAX_DEPTH = 5
"""Folders a skill may lie below the one that is searched."""
MAX_FOLDERS = 20_000
SKIPPED = frozenset({"node_modules", "__pycache__", "scripts", "references", "assets"})
"""Folders in which no skill is looked for."""
LINKED = "It is a link. Copy the folder itself, or name the folder it is in under `skills.folders`."
_FORMAT = 1
"""Of the cache; one of another format is made anew."""


class Root(Struct, frozen=True):
    """A folder skills are looked for in."""

    folder: Path
    origin: Origin


class Broken(Struct, frozen=True):
    """A skill that cannot be used."""

    path: Path
    problem: str


class Shelf(Struct, frozen=True):
    """What a look at the folders found."""

    skills: tuple[Skill, ...]
    """By category and name; each name once."""
    broken: tuple[Broken, ...] = ()
    hidden: tuple[Skill, ...] = ()
    """Of the same name as one that comes earlier."""

    def find(self, name: str) -> Skill | None:
        return next((skill for skill in self.skills if skill.name == name), None)

    def get(self, name: str) -> Skill:
        """The skill called `name`.

        Raises:
            NotFoundError: there is none; names the nearest.
        """
        if skill := self.find(name):
            return skill
        from difflib import get_close_matches

        known = [skill.name for skill in self.skills]
        near = get_close_matches(name, known, n=3, cutoff=0.5)
        raise NotFoundError(
            f"There is no skill {name!r}.",
            hint=f"Did you mean {' or '.join(near)}?" if near else "See `hermes skills list`.",
        )


class _Seen(Struct, frozen=True, array_like=True):
    """A `SKILL.md` as it was read before."""

    stamp: str
    skill: Skill | None
    problem: str = ""


class _Cache(Struct, frozen=True, array_like=True):
    format: int = _FORMAT
    seen: dict[str, _Seen] = {}


class Library:
    """Reads skills; heads that have not changed are not read again.

    Args:
        roots: Where to look; an earlier one wins.
        cache: A file to remember heads in; it may be deleted at any time.
    """

    def __init__(self, roots: Sequence[Root], *, cache: Path | None = None) -> None:
        self.roots = tuple(roots)
        self._cache_file = cache
        self._cache: dict[str, _Seen] | None = None

    def load(self) -> Shelf:
        """Every skill there is now. Takes 50 µs each when nothing has changed."""
        known = self._remembered()
        seen: dict[str, _Seen] = {}
        found: dict[str, Skill] = {}
        hidden: list[Skill] = []
        broken: list[Broken] = []
        for root in self.roots:
            for folder, problem in _skill_folders(root.folder):
                if problem:
                    broken.append(Broken(folder, problem))
                    continue
                key = f"{root.origin}:{folder}"
                seen[key] = one = _looked_at(folder, root, known.get(key))
                if one.skill is None:
                    broken.append(Broken(folder, one.problem))
                else:
                    _place(one.skill, found, hidden, root)
        if seen != known:
            self._remember(seen)
        ordered = sorted(found.values(), key=lambda skill: (skill.category, skill.name))
        return Shelf(tuple(ordered), tuple(broken), tuple(hidden))

    def _remembered(self) -> dict[str, _Seen]:
        if self._cache is None:
            self._cache = {}
            if self._cache_file is not None:
                try:
                    read = msgspec.msgpack.decode(
                        self._cache_file.read_bytes(), type=_Cache, dec_hook=_decoded
                    )
                    self._cache = read.seen if read.format == _FORMAT else {}
                except (OSError, msgspec.MsgspecError):
                    pass
        return self._cache

    def _remember(self, seen: dict[str, _Seen]) -> None:
        self._cache = seen
        if self._cache_file is None:
            return
        encoded = msgspec.msgpack.encode(_Cache(seen=seen), enc_hook=str)
        beside = self._cache_file.with_suffix(f".{os.getpid()}")
        try:
            beside.write_bytes(encoded)
            beside.replace(self._cache_file)
        except OSError as error:
            LOG.info("The cache of skills is not kept: %s", error)


def list_skills(*folders: Path) -> list[Skill]:
    """Every readable skill below `folders`, by category and name; an earlier folder wins."""
    return list(Library([Root(folder, "person") for folder in folders]).load().skills)


def _looked_at(folder: Path, root: Root, before: _Seen | None) -> _Seen:
    try:
        status = os.lstat(folder / FILE)
    except OSError as error:
        return _Seen("", None, f"Its SKILL.md cannot be read: {error.strerror}.")
    stamp = f"{status.st_mtime_ns}-{status.st_size}-{status.st_ino}"
    if before is not None and before.stamp == stamp:
        return before
    category = folder.parent.relative_to(root.folder).as_posix()
    try:
        skill = read_skill(
            folder, category="" if category == "." else category, origin=root.origin, stamp=stamp
        )
    except ConfigError as error:
        return _Seen(stamp, None, str(error))
    return _Seen(stamp, skill)


def _place(skill: Skill, found: dict[str, Skill], hidden: list[Skill], root: Root) -> None:
    """Take a skill in. In one root, a folder of that name goes before one that only claims it."""
    other = found.setdefault(skill.name, skill)
    if other is skill:
        return
    is_claimed = other.path.is_relative_to(root.folder) and other.path.name != skill.name
    if is_claimed and skill.path.name == skill.name:
        found[skill.name], skill = skill, other
    hidden.append(skill)


def _skill_folders(root: Path) -> Iterator[tuple[Path, str]]:
    """Folders with a `SKILL.md`, in order of their paths; with a problem those not looked into.

    Folders whose names begin with a dot are passed over.
    """
    waiting = [(str(root), 0)]
    visited = 0
    while waiting:
        folder, depth = waiting.pop()
        visited += 1
        if visited > MAX_FOLDERS:
            yield Path(folder), f"More than {MAX_FOLDERS:,} folders: this and others are left out."
            return
        names, inner, links = _listed(folder)
        yield from ((Path(link), LINKED) for link in links)
        if depth > 0 and FILE in names:
            yield Path(folder), ""
        elif depth > 0 and (wrong := [name for name in names if name.upper() == FILE.upper()]):
            yield Path(folder), f"Its file is called {wrong[0]}. Rename it to {FILE}."
        elif depth >= MAX_DEPTH and inner:
            yield Path(folder), f"It lies deeper than {MAX_DEPTH} folders; nothing below is read."
        else:
            waiting.extend((path, depth + 1) for path in sorted(inner, reverse=True))


def _listed(folder: str) -> tuple[set[str], list[str], list[str]]:
    """Names of all there is in a folder, then paths of its folders and of links to skills."""
    names: set[str] = set()
    inner: list[str] = []
    links: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                names.add(entry.name)
                if entry.name.startswith(".") or entry.name in SKIPPED:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    inner.append(entry.path)
                elif entry.is_symlink() and os.path.exists(os.path.join(entry.path, FILE)):  # noqa: PTH110, PTH118
                    links.append(entry.path)
    except OSError:
        return names, [], []
    return names, inner, links


def _decoded(kind: type, value: object) -> object:
    return Path(cast("str", value)) if issubclass(kind, Path) else value
