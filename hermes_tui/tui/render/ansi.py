"""Terminal output as lines: colours kept, everything else a terminal would obey dropped."""

import re
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace
from rich.cells import cell_len
from rich.color import Color
from rich.segment import Segment
from rich.style import Style

from hermes_tui.safety.terminal_text import visible
from hermes_tui.tui.render.palette import DEFAULT, Palette
from hermes_tui.tui.render.wrap import Line, expand_tabs

MAX_LINE = 4_000
"""A line longer than this, in characters, is broken: output without line feeds must not grow."""

TAB_STOPS = 8
MAX_HELD_BACK = 4_096
"""How much of an escape sequence without an end is waited for."""

_SGR = re.compile("(\x1b\\[[0-9;:]*m)")
# ECMA-48: control strings (DCS, SOS, OSC, PM, APC), control sequences, other escapes; then the
# one-character (C1) spelling of the same. SGR is matched first and kept.
_STRING_END = "(?:\x07|\x1b\\\\|\x9c)"
_ESCAPE = re.compile(
    "(?P<sgr>\x1b\\[[0-9;:]*m)"
    f"|(?:\x1b[PX\\]^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c]*{_STRING_END}?"
    "|(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]?"
    "|\x1b[ -/]*[0-~]?"
    "|[\x00-\x07\x0b\x0c\x0e-\x1f\x7f-\x9f]"
)
_UNFINISHED = re.compile(
    "(?:\x1b[PX\\]^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c]*"
    "|(?:\x1b\\[|\x9b)[0-?]*[ -/]*|\x1b[ -/]*"
)
_SPECIAL = re.compile("[\x08\r\x1b\x90\x98\x9b\x9d-\x9f]")


class Sgr(Struct, frozen=True):
    """The colours and attributes in force at some place. Blinking and concealing do not exist."""

    color: Color | None = None
    ground: Color | None = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    reverse: bool = False
    strike: bool = False


NONE = Sgr()


class OutputLine(Struct, frozen=True):
    """One line: visible text in which SGR sequences are the only escapes."""

    before: Sgr
    """What is in force where it begins."""
    text: str

    @property
    def plain(self) -> str:
        return _SGR.sub("", self.text)

    @property
    def after(self) -> Sgr:
        """What is in force where it ends."""
        state = self.before
        if "\x1b" in self.text:
            for sequence in _SGR.findall(self.text):
                state = _applied(state, sequence)
        return state

    def runs(self, base: Style, palette: Palette = DEFAULT) -> Line:
        """The text in its colours, on `base`; colours 0 to 15 are the palette's."""
        runs: Line = []
        state = self.before
        for part in _SGR.split(self.text):
            if part.startswith("\x1b"):
                state = _applied(state, part)
            elif part:
                runs.append(Segment(part, base + _style(state, palette) if state != NONE else base))
        return runs


class OutputLines:
    """The last lines of a stream of output, in order of arrival.

    A carriage return starts the line over, as progress bars want it; a backspace
    takes back one character. Cursor movements are dropped.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self.limit = limit
        self.dropped = 0
        """Lines forgotten at the front."""
        self._lines: list[OutputLine] = []
        self._open = OutputLine(NONE, "")
        self._has_returned = False
        self._held_back = ""

    def __len__(self) -> int:
        return len(self._lines) + (self._open.text != "")

    def __getitem__(self, index: int) -> OutputLine:
        return self._open if index == len(self._lines) else self._lines[index]

    @property
    def finished(self) -> int:
        """How many lines cannot change any more."""
        return len(self._lines)

    @property
    def text(self) -> str:
        return "\n".join(self[index].plain for index in range(len(self)))

    def clear(self) -> None:
        self.dropped, self._lines, self._open = 0, [], OutputLine(NONE, "")
        self._has_returned, self._held_back = False, ""

    def feed(self, chunk: str) -> None:
        """Add what was printed; chunks may end anywhere."""
        text = self._held_back + chunk
        self._held_back = ""
        if _SPECIAL.search(text):
            text, unfinished = _unescaped(text)
            if len(unfinished) <= MAX_HELD_BACK:
                self._held_back = unfinished
        first, *rest = text.split("\n")
        self._print(first.removesuffix("\r") if rest else first)
        for number, part in enumerate(rest, start=1):
            self._lines.append(self._open)
            self._start_line()
            self._print(part.removesuffix("\r") if number < len(rest) else part)
        excess = len(self._lines) - self.limit
        if excess > 0:
            del self._lines[:excess]
            self.dropped += excess

    def _start_line(self) -> None:
        self._open, self._has_returned = OutputLine(self._open.after, ""), False

    def _print(self, text: str) -> None:
        """More of the line that is open; `text` has no line feed."""
        for number, part in enumerate(text.split("\r")):
            self._has_returned = self._has_returned or number > 0
            if not part:
                continue
            if self._has_returned:
                self._start_line()
            self._write(part)

    def _write(self, part: str) -> None:
        if "\x08" in part:
            part = _backspaced(self._open.text + part)
            self._open = OutputLine(self._open.before, "")
        text = self._open.text + _clean(part, self._open.text)
        while len(text) > MAX_LINE:
            whole = OutputLine(self._open.before, text)
            self._lines.append(OutputLine(self._open.before, whole.plain[:MAX_LINE]))
            self._open, text = OutputLine(whole.after, ""), whole.plain[MAX_LINE:]
        self._open = OutputLine(self._open.before, text)


def _unescaped(text: str) -> tuple[str, str]:
    """`text` with SGR as its only escapes, and the sequence at its end if that may go on."""
    unfinished = ""

    def kept(match: re.Match[str]) -> str:
        nonlocal unfinished
        if match.end() == len(text) and _UNFINISHED.fullmatch(match[0]):
            unfinished = match[0]
        return match["sgr"] or ""

    return _ESCAPE.sub(kept, text), unfinished


def _clean(text: str, before: str) -> str:
    """Visible, on one line and without tabs, but with its SGR sequences."""
    if "\x1b" not in text and "\t" not in text:
        return visible(text).replace("\n", " ")
    column = cell_len(_SGR.sub("", before))
    parts: list[str] = []
    for part in _SGR.split(text):
        shown = part
        if not _SGR.fullmatch(part):
            shown = expand_tabs(visible(part).replace("\n", " "), TAB_STOPS, column=column)
            column += cell_len(shown)
        parts.append(shown)
    return "".join(parts)


def _backspaced(text: str) -> str:
    """`text` with each backspace applied to the character before it, sequences left alone."""
    kept: list[str] = []
    for part in _SGR.split(text):
        if _SGR.fullmatch(part):
            kept.append(part)
            continue
        for character in part:
            if character != "\x08":
                kept.append(character)
            elif kept and not kept[-1].startswith("\x1b"):
                kept.pop()
    return "".join(kept)


_ATTRIBUTES: dict[int, tuple[str, bool]] = {
    1: ("bold", True), 2: ("dim", True), 3: ("italic", True), 4: ("underline", True),
    7: ("reverse", True), 9: ("strike", True), 21: ("underline", True), 23: ("italic", False),
    24: ("underline", False), 27: ("reverse", False), 29: ("strike", False),
}  # fmt: skip


@lru_cache(maxsize=1024)
def _applied(state: Sgr, sequence: str) -> Sgr:
    codes = [int(code or 0) for code in re.split("[;:]", sequence[2:-1][:200]) if len(code) < 5]
    position = 0
    while position < len(codes):
        code = codes[position]
        position += 1
        if code in {38, 48}:
            color, used = _extended(codes[position:])
            position += used
            state = replace(state, **{"color" if code == 38 else "ground": color})
        else:
            state = _simple(state, code)
    if state.color is not None and state.color == state.ground:
        return replace(state, ground=None)  # text in the colour of its ground would be hidden
    return state


def _simple(state: Sgr, code: int) -> Sgr:
    if code in _ATTRIBUTES:
        name, value = _ATTRIBUTES[code]
        return replace(state, **{name: value})
    match code:
        case 0:
            return NONE
        case 22:
            return replace(state, bold=False, dim=False)
        case _ if 30 <= code <= 37 or 90 <= code <= 97:
            return replace(state, color=_numbered(code - 30 if code < 40 else code - 82))
        case _ if 40 <= code <= 47 or 100 <= code <= 107:
            return replace(state, ground=_numbered(code - 40 if code < 50 else code - 92))
        case 39:
            return replace(state, color=None)
        case 49:
            return replace(state, ground=None)
        case _:
            return state


def _extended(codes: list[int]) -> tuple[Color | None, int]:
    """The colour after 38 or 48, and how many codes it took."""
    match codes:
        case [5, number, *_]:
            return _numbered(number & 255), 2
        case [2, red, green, blue, *_]:
            return Color.from_rgb(red & 255, green & 255, blue & 255), 4
        case _:
            return None, len(codes)


@lru_cache(maxsize=256)
def _numbered(number: int) -> Color:
    return Color.from_ansi(number)


@lru_cache(maxsize=1024)
def _style(state: Sgr, palette: Palette) -> Style:
    return Style(
        color=_shade(state.color, palette),
        bgcolor=_shade(state.ground, palette),
        bold=state.bold or None,
        dim=state.dim or None,
        italic=state.italic or None,
        underline=state.underline or None,
        reverse=state.reverse or None,
        strike=state.strike or None,
    )


def _shade(color: Color | None, palette: Palette) -> Color | None:
    if color is None or color.number is None or color.number > 15:
        return color
    return palette.terminal[color.number]
