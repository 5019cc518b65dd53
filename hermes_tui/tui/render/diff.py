"""A unified diff with line numbers and the changed part of each changed line marked."""

import re
from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec import Struct
from rich.segment import Segment
from rich.style import Style

from hermes_tui.safety.terminal_text import visible
from hermes_tui.tui.render.palette import Palette
from hermes_tui.tui.render.wrap import Line, expand_tabs, fold, strip_of

Sign = Literal["+", "-", " ", "@", "\\"]

MAX_MARKED = 500
"""Longer lines, in characters, are not compared within."""

_HUNK = re.compile(r"@@ -([0-9]{1,9})(?:,([0-9]{1,9}))? \+([0-9]{1,9})(?:,([0-9]{1,9}))? @@ ?(.*)")


class DiffLine(Struct, frozen=True):
    """One line of a hunk, or its heading."""

    sign: Sign
    number: int
    """In the old file for `-`, in the new one otherwise; 0 for headings and remarks."""
    text: str


def counted(unified: str) -> tuple[int, int]:
    """Lines added and removed."""
    signs = [line.sign for line in parsed(unified)]
    return signs.count("+"), signs.count("-")


def parsed(unified: str) -> list[DiffLine]:
    """The hunks of a unified diff; file headings and anything between hunks is left out.

    Counts in the hunk heading decide where it ends, so a removed line `-- x` is
    not taken for a file heading.
    """
    lines: list[DiffLine] = []
    old = new = old_left = new_left = 0
    for source in unified.removesuffix("\n").split("\n"):
        raw = visible(source.removesuffix("\r")).replace("\n", " ")
        sign, text = raw[:1], expand_tabs(raw[1:])
        if raw.startswith("\\"):
            lines.append(DiffLine("\\", 0, text.strip()))
        elif old_left <= 0 and new_left <= 0:
            if found := _HUNK.match(raw):
                old, new = int(found[1]), int(found[3])
                old_left, new_left = int(found[2] or 1), int(found[4] or 1)
                lines.append(DiffLine("@", 0, expand_tabs(found[5])))
        elif sign == "-":
            lines.append(DiffLine("-", old, text))
            old, old_left = old + 1, old_left - 1
        elif sign == "+":
            lines.append(DiffLine("+", new, text))
            new, new_left = new + 1, new_left - 1
        else:
            lines.append(DiffLine(" ", new, text))
            old, new, old_left, new_left = old + 1, new + 1, old_left - 1, new_left - 1
    return lines


def diff_lines(unified: str, width: int, palette: Palette) -> list[Line]:
    """Lines of at most `width` cells; changed ones are tinted over all of it."""
    lines = parsed(unified)
    digits = max(3, len(str(max((line.number for line in lines), default=0))))
    drawn: list[Line] = []
    for number, (line, (start, end)) in enumerate(zip(lines, _changed_parts(lines), strict=True)):
        if line.sign == "@":
            if number or line.text:
                heading = f"{' ' * digits} ⋯ {line.text}".rstrip()
                drawn.append([Segment(heading, palette.faint)])
            continue
        if line.sign == "\\":
            drawn.append([Segment(f"{' ' * digits}   {line.text}", palette.faint)])
            continue
        style, strong = _styles(line.sign, palette)
        body = [
            Segment(line.text[:start], style),
            Segment(line.text[start:end], strong),
            Segment(line.text[end:], style),
        ]
        gutter = f"{line.number:>{digits}} {line.sign} "
        for part in fold([run for run in body if run.text], max(1, width - len(gutter))):
            row = [Segment(gutter, palette.muted + style), *part]
            drawn.append(list(strip_of(row, width, style)) if line.sign != " " else row)
            gutter = " " * len(gutter)
    return drawn


def _styles(sign: Sign, palette: Palette) -> tuple[Style, Style]:
    match sign:
        case "+":
            return palette.added, palette.added_strong
        case "-":
            return palette.removed, palette.removed_strong
        case _:
            return palette.muted, palette.muted


def _changed_parts(lines: Sequence[DiffLine]) -> Iterator[tuple[int, int]]:
    """For each line the characters that differ from its counterpart; (0, 0) where none does."""
    position = 0
    while position < len(lines):
        removed = _run(lines, position, "-")
        added = _run(lines, position + len(removed), "+")
        if removed and len(removed) == len(added):
            pairs = [
                _difference(old.text, new.text) for old, new in zip(removed, added, strict=True)
            ]
            yield from (old for old, _ in pairs)
            yield from (new for _, new in pairs)
            position += 2 * len(removed)
        else:
            count = max(1, len(removed) + len(added))
            yield from [(0, 0)] * count
            position += count


def _run(lines: Sequence[DiffLine], start: int, sign: Sign) -> Sequence[DiffLine]:
    end = start
    while end < len(lines) and lines[end].sign == sign:
        end += 1
    return lines[start:end]


def _difference(old: str, new: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """The spans between the common start and the common end; nothing when too little is common."""
    limit = min(len(old), len(new))
    if max(len(old), len(new)) > MAX_MARKED:
        return (0, 0), (0, 0)
    start = 0
    while start < limit and old[start] == new[start]:
        start += 1
    end = 0
    while end < limit - start and old[-1 - end] == new[-1 - end]:
        end += 1
    if (start + end) * 3 < limit:
        return (0, 0), (0, 0)
    return (start, len(old) - end), (start, len(new) - end)
