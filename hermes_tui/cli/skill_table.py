"""Tables of skills: whole in a pipe, no wider than the terminal on one."""

import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from unicodedata import combining, east_asian_width

from msgspec import Struct

from hermes_tui.cli.diagnostics import Ink
from hermes_tui.cli.printing import print_line, say
from hermes_tui.safety.terminal_text import visible, visible_line

LEAST_TEXT = 28
"""Cells the last column keeps before a column beside it is left out."""
MAX_TEXT = 2_000


class Column(Struct, frozen=True):
    """One fact about each row."""

    key: str
    """Of the row, and the heading."""
    is_right: bool = False
    rank: int = 0
    """Where there is no room the highest goes first; 0 always stays."""


def print_rows(
    columns: Sequence[Column], last: str, rows: Sequence[Mapping[str, str]], *, by: str = ""
) -> None:
    """Print `rows` of text: `columns` side by side, and what they have under `last` behind.

    A terminal also gets headings and, with `by`, the rows in groups of one value of it.
    """
    if not rows:
        return
    wide = {column.key: _widest(column, rows) for column in columns}
    if not sys.stdout.isatty():
        for row in rows:
            print_line(f"{_cells(columns, wide, row)}{visible_line(row[last], limit=MAX_TEXT)}")
        return
    room = columns_of_terminal()
    first = columns[0].key
    wide[first] = min(wide[first], room // 2)
    fitting = _fitting(columns, wide, room)
    ink = Ink(sys.stdout)
    heading = _cells(fitting, wide, {column.key: column.key for column in fitting}) + last
    sys.stdout.write(ink.dim(cut(heading, room)) + "\n")
    groups = sorted({row[by] for row in rows}) if by else [""]
    for group in groups:
        if group:
            sys.stdout.write(ink.accent(cut(visible(group), room)) + "\n")
        for row in rows:
            if not by or row[by] == group:
                line = _cells(fitting, wide, row) + visible_line(row[last], limit=MAX_TEXT)
                print_line(cut(line.rstrip(), room))


def say_wrapped(text: str) -> None:
    """One line on stderr; on a terminal as many as it takes, broken between words."""
    if not sys.stderr.isatty():
        say(text)
        return
    for line in textwrap.wrap(
        visible(text), columns_of_terminal(), subsequent_indent="  ", break_on_hyphens=False
    ):
        say(line)


def columns_of_terminal() -> int:
    """Cells of a line; `$COLUMNS` counts, and 80 where nobody knows."""
    return max(shutil.get_terminal_size().columns, 20)


def cut(text: str, room: int) -> str:
    """`text` in at most `room` cells."""
    if width(text) <= room:
        return text
    kept, used = "", 0
    for character in text:
        used += width(character)
        if used > room - 1:
            break
        kept += character
    return kept.rstrip() + "…"


def width(text: str) -> int:
    """Cells of `text` on a terminal."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(one) else 2 if east_asian_width(one) in "WF" else 1 for one in text)


def _fitting(columns: Sequence[Column], wide: Mapping[str, int], room: int) -> list[Column]:
    """Those that leave the last one its room."""
    kept = list(columns)
    while any(column.rank for column in kept):
        if sum(wide[column.key] + 2 for column in kept) + LEAST_TEXT <= room:
            break
        kept.remove(max(kept, key=lambda column: column.rank))
    return kept


def _cells(columns: Sequence[Column], wide: Mapping[str, int], row: Mapping[str, str]) -> str:
    line = ""
    for column in columns:
        text = cut(visible(row[column.key]), wide[column.key])
        fill = " " * (wide[column.key] - width(text))
        line += f"{fill}{text}  " if column.is_right else f"{text}{fill}  "
    return line


def _widest(column: Column, rows: Sequence[Mapping[str, str]]) -> int:
    return max(len(column.key), *(width(visible(row[column.key])) for row in rows))
