"""Styled text into lines of an exact width, in terminal cells.

A *line* is a list of Rich segments; widths are always summed over segments, the
way Textual does, so that a line can never come out longer than it was measured.
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence

from rich.cells import cell_len, split_graphemes
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

Line = list[Segment]
Breaks = Callable[[str, int], Iterator[tuple[int, int]]]
"""Character spans of the lines a text is broken into, for a width in cells."""

TAB_SIZE = 4
_TOKEN = re.compile(r"( *)([^ ]+)")
# Line-breaking rules of Japanese and Chinese (JIS X 4051) in their smallest useful form.
_CLOSING = frozenset({"Pe", "Pf", "Po", "Lm"})
_SMALL_KANA = frozenset("ぁぃぅぇぉっゃゅょァィゥェォッャュョ")


def width_of(line: Iterable[Segment]) -> int:
    return sum(cell_len(segment.text) for segment in line)


def text_of(line: Iterable[Segment]) -> str:
    return "".join(segment.text for segment in line)


def strip_of(line: Sequence[Segment], width: int, fill: Style | None = None) -> Strip:
    """`line` padded or cut to exactly `width` cells."""
    used = width_of(line)
    if used < width:
        return Strip([*line, Segment(" " * (width - used), fill)], width)
    strip = Strip(line, used)
    return strip if used == width else strip.adjust_cell_length(width, fill)


def expand_tabs(text: str, size: int = TAB_SIZE, *, column: int = 0) -> str:
    """Tabs of one line turned into blanks up to the next stop, wide characters counted.

    `column` is the cell the text starts at.
    """
    if "\t" not in text:
        return text
    pieces: list[str] = []
    used = column
    for number, part in enumerate(text.split("\t")):
        if number:
            pieces.append(" " * (size - used % size))
            used += len(pieces[-1])
        pieces.append(part)
        used += cell_len(part)
    return "".join(pieces)


def truncate(text: str, width: int) -> str:
    """`text` in at most `width` cells, the end replaced by an ellipsis where it is longer."""
    if cell_len(text) <= width:
        return text
    if width <= 0:
        return ""
    used, end = 1, 0
    for start, stop, cells in split_graphemes(text)[0]:
        if used + cells > width:
            end = start
            break
        used += cells
        end = stop
    return text[:end] + "…"


def split_lines(runs: Iterable[Segment]) -> list[Line]:
    """Runs cut at line feeds."""
    lines: list[Line] = [[]]
    for run in runs:
        first, *rest = run.text.split("\n")
        if first:
            lines[-1].append(Segment(first, run.style))
        lines += ([Segment(part, run.style)] if part else [] for part in rest)
    return lines


def wrap(runs: Iterable[Segment], width: int) -> list[Line]:
    """Runs broken between words, and within words too long for a line."""
    return [part for line in split_lines(runs) for part in _broken(line, width, _word_breaks)]


def fold(runs: Iterable[Segment], width: int) -> list[Line]:
    """Runs broken wherever the line is full, blanks kept: for code and output."""
    return [part for line in split_lines(runs) for part in _broken(line, width, _cell_breaks)]


def _broken(line: Line, width: int, breaks: Breaks) -> list[Line]:
    if len(line) > 1 and not all(segment.text.isascii() for segment in line[1:]):
        line = _glued(line)
    if width_of(line) <= width:
        return [line]
    text = text_of(line)
    return list(_slices(line, breaks(text, max(1, width))))


def _glued(line: Line) -> Line:
    """The line with no character cluster spread over two runs: its width is that of its text."""
    text = text_of(line)
    starts = [start for start, _, _ in split_graphemes(text)[0]]
    spans: list[tuple[int, int]] = []
    begin = stop = 0
    for segment in line:
        stop += len(segment.text)
        at = bisect_left(starts, stop)
        end = starts[at] if at < len(starts) else len(text)
        spans.append((begin, end))
        begin = end
    return [
        Segment(text[begin:end], segment.style)
        for (begin, end), segment in zip(spans, line, strict=True)
        if end > begin
    ]


def _slices(line: Line, spans: Iterable[tuple[int, int]]) -> Iterator[Line]:
    """The parts of a line at character spans, which are in order and do not overlap."""
    pieces = iter(line)
    piece, start = next(pieces, None), 0
    for begin, end in spans:
        part: Line = []
        while piece is not None and start < end:
            stop = start + len(piece.text)
            if stop > begin:
                text = piece.text[max(0, begin - start) : end - start]
                part.append(Segment(text, piece.style))
            if stop > end:
                break
            piece, start = next(pieces, None), stop
        yield part


def _cell_breaks(text: str, width: int) -> Iterator[tuple[int, int]]:
    if text.isascii():
        for start in range(0, len(text), width):
            yield start, min(start + width, len(text))
        return
    begin, used = 0, 0
    for start, _, cells in split_graphemes(text)[0]:
        if used + cells > width and start > begin:
            yield begin, start
            begin, used = start, 0
        used += cells
    yield begin, len(text)


def _word_breaks(text: str, width: int) -> Iterator[tuple[int, int]]:
    begin, end, used = 0, 0, 0
    for start, stop, cells, before in _units(text):
        blanks = before
        if used and used + blanks + cells > width:
            yield begin, end
            begin, used, blanks = start, 0, 0
        if not used and blanks + cells > width:  # a word longer than a line, or deep indentation
            begin = begin if blanks < width // 2 else start
            *full, (begin, _) = (
                (begin + left, begin + right)
                for left, right in _cell_breaks(text[begin:stop], width)
            )
            yield from full
            used = cell_len(text[begin:stop])
        else:
            used += blanks + cells
        end = stop
    yield begin, end


def _units(text: str) -> Iterator[tuple[int, int, int, int]]:
    """What must not be broken: (start, stop, cells, blanks before).

    A word, or within wide scripts one character with the closing marks after it.
    """
    for match in _TOKEN.finditer(text):
        start, stop = match.span(2)
        word, blanks = match[2], len(match[1])
        cells = cell_len(word)
        if cells <= len(word) and (word.isascii() or not _is_wide(word)):
            yield start, stop, cells, blanks
            continue
        held, held_cells, was_wide = start, 0, False
        for left, _, size in split_graphemes(word)[0]:
            breaks = (size > 1 or was_wide) and not _is_closing(word[left])
            if breaks and start + left > held:
                yield held, start + left, held_cells, blanks
                held, held_cells, blanks = start + left, 0, 0
            held_cells += size
            was_wide = size > 1
        yield held, stop, held_cells, blanks


def _is_closing(character: str) -> bool:
    return unicodedata.category(character) in _CLOSING or character in _SMALL_KANA


def _is_wide(word: str) -> bool:
    return any(cell_len(character) > 1 for character in word)


def restyle(strip: Strip, start: int, end: int, style: Style) -> Strip:
    """`strip` with `style` on characters `start` to `end`; `end` -1 means to the end."""
    segments: Line = []
    position = 0
    for text, own, _ in strip:
        stop = position + len(text)
        left = min(max(start - position, 0), len(text))
        right = len(text) if end < 0 else min(max(end - position, left), len(text))
        for part, is_marked in (
            (text[:left], False),
            (text[left:right], True),
            (text[right:], False),
        ):
            if part:
                marked = (own + style if own else style) if is_marked else own
                segments.append(Segment(part, marked))
        position = stop
    return Strip(segments, strip.cell_length)
