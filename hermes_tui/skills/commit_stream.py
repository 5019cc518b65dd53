"""Commits as a stream for git fast-import, which makes all of them in one process."""

import os
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

from msgspec import Struct

from hermes_tui.skills.skill_files import ARCHIVE, Files


class Author(Struct, frozen=True):
    """Who a commit is by."""

    name: str
    email: str


HERMES = Author("Hermes", "hermes@localhost")
IMPORT = ("fast-import", "--done", "--quiet")
"""The git command that reads an `import_stream`; of one cut short it makes no commit."""


class Entry(Struct, frozen=True):
    """A file in a commit."""

    mode: int
    id: str


class Part(Struct, frozen=True):
    """What a commit does to one folder."""

    folder: str
    gone: list[str]
    put: Files
    came: bool
    """Nothing of it was there before."""
    went: bool
    """Nothing of it is left."""


class Planned(Struct, frozen=True):
    """A commit to be made."""

    message: str
    author: Author
    tag: str
    parts: Sequence[Part]


def part_of(folder: str, before: Mapping[str, Entry], after: Files) -> Part | None:
    """What makes `after` of `before`; None where they are the same."""
    gone = [path for path in before if path not in after]
    put = {
        path: blob for path, blob in after.items() if before.get(path) != Entry(blob.mode, blob.id)
    }
    return Part(folder, gone, put, not before, not after) if gone or put else None


def tag_name(skill: str, number: int) -> str:
    """The full name of a version's tag; what a reference's name cannot hold is escaped."""
    return f"refs/tags/skills/{quote(skill, safe='/').replace('.', '%2E')}/v{number}"


def tags_beyond(tags: Iterable[str], keep: int) -> list[str]:
    """Tags of versions other than the first and the newest `keep` of their skill."""
    numbers: dict[str, list[int]] = {}
    for tag in tags:
        skill, _, number = tag.rpartition("/v")
        if number.isdecimal():
            numbers.setdefault(skill, []).append(int(number))
    return [
        f"{skill}/v{number}"
        for skill, found in numbers.items()
        for number in sorted(found)[: -keep or None]
        if number != 1
    ]


def archived(skill: str) -> str:
    """Where a skill lies that was put away."""
    return f"{ARCHIVE}/{skill}"


def import_stream(planned: Sequence[Planned], branch: str, onto: str, at: int) -> bytes:
    """The commits on `branch` after `onto`, at a time in seconds; git prints their names."""
    out: list[bytes] = []
    for mark, each in enumerate(planned, 1):
        message = each.message.encode(errors="replace")
        out.append(f"commit {branch}\nmark :{mark}\n".encode())
        for role, who in (("author", each.author), ("committer", HERMES)):
            out.append(f"{role} {who.name} <{who.email}> {at} +0000\n".encode(errors="replace"))
        out.append(b"data %d\n%s\n" % (len(message), message))
        if mark == 1 and onto:
            out.append(f"from {onto}\n".encode())
        for part in each.parts:
            out.extend(_part_lines(part))
        out.append(b"\n")
        out.append(f"reset {each.tag}\nfrom :{mark}\n\n".encode())
    out.extend(b"get-mark :%d\n" % mark for mark in range(1, len(planned) + 1))
    out.append(b"done\n")
    return b"".join(out)


def _part_lines(part: Part) -> Iterable[bytes]:
    # What goes comes first: a file may take the place of a folder.
    for path in part.gone:
        yield b"D %s\n" % _quoted(f"{part.folder}/{path}")
    for path, blob in part.put.items():
        yield b"M %o inline %s\n" % (blob.mode, _quoted(f"{part.folder}/{path}"))
        yield b"data %d\n%s\n" % (len(blob.content), blob.content)


def _quoted(path: str) -> bytes:
    escaped = os.fsencode(path).replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b'"%s"' % escaped.replace(b"\n", b"\\n")
