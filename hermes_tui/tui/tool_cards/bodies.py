"""What cards show when they are unfolded."""

import re
from collections.abc import Callable

from rich.segment import Segment
from rich.style import Style

from hermes_tui.core.messages import Checklist, Diff
from hermes_tui.safety.terminal_text import visible
from hermes_tui.tui.render.ansi import OutputLines
from hermes_tui.tui.render.diff import diff_lines
from hermes_tui.tui.render.palette import Palette
from hermes_tui.tui.render.wrap import Line, expand_tabs, fold, wrap
from hermes_tui.tui.tool_cards.card import KEPT_LINES, Card

SHOWN_LINES = 12
"""How many lines of output or text an unfolded card shows."""

DIFF_LINES = 40
COMMAND_LINES = 6

BodyOf = Callable[[Card, int, Palette], list[Line]]

_REMARK = re.compile(r"\[[^\[\]]*\]")


def output_tail(card: Card, width: int, palette: Palette) -> list[Line]:
    """The command when the head could not show all of it, then the end of what it printed."""
    command = visible(str(card.arguments.get("command", "")))
    head: list[Line] = []
    if "\n" in command.strip():
        lines = [[Segment(expand_tabs(line), palette.text)] for line in command.strip().split("\n")]
        head = _first(lines, width, palette, COMMAND_LINES)
    output, remarks = _printed(card)
    return [*head, *_last(output, width, palette), *_remarks(remarks, width, palette)]


def text_head(card: Card, width: int, palette: Palette) -> list[Line]:
    """The beginning of the result."""
    if card.result is None:
        return []
    style = palette.error if card.result.is_error else palette.muted
    text = visible(card.result.content).strip("\n")
    lines = [[Segment(expand_tabs(line), style)] for line in text.split("\n")] if text else []
    return _first(lines, width, palette, SHOWN_LINES)


def change(card: Card, width: int, palette: Palette) -> list[Line]:
    """The diff, or the error."""
    display = card.result.display if card.result else None
    if not isinstance(display, Diff):
        return text_head(card, width, palette)
    lines = diff_lines(display.unified, width, palette)
    return _with_rest(lines[:DIFF_LINES], len(lines) - DIFF_LINES, palette)


def checklist(card: Card, width: int, palette: Palette) -> list[Line]:
    """The plan with a box before each step."""
    display = card.result.display if card.result else None
    if not isinstance(display, Checklist):
        return text_head(card, width, palette)
    glyphs = palette.glyphs
    marks: dict[str, tuple[str, Style, Style]] = {
        "done": (glyphs.done, palette.success, palette.muted),
        "doing": (glyphs.doing, palette.running, palette.subheading),
    }
    lines: list[Line] = []
    for state, text in display.items:
        glyph, mark, style = marks.get(state, (glyphs.todo, palette.muted, palette.text))
        step = wrap([Segment(visible(text).replace("\t", " "), style)], max(1, width - 2))
        lines += [
            [Segment("  " if number else f"{glyph} ", mark), *line]
            for number, line in enumerate(step)
        ]
    return lines


def body_of(card: Card, width: int, palette: Palette, usual: BodyOf) -> list[Line]:
    """A result's display part before the tool's usual body, whatever tool it comes from."""
    match card.result.display if card.result else None:
        case Diff(unified=unified) if unified:
            return change(card, width, palette)
        case Checklist():
            return checklist(card, width, palette)
        case _:
            return usual(card, width, palette)


def _printed(card: Card) -> tuple[OutputLines, list[str]]:
    """What was printed and what the tool remarks on it in brackets at the end of its result."""
    content = card.result.content if card.result else ""
    lines = content.rstrip("\n").split("\n")
    remarks: list[str] = []
    while lines and _REMARK.fullmatch(lines[-1]):
        remarks.insert(0, lines.pop())
    if len(card.output) or card.result is None:
        return card.output, remarks
    output = OutputLines(KEPT_LINES)
    output.feed("\n".join(lines[-KEPT_LINES:]))
    output.dropped += max(0, len(lines) - KEPT_LINES)
    return output, remarks


def _remarks(remarks: list[str], width: int, palette: Palette) -> list[Line]:
    return [
        line
        for remark in remarks
        for line in wrap([Segment(visible(remark).strip("[]"), palette.warning)], width)
    ]


def _last(output: OutputLines, width: int, palette: Palette) -> list[Line]:
    """The end of the output in at most `SHOWN_LINES` rows, and how much comes before."""
    rows: list[Line] = []
    index = len(output)
    while index > 0:
        part = fold(output[index - 1].runs(palette.muted, palette), width)
        if len(rows) + len(part) > SHOWN_LINES and rows:
            break
        rows = part[-SHOWN_LINES:] + rows
        index -= 1
    hidden = index + output.dropped
    return [*([_hint(hidden, palette)] if hidden else []), *rows]


def _first(lines: list[Line], width: int, palette: Palette, limit: int) -> list[Line]:
    rows: list[Line] = []
    for number, line in enumerate(lines):
        part = wrap(line, width)
        if len(rows) + len(part) > limit:
            room = 0 if rows else limit
            return _with_rest([*rows, *part[:room]], len(lines) - number - (room > 0), palette)
        rows += part
    return rows


def _with_rest(rows: list[Line], rest: int, palette: Palette) -> list[Line]:
    return [*rows, _hint(rest, palette)] if rest > 0 else rows


def _hint(count: int, palette: Palette) -> Line:
    return [Segment(f"… {count:,} more line{'' if count == 1 else 's'}", palette.faint)]
