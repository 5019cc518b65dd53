"""How a memory file is written: entries with a line `§` between them.

Reading never fails: what should not be there is explained, and the rest is read.
"""

import re
from collections.abc import Iterable

from msgspec import Struct

SEPARATOR = "\n§\n"

_BETWEEN = re.compile(r"^[ \t]*§[ \t]*$", re.MULTILINE)
_CONFLICT = re.compile(
    r"^<{7}(?: .*)?\n(?P<ours>(?:.*\n)*?)(?:\|{7}(?: .*)?\n(?:.*\n)*?)?={7}\n"
    r"(?P<theirs>(?:.*\n)*?)>{7}(?: .*)?$",
    re.MULTILINE,
)
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
        text = _CONFLICT.sub(_both_sides, text)
        text = _MARKER.sub("§", text)
        problems.append("holds merge markers; what stands on both sides is read")
    return Content(tuple(_entries(text)), tuple(problems))


def joined(entries: Iterable[str]) -> str:
    """The text of a file with these entries; its length is what counts against the limit."""
    return SEPARATOR.join(entries)


def one_entry(text: str) -> str:
    """`text` as one entry: no line in it separates, and half surrogate pairs are replaced."""
    whole = text.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n")
    return _BETWEEN.sub("", whole.replace("\r", "\n")).strip()


def _entries(text: str) -> Iterable[str]:
    for part in _BETWEEN.split(text):
        if entry := part.strip():
            yield entry


def _both_sides(conflict: re.Match[str]) -> str:
    """Each side of a conflict once; what both have is not said twice."""
    sides = [_BETWEEN.split(conflict[name]) for name in ("ours", "theirs")]
    parts = dict.fromkeys(part.strip() for side in sides for part in side)
    return joined(["", *(part for part in parts if part), ""])


def _decoded(raw: bytes) -> tuple[str, list[str]]:
    if raw[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return raw.decode("utf-16", "replace"), ["is UTF-16; it is read, and written as UTF-8"]
    try:
        return raw.decode("utf-8"), []
    except UnicodeDecodeError:
        text = raw.decode("utf-8", "replace")
        return text, ["is not all UTF-8; what is not shows as \N{REPLACEMENT CHARACTER}"]
