"""Packages of skills as they come: which skills are in one, and what keeps a skill out.

A package is a list of names with contents; nothing of it is written anywhere here. Whatever is
wrong with a skill (a name that leads elsewhere, a link, too much of it) rules out that skill.
"""

import hashlib
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Literal

from msgspec import Struct

from hermes_tui.core.errors import ConfigError, HermesError, NotFoundError
from hermes_tui.safety.terminal_text import visible_line
from hermes_tui.skills.skill import FILE

MAX_FILES = 500
"""Of one skill."""
MAX_BYTES = 5 * 1024 * 1024
"""Of one skill."""
MAX_ENTRIES = 20_000
"""Of a package; one with more is not looked through."""
MAX_SKILLS = 200
MAX_PACKAGE_BYTES = 100 * 1024 * 1024
"""Read from a package, or downloaded for it."""
MAX_PATH_BYTES = 400
MAX_PARTS = 10
_SHOWN = 5


class Entry(Struct, frozen=True):
    """One name in a package."""

    path: str
    """As the package spells it."""
    kind: Literal["file", "link", "device", "submodule"]
    read: Callable[[int], bytes]
    """The content, at most that many bytes of it. Raises OSError, ValueError and the like."""


class Parcel(Struct, frozen=True):
    """One skill of a package."""

    folder: str
    """Where it is in the package; empty at the top."""
    files: Mapping[str, bytes]
    """By path below its folder; nothing when it has faults."""
    faults: tuple[str, ...] = ()
    """Why it cannot be taken, a sentence each."""
    left_out: tuple[str, ...] = ()
    """Hidden files and such, which are never taken."""

    @property
    def tree(self) -> str:
        return tree_hash(self.files)


class Package(Struct, frozen=True):
    """What a source holds."""

    parcels: tuple[Parcel, ...]
    strays: tuple[str, ...] = ()
    """What is wrong with names that belong to no skill, a sentence each."""


def tree_hash(files: Mapping[str, bytes]) -> str:
    """A name for exactly these files: 64 hexadecimal digits (SHA-256)."""
    whole = hashlib.sha256()
    for path in sorted(files):
        content = hashlib.sha256(files[path]).hexdigest()
        whole.update(f"{len(path.encode('utf-8', 'surrogateescape'))}:".encode())
        whole.update(path.encode("utf-8", "surrogateescape") + f"\0{content}\n".encode())
    return whole.hexdigest()


def path_fault(path: str) -> str:
    """Why a name may not become a file's, as the end of a sentence; empty when it may."""
    parts = path.split("/")
    if path.startswith(("/", "~")) or "\\" in path or (len(path) > 1 and path[1] == ":"):
        return "leads out of the package"
    if ".." in parts:
        return "leads out of the package"
    if not path.isprintable():
        return "has characters that cannot be shown"
    if any(part in {"", "."} or part != part.strip() or part.endswith(".") for part in parts):
        return "is no plain path"
    if len(path.encode()) > MAX_PATH_BYTES or len(parts) > MAX_PARTS:
        return "is too long"
    return ""


def unpacked(entries: Iterable[Entry], *, inside: str = "") -> Package:
    """The skills among `entries`, those below `inside` only; their contents are read.

    Raises:
        ConfigError: there are too many entries or skills.
        NotFoundError: there is no skill.
    """
    named = _named(entries, inside)
    folders = {_parent(path) for path, _ in named if path.rpartition("/")[2] == FILE}
    roots = {one for one in folders if not one or _owner(_parent(one), folders) is None}
    if not roots:
        where = f" below {visible_line(inside)!r}" if inside else ""
        raise NotFoundError(
            f"There is no {FILE} in it{where}.", hint="Name the folder a skill is in."
        )
    if len(roots) > MAX_SKILLS:
        raise ConfigError(
            f"It holds {len(roots):,} skills; at most {MAX_SKILLS} are looked at.",
            hint="Name a folder in it after a #.",
        )
    owned: dict[str, list[tuple[str, Entry]]] = {root: [] for root in sorted(roots)}
    strays: list[str] = []
    for path, entry in named:
        owner = _owner(path, roots)
        if owner is not None:
            owned[owner].append((path[len(owner) + 1 :] if owner else path, entry))
        elif (fault := path_fault(path)) and "leads out" in fault:
            strays.append(f"The name {visible_line(path, limit=80)!r} {fault}.")
    left = MAX_PACKAGE_BYTES
    parcels: list[Parcel] = []
    for root, inner in owned.items():
        parcel = _parcel(root, inner, left)
        left -= sum(map(len, parcel.files.values()))
        parcels.append(parcel)
    return Package(tuple(parcels), tuple(_some(strays)))


def _named(entries: Iterable[Entry], inside: str) -> list[tuple[str, Entry]]:
    """Entries with their paths below `inside`."""
    found: list[tuple[str, Entry]] = []
    for count, entry in enumerate(entries):
        if count >= MAX_ENTRIES:
            raise ConfigError(
                f"It holds more than {MAX_ENTRIES:,} files.", hint="Name a folder in it after a #."
            )
        path = entry.path
        while path.startswith("./"):
            path = path[2:]
        if path in {"", "."}:
            continue
        if inside and path != inside and not path.startswith(f"{inside}/"):
            continue
        found.append((path[len(inside) + 1 :] if inside else path, entry))
    return found


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _owner(path: str, roots: Set[str]) -> str | None:
    """Which of `roots` `path` is below or at, as it is spelt; None for none."""
    while path and path not in roots:
        path = _parent(path)
    return path if path in roots else None


def _parcel(root: str, entries: Sequence[tuple[str, Entry]], budget: int) -> Parcel:
    fault = path_fault(root) if root else ""
    faults = [f"Its folder's name {fault}."] if fault else []
    files: dict[str, bytes] = {}
    left_out: list[str] = []
    spelt: dict[str, str] = {}
    left = min(MAX_BYTES, budget)
    for path, entry in entries:
        shown = repr(visible_line(path, limit=80))
        if fault := path_fault(path):
            faults.append(f"The name {shown} {fault}.")
            continue
        if any(part.startswith(".") or part == "__pycache__" for part in path.split("/")):
            left_out.append(path)
            continue
        if entry.kind != "file":
            faults.append(f"{shown} is a {entry.kind}.")
            continue
        if clash := _clash(path, spelt):
            faults.append(f"{shown} and {visible_line(clash, limit=80)!r} are one file elsewhere.")
            continue
        if len(files) >= MAX_FILES:
            faults.append(f"It has more than {MAX_FILES} files.")
            break
        try:
            content = entry.read(left + 1)
        except (OSError, ValueError, EOFError, RuntimeError, zlib.error, HermesError) as error:
            faults.append(f"{shown} cannot be read: {visible_line(str(error), limit=100)}")
            continue
        left -= len(content)
        if left < 0:
            faults.append(f"It has more than {MAX_BYTES // 2**20} MB.")
            break
        files[path] = content
    if faults:
        return Parcel(root, {}, tuple(_some(faults)), tuple(left_out))
    return Parcel(root, files, (), tuple(left_out))


def _clash(path: str, spelt: dict[str, str]) -> str:
    """A name seen before that a file system without case takes for a part of `path`."""
    here = ""
    for part in path.split("/"):
        here = f"{here}/{part}" if here else part
        key = unicodedata.normalize("NFKC", here).casefold()
        if here == path:
            if key in spelt:
                return spelt[key]
            spelt[key] = path
        elif (before := spelt.setdefault(key, f"{here}/")) != f"{here}/":
            return before
    return ""


def _some(sentences: Sequence[str]) -> list[str]:
    """The first few of many."""
    if len(sentences) <= _SHOWN:
        return list(sentences)
    return [*sentences[:_SHOWN], f"And {len(sentences) - _SHOWN:,} more like these."]
