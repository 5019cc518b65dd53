"""Which tool's calls look how: the table, and the one-line summaries."""

import re

from rich.segment import Segment
from rich.style import Style

from hermes_tui.core.messages import Checklist, Diff
from hermes_tui.safety.terminal_text import visible_line
from hermes_tui.tui.render.diff import counted
from hermes_tui.tui.render.palette import Palette
from hermes_tui.tui.render.wrap import Line
from hermes_tui.tui.tool_cards.bodies import change, checklist, output_tail, text_head
from hermes_tui.tui.tool_cards.card import Card, Kind

_HIT = re.compile(r"^([^:\n]+):\d+:", re.MULTILINE)
_REMARK_LINE = re.compile(r"^\[.*\]$", re.MULTILINE)


def command(card: Card, palette: Palette) -> Line:
    first, *rest = str(card.arguments.get("command", "")).strip().split("\n")
    line = visible_line(first)
    return [
        Segment("$ ", palette.faint),
        Segment(f"{line} …" if rest else line, palette.text),
        *_if(card.arguments.get("background") is True, "  in the background", palette.muted),
    ]


def process(card: Card, palette: Palette) -> Line:
    return _words(palette, card.argument("action"), card.argument("id"))


def read(card: Card, palette: Palette) -> Line:
    first, limit = card.number("offset"), card.number("limit")
    part = ""
    if first is not None or limit is not None:
        start = first or 1
        part = f"lines {start} to {start + limit - 1}" if limit else f"from line {start}"
    return _words(palette, card.argument("path", "file"), part)


def edit(card: Card, palette: Palette) -> Line:
    line = _words(palette, card.argument("path", "file"))
    if card.result and isinstance(card.result.display, Diff):
        added, removed = counted(card.result.display.unified)
        line += _if(added > 0, f"  +{added}", palette.success)
        line += _if(removed > 0, f"  −{removed}", palette.error)  # noqa: RUF001
    return line


def search(card: Card, palette: Palette) -> Line:
    found = ""
    if card.result and not card.result.is_error:
        files = _HIT.findall(card.result.content)
        names = len(set(files))
        hits = f"{_count(len(files), 'hit')} in {_count(names, 'file')}"
        found = hits if files else "nothing found"
    where = card.argument("path")
    pattern = f"“{card.argument('pattern', 'query')}”"
    return _words(palette, pattern, where if where != "." else "", found)


def listing(card: Card, palette: Palette) -> Line:
    found = ""
    if card.result and not card.result.is_error:
        lines = _REMARK_LINE.sub("", card.result.content).split("\n")
        found = _count(sum(1 for line in lines if line.strip()), "file")
    return _words(palette, card.argument("path") or ".", card.argument("pattern"), found)


def plan(card: Card, palette: Palette) -> Line:
    if card.result and isinstance(card.result.display, Checklist):
        states = [state for state, _ in card.result.display.items]
        return _words(palette, f"{states.count('done')} of {len(states)} done")
    return []


def question(card: Card, palette: Palette) -> Line:
    return _words(palette, card.argument("question"))


def recall(card: Card, palette: Palette) -> Line:
    return _words(palette, f"“{card.argument('query')}”")


def memory(card: Card, palette: Palette) -> Line:
    target, text = card.argument("target"), card.argument("text", "old")
    return _words(palette, f"{card.argument('action')} {target}".strip(), text)


def generic(card: Card, palette: Palette) -> Line:
    """The arguments as `name=value`, or as they came when they are not an object."""
    if not card.arguments:
        raw = visible_line(card.call.arguments)
        return [Segment("" if raw == "{}" else raw, palette.muted)]
    line: Line = []
    for name, value in card.arguments.items():
        text = value if isinstance(value, str) else str(value)
        line.append(Segment(f"{visible_line(name, limit=40)}=", palette.faint))
        line.append(Segment(f"{visible_line(text, limit=120)} ", palette.muted))
    return line


KINDS: dict[str, Kind] = {
    "terminal": Kind("shell", command, output_tail, is_open=True),
    "process": Kind("process", process, output_tail),
    "read_file": Kind("read", read, text_head),
    "write_file": Kind("write", edit, change, is_open=True),
    "edit_file": Kind("edit", edit, change, is_open=True),
    "search_files": Kind("search", search, text_head),
    "list_files": Kind("list", listing, text_head),
    "todo": Kind("plan", plan, checklist, is_open=True),
    "clarify": Kind("ask", question, text_head, is_open=True),
    "session_search": Kind("recall", recall, text_head),
    "memory": Kind("memory", memory, text_head),
}


def kind_of(card: Card) -> Kind:
    """How a call looks; a tool without an entry shows its name and arguments."""
    known = KINDS.get(card.call.name)
    return known or Kind(visible_line(card.call.name, limit=24), generic, text_head)


def _words(palette: Palette, first: str, *others: str) -> Line:
    line: Line = [Segment(first, palette.text)]
    line += (Segment(f"  {other}", palette.muted) for other in others if other)
    return line


def _if(condition: bool, text: str, style: Style) -> Line:
    return [Segment(text, style)] if condition else []


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
