"""Syntax colours, from Pygments, which is imported when the first code block is drawn."""

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style

from hermes_tui.tui.render.palette import Palette
from hermes_tui.tui.render.wrap import Line, expand_tabs, fold, strip_of

if TYPE_CHECKING:
    from pygments.lexer import Lexer

Highlight = Callable[[str, str, Palette], list[Line]]
"""(code, language, palette) to one line per line of code."""

MAX_LINES = 400
MAX_CHARACTERS = 32_000
MAX_LINE = 1_000
"""Lexing takes 0.1 ms a line and, with hostile input, much more; beyond this code stays plain."""

CONTEXT_LINES = 24
"""How far back a growing block is lexed again; an open string or comment rarely reaches further."""

_ROLES = (
    ("Token.Comment", "comment"),
    ("Token.Keyword", "keyword"),
    ("Token.Literal.String", "string"),
    ("Token.Literal.Number", "number"),
    ("Token.Name.Function", "function"),
    ("Token.Name.Class", "type_name"),
    ("Token.Name.Decorator", "function"),
    ("Token.Name.Builtin", "function"),
    ("Token.Name.Tag", "keyword"),
    ("Token.Name.Attribute", "function"),
    ("Token.Operator.Word", "keyword"),
    ("Token.Operator", "operator"),
    ("Token.Punctuation", "operator"),
    ("Token.Generic.Inserted", "success"),
    ("Token.Generic.Deleted", "error"),
    ("Token.Generic.Heading", "strong"),
    ("Token.Generic.Subheading", "accent"),
    ("Token.Generic.Prompt", "muted"),
)


def plain(code: str, language: str, palette: Palette) -> list[Line]:
    """The code without colours; as many lines of the same text as `highlight` gives."""
    del language
    return [[Segment(expand_tabs(line), palette.code)] for line in code.split("\n")]


def highlight(code: str, language: str, palette: Palette) -> list[Line]:
    """The code in colours, or plain when the language is unknown or the block is too long."""
    lines = [expand_tabs(line) for line in code.split("\n")]
    if (
        not language
        or len(lines) > MAX_LINES
        or len(code) > MAX_CHARACTERS
        or max(map(len, lines)) > MAX_LINE
        or (lexer := _lexer(language)) is None
    ):
        return plain(code, language, palette)
    return _lexed(lines, lexer, palette)


class GrowingCode:
    """A `Highlight` for one block that only ever grows: lexes its last lines, keeps the others."""

    def __init__(self) -> None:
        self._source: list[str] = []
        self._lines: list[Line] = []
        self._language = ""
        self._palette: Palette | None = None

    def __call__(self, code: str, language: str, palette: Palette) -> list[Line]:
        source = code.split("\n")
        if (language, palette) != (self._language, self._palette):
            self._language, self._palette, self._lines, self._source = language, palette, [], []
        kept = min(len(self._lines), len(source)) - CONTEXT_LINES
        if kept <= 0 or source[:kept] != self._source[:kept]:
            kept = 0
        fresh = source[kept:] if len(source) <= MAX_LINES else []
        drawn = highlight if fresh else plain
        self._lines[kept:] = drawn("\n".join(source[kept:]), language, palette)
        self._source = source
        return list(self._lines)


def code_block(lines: list[Line], language: str, width: int, palette: Palette) -> list[Line]:
    """Code on a tinted ground of full width, its language named above it."""
    ground = palette.code
    label = f"{language} " if language else ""
    block = [_row([Segment(label.rjust(width), palette.faint)], width, ground)] if label else []
    indent = " " if width > 8 else ""
    for line in lines:
        folded = fold(line, max(1, width - 2 * len(indent)))
        block += (_row([Segment(indent, ground), *part], width, ground) for part in folded)
    return block


def _row(line: Line, width: int, ground: Style) -> Line:
    strip = strip_of(line, width)
    return [Segment(text, ground + style if style else ground) for text, style, _ in strip]


@lru_cache(maxsize=32)
def _lexer(language: str) -> "Lexer | None":
    from pygments.lexers import get_lexer_by_name  # pyright: ignore[reportUnknownVariableType]
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


def _lexed(lines: list[str], lexer: "Lexer", palette: Palette) -> list[Line]:
    drawn: list[Line] = [[]]
    for token, text in lexer.get_tokens("\n".join(lines)):
        style = getattr(palette, _role(str(token)))
        first, *rest = text.split("\n")
        if first:
            drawn[-1].append(Segment(first, style))
        drawn += ([Segment(part, style)] if part else [] for part in rest)
    # A lexer may add or swallow line ends; the text shown is the text given.
    if ["".join(part.text for part in line) for line in drawn] != lines:
        return [[Segment(line, palette.code)] for line in lines]
    return drawn


@lru_cache(maxsize=512)
def _role(token: str) -> str:
    for prefix, role in _ROLES:
        if token.startswith(prefix):
            return role
    return "code"
