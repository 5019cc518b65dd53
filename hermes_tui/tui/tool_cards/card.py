"""One tool call as the transcript holds it, and the line that names it."""

from collections.abc import Callable
from typing import Any, Literal, cast

import msgspec
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from hermes_tui.core.messages import ToolCall, ToolResult
from hermes_tui.safety.terminal_text import visible_line
from hermes_tui.tui.render.ansi import OutputLines
from hermes_tui.tui.render.palette import Palette
from hermes_tui.tui.render.wrap import Line, truncate, width_of

State = Literal["waiting", "running", "done", "failed"]

KEPT_LINES = 200
"""Lines of live output a card remembers; the live pane remembers more."""

LABEL_CELLS = 7
TIME_CELLS = 8
WIDE_ENOUGH_FOR_PLACE = 48
WIDE_ENOUGH_FOR_COLUMNS = 34
WIDE_ENOUGH_FOR_TIME = 28


class Card:
    """A call, where it runs, what it printed and what it came to."""

    def __init__(self, call: ToolCall, environment: str = "", state: State = "running") -> None:
        self.call = call
        self.environment = environment
        self.state: State = state
        self.result: ToolResult | None = None
        self.seconds: float | None = None
        """Time taken, or so far; None when nobody measured it."""
        self.output = OutputLines(KEPT_LINES)
        self.arguments = _decoded(call.arguments)

    def write(self, text: str) -> None:
        self.output.feed(text)

    def close(self, result: ToolResult, seconds: float | None) -> None:
        self.result, self.seconds = result, seconds
        self.state = "failed" if result.is_error else "done"

    def argument(self, *names: str) -> str:
        """The first of these arguments that is there, on one line."""
        for name in names:
            value = self.arguments.get(name)
            if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
                return visible_line(str(value))
        return ""

    def number(self, name: str) -> int | None:
        value = self.arguments.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None


class Kind(msgspec.Struct, frozen=True):
    """How the calls of one tool look."""

    label: str
    summary: Callable[[Card, Palette], Line]
    """What the call does and came to, on one line of any length."""
    body: Callable[[Card, int, Palette], list[Line]]
    """What unfolding shows, in lines of at most the given width."""
    is_open: bool = False
    """Unfolded unless the person folds it."""


def head_line(card: Card, kind: Kind, width: int, palette: Palette, tick: int, fold: str) -> Line:
    """Fold mark, label and summary on the left; place, time and state in columns on the right."""
    right = _right(card, width, palette, tick)
    label = truncate(kind.label, max(4, width // 4))
    if width >= WIDE_ENOUGH_FOR_COLUMNS:
        label = label.ljust(LABEL_CELLS)
    left: Line = [Segment(f"{fold} ", palette.faint), Segment(f"{label} ", palette.subheading)]
    room = width - width_of(left) - width_of(right) - (2 if width >= WIDE_ENOUGH_FOR_TIME else 0)
    summary = _clipped(kind.summary(card, palette), room)
    gap = width - width_of(left) - width_of(summary) - width_of(right)
    return [*left, *summary, Segment(" " * max(1, gap)), *right]


def _right(card: Card, width: int, palette: Palette, tick: int) -> Line:
    line: Line = []
    if card.environment and width >= WIDE_ENOUGH_FOR_PLACE:
        place = truncate(visible_line(card.environment), 16)
        line.append(Segment(f"{place} ", palette.muted))
    if width >= WIDE_ENOUGH_FOR_TIME:
        line.append(Segment(_time(card).rjust(TIME_CELLS), palette.muted))
    glyph, style = _mark(card.state, palette, tick)
    return [*line, Segment(f"  {glyph}", style)]


def _time(card: Card) -> str:
    if card.state == "waiting":
        return "asks"
    if card.seconds is None:
        return ""
    if card.state == "running" and card.seconds < 100:
        return f"{int(card.seconds)} s"
    if card.seconds < 100:
        return f"{card.seconds:.1f} s"
    minutes, seconds = divmod(int(card.seconds), 60)
    return f"{minutes} m {seconds:02} s"


def _mark(state: State, palette: Palette, tick: int) -> tuple[str, Style]:
    glyphs = palette.glyphs
    match state:
        case "waiting":
            return glyphs.waiting, palette.warning
        case "running":
            return glyphs.spinner[tick % len(glyphs.spinner)], palette.running
        case "done":
            return glyphs.done, palette.success
        case "failed":
            return glyphs.failed, palette.error


def _clipped(line: Line, width: int) -> Line:
    """The line cut to `width` cells with an ellipsis in the style of the part that is cut."""
    kept: Line = []
    for run in line:
        text = truncate(run.text, width)
        if text:
            kept.append(Segment(text, run.style))
        width -= cell_len(text)
        if text != run.text:
            break
    return kept


def _decoded(arguments: str) -> dict[str, Any]:
    try:
        decoded = msgspec.json.decode(arguments or "{}")
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return {}
    return cast("dict[str, Any]", decoded) if isinstance(decoded, dict) else {}
