"""Tables: aligned columns without vertical lines, cells wrapped when the width is short."""

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Literal

from msgspec import Struct
from rich.segment import Segment

from hermes_tui.tui.render.palette import Palette
from hermes_tui.tui.render.wrap import Line, split_lines, text_of, width_of, wrap

Align = Literal["left", "center", "right"]
GAP = 2
LEAST = 4
"""A column is not squeezed below this many cells; a narrower table turns into records."""


class Table(Struct, frozen=True):
    """Cells as styled runs; every row has as many cells as there are alignments."""

    head: Sequence[Line]
    rows: Sequence[Sequence[Line]]
    aligns: Sequence[Align]


def table_lines(table: Table, width: int, palette: Palette) -> list[Line]:
    """The table in lines of at most `width` cells."""
    natural = [
        max(_widest(row[column]) for row in (table.head, *table.rows))
        for column in range(len(table.aligns))
    ]
    gaps = GAP * (len(natural) - 1)
    if sum(natural) + gaps <= width:
        widths = natural
    elif width - gaps >= LEAST * len(natural):
        widths = _squeezed(natural, width - gaps)
    else:
        return _records(table, width, palette)
    rule = palette.glyphs.rule * (sum(widths) + gaps)
    lines = [*_row(table.head, widths, table.aligns), [Segment(rule, palette.faint)]]
    for row in table.rows:
        lines += _row(row, widths, table.aligns)
    return lines


def _widest(cell: Line) -> int:
    return max(1, *(width_of(line) for line in split_lines(cell)))


def _squeezed(natural: Sequence[int], room: int) -> list[int]:
    """Widths that sum to `room`: narrow columns keep theirs, wide ones share what is left."""
    widths = list(natural)
    open_columns = set(range(len(widths)))
    while open_columns:
        share = (room - sum(widths[i] for i in range(len(widths)) if i not in open_columns)) // len(
            open_columns
        )
        fitting = {i for i in open_columns if natural[i] <= share}
        if not fitting:
            for i in open_columns:
                widths[i] = max(1, share)
            break
        open_columns -= fitting
    for i in sorted(open_columns)[: max(0, room - sum(widths))]:
        widths[i] += 1
    return widths


def _row(cells: Sequence[Line], widths: Sequence[int], aligns: Sequence[Align]) -> list[Line]:
    columns = [wrap(cell, width) for cell, width in zip(cells, widths, strict=True)]
    lines: list[Line] = []
    for parts in zip_longest(*columns, fillvalue=Line()):
        line: Line = []
        for part, width, align in zip(parts, widths, aligns, strict=True):
            line += [*_aligned(part, width, align), Segment(" " * GAP)]
        lines.append(line[:-1])
    return lines


def _aligned(line: Line, width: int, align: Align) -> Iterable[Segment]:
    missing = max(0, width - width_of(line))
    left = {"left": 0, "center": missing // 2, "right": missing}[align]
    yield Segment(" " * left)
    yield from line
    yield Segment(" " * (missing - left))


def _records(table: Table, width: int, palette: Palette) -> list[Line]:
    """One `name: value` line per cell, for tables that cannot be squeezed into the width."""
    lines: list[Line] = []
    for row in table.rows:
        if lines:
            lines.append([])
        for name, cell in zip(table.head, row, strict=True):
            label = [Segment(f"{text_of(name)}: ", palette.muted)] if name else []
            lines += wrap([*label, *cell], width)
    return lines
