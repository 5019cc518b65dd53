"""How a memory file is written: entries with a line `§` between them.

Reading never fails: what should not be there is explained, and the rest is read.
"""

import re
from collections.abc import Iterable

from msgspec import Struct

SEPARATOR = "\n§\n"

_BETWEEN = re.compile(r"^[ \t]*§[ \t]*$", re.MULTILINE)
_MARKER = re.compile(r"^(?:<{7}|>{7}|\|{7})(?: .*)?$", re.MULTILINE)


class Content(Struct, frozen=True):
    """What a memory file says."""

    entries: tuple[str, ...]
    problems: tuple[str, ...] = ()
    """What is wrong with how it is written, each as words that follow the file's name."""


def parse(raw: bytes) -> Content:
    """The entries in `raw`, in order, without empty ones."""
    text, problems = _decoded(raw)
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if _MARKER.search(text):
        text = _without_conflicts(text)
        text = _MARKER.sub("§", text)
        problems.append("holds merge markers; what stands on both sides is read")
    return Content(tuple(_entries(text)), tuple(problems))


def joined(entries: Iterable[str]) -> str:
    """The text of a file with these entries; its length is what counts against the limit."""
    return SEPARATOR.join(entries)


def one_entry(text: str) -> str:
    """`text` as one entry: no line in it separates, and half surrogate pairs are replaced.

    A line that would be read as the mark of a merge conflict gets backticks around it.
    """
    whole = text.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n")
    entry = _BETWEEN.sub("", whole.replace("\r", "\n")).strip()
    return _MARKER.sub(r"`\g<0>`", entry)


def _entries(text: str) -> Iterable[str]:
    for part in _BETWEEN.split(text):
        if entry := part.strip():
            yield entry


def _without_conflicts(text: str) -> str:
    """`text` with both sides of each conflict; one that does not end stays as it is."""
    done: list[str] = []
    sides = dict[str, list[str]]()
    begun: list[str] = []
    side = ""
    for line in text.split("\n"):
        mark = line[:7] if len(line) == 7 or line[7:8] == " " else ""
        if mark == "<<<<<<<":
            done += begun
            begun, side = [line], mark
            sides = dict[str, list[str]](zip(_SIDES, ([], [], []), strict=True))
        elif not side:
            done.append(line)
        elif mark == ">>>>>>>" and side == "=======":
            done.append(_both_sides(sides["<<<<<<<"], sides["======="]))
            begun, side = [], ""
        else:
            begun.append(line)
            if (side, mark) in _NEXT_SIDE:
                side = mark
            else:
                sides[side].append(line)
    return "\n".join([*done, *begun])


_SIDES = ("<<<<<<<", "|||||||", "=======")
_NEXT_SIDE = {("<<<<<<<", "|||||||"), ("<<<<<<<", "======="), ("|||||||", "=======")}


def _both_sides(*sides: list[str]) -> str:
    """Each side of a conflict once; what both have is not said twice."""
    texts = (_BETWEEN.split("\n".join(side)) for side in sides)
    parts = dict.fromkeys(part.strip() for side in texts for part in side)
    return joined(["", *(part for part in parts if part), ""])


def _decoded(raw: bytes) -> tuple[str, list[str]]:
    if raw[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return raw.decode("utf-16", "replace"), ["is UTF-16; it is read, and written as UTF-8"]
    try:
        return raw.decode("utf-8"), []
    except UnicodeDecodeError:
        text = raw.decode("utf-8", "replace")
        return text, ["is not all UTF-8; what is not shows as \N{REPLACEMENT CHARACTER}"]
