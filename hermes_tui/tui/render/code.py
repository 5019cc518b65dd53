"""Syntax colours, from Pygments, which is imported when the first code block is drawn."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style

from hermes_tui.tui.render.palette import Palette
from hermes_tui.tui.render.wrap import Line, expand_tabs, fold, strip_of

if TYPE_CHECKING:
    from pygments.lexer import Lexer

CodeBlock = Callable[[str, str, int, Palette], list[Line]]
"""(code, language, width, palette) to the rows of a block, the width of each exact."""

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


def plain(code: str, language: str, width: int, palette: Palette) -> list[Line]:
    """The block without colours; the same rows of the same text as `highlighted` gives."""
    return [*_label(language, width, palette), *_rows(_uncoloured(code, palette), width, palette)]


def highlighted(code: str, language: str, width: int, palette: Palette) -> list[Line]:
    """The block in colours, or plain when the language is unknown or the code is too long."""
    return [
        *_label(language, width, palette),
        *_rows(_coloured(code, language, palette), width, palette),
    ]


class GrowingCode:
    """Draws one block that only ever grows: its last lines anew, the same rows for the others."""

    def __init__(self) -> None:
        self._drawn_as: tuple[str, int, Palette] | None = None
        self._source: list[str] = []
        self._label: list[Line] = []
        self._rows: list[list[Line]] = []
        """The rows of each line of code."""

    def __call__(self, code: str, language: str, width: int, palette: Palette) -> list[Line]:
        source = code.split("\n")
        if self._drawn_as != (language, width, palette):
            self._drawn_as = language, width, palette
            self._source, self._rows = [], []
            self._label = _label(language, width, palette)
        kept = min(len(self._rows), len(source)) - CONTEXT_LINES
        if kept <= 0 or source[:kept] != self._source[:kept]:
            kept = 0
        tail = "\n".join(source[kept:])
        is_long = len(source) > MAX_LINES
        lines = _uncoloured(tail, palette) if is_long else _coloured(tail, language, palette)
        self._rows[kept:] = (_rows([line], width, palette) for line in lines)
        self._source = source
        return [*self._label, *(row for rows in self._rows for row in rows)]


def _uncoloured(code: str, palette: Palette) -> list[Line]:
    return [[Segment(expand_tabs(line), palette.code)] for line in code.split("\n")]


def _coloured(code: str, language: str, palette: Palette) -> list[Line]:
    lines = [expand_tabs(line) for line in code.split("\n")]
    if (
        not language
        or len(lines) > MAX_LINES
        or len(code) > MAX_CHARACTERS
        or max(map(len, lines)) > MAX_LINE
        or (lexer := _lexer(language)) is None
    ):
        return _uncoloured(code, palette)
    return _lexed(lines, lexer, palette)


def _label(language: str, width: int, palette: Palette) -> list[Line]:
    """The row above the code that names the language."""
    if not language:
        return []
    return [_row([Segment(f"{language} ".rjust(width), palette.faint)], width, palette.code)]


def _rows(lines: Iterable[Line], width: int, palette: Palette) -> list[Line]:
    """Code on a tinted ground of full width."""
    indent = " " if width > 8 else ""
    ground = palette.code
    return [
        _row([Segment(indent, ground), *part], width, ground)
        for line in lines
        for part in fold(line, max(1, width - 2 * len(indent)))
    ]


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
