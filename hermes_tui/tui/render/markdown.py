"""Markdown into lines, whole or while it streams in.

The parser (markdown-it) is imported when the first answer is drawn. Raw HTML is
shown as the text it is. Link reference definitions are not resolved, so that no
later line can change an earlier block: what has been drawn stays drawn.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from hermes_tui.safety.terminal_text import visible, visible_line
from hermes_tui.tui.render.code import CONTEXT_LINES, CodeBlock, GrowingCode, highlighted
from hermes_tui.tui.render.inline import inline_runs
from hermes_tui.tui.render.palette import DEFAULT, Palette
from hermes_tui.tui.render.table import Align, Table, table_lines
from hermes_tui.tui.render.wrap import Line, strip_of, wrap

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

LEAST_WIDTH = 8
"""Quotes and lists stop indenting when less than this is left for their text."""

_LINE_END = re.compile("\r\n?|[\n\u2028\u2029]")
_TASK = re.compile(r"\[([ xX])\][ \t]+")
_SPACED = frozenset({"heading", "fence", "code_block", "table", "blockquote"})
"""Blocks that get an empty line before them even where the source has none."""


class Node(Struct):
    """A block and what is inside it."""

    token: "Token"
    children: list["Node"] = []

    @property
    def kind(self) -> str:
        return self.token.type.removesuffix("_open")

    @property
    def start(self) -> int:
        """First source line, from 0."""
        return self.token.map[0] if self.token.map else 0


class Place(Struct, frozen=True):
    """What the text before a piece decides about it."""

    above: str = ""
    """The kind of block above it; empty at the start of the text."""
    is_apart: bool = False
    """The source has an empty line between the two."""
    number: int | None = None
    """The number of the ordered list item it is."""


class Piece(Struct, frozen=True):
    """A top-level block, or one item of a top-level list."""

    start: int
    """Its first line in the source it was parsed from, from 0."""
    kind: str
    place: Place
    lines: Callable[[CodeBlock], list[Line]]

    def strips(self, width: int, code: CodeBlock) -> list[Strip]:
        return [strip_of(line, width) for line in self.spaced(code)]

    def spaced(self, code: CodeBlock) -> list[Line]:
        """Its lines, after an empty one where one belongs."""
        lines = self.lines(code)
        return [[], *lines] if _has_gap(self.place, self.kind) else lines


def render_markdown(
    text: str, width: int, palette: Palette, *, code: CodeBlock = highlighted
) -> list[Strip]:
    """`text` as strips of exactly `width` cells. Untrusted text is made visible here."""
    pieces = _pieces(visible(text), Place(), width, palette)
    return [strip for piece in pieces for strip in piece.strips(width, code)]


def warm_up() -> None:
    """Import the parser and a lexer before the first answer needs them: 0.1 to 0.2 s of CPU."""
    render_markdown("```python\npass\n```", 20, DEFAULT)


class MarkdownStream:
    """An answer that is still being written: only its last piece is drawn again.

    After `close` the strips equal those of `render_markdown` for the whole text,
    whatever the chunks it came in.
    """

    def __init__(self, text: str = "") -> None:
        self.text = text
        self.changed_from = 0
        """First line the latest call of `strips` may have changed."""
        self._width = 0
        self._palette: Palette | None = None
        self._frozen: list[Strip] = []
        self._tail = text
        self._place = Place()
        self._code = GrowingCode()
        self._last_lines: list[Line] = []
        self._last_strips: list[Strip] = []
        self._last_top = 0
        self._is_closed = False

    def append(self, text: str) -> None:
        self.text += text
        self._tail += text

    def close(self) -> None:
        """No more text comes: code is coloured as a whole."""
        self._is_closed = True

    def strips(self, width: int, palette: Palette) -> list[Strip]:
        """All lines so far, exactly `width` cells each."""
        if (width, palette) != (self._width, self._palette):
            self._width, self._palette = width, palette
            self._frozen, self._tail, self._place = [], self.text, Place()
            self._last_lines, self._last_strips = [], []
        self.changed_from = len(self._frozen)
        pieces = self._pieces()
        if not pieces:
            return list(self._frozen)
        *finished, last = self._freeze(pieces)
        drawn = list(self._frozen)
        for piece in finished:
            drawn += piece.strips(width, highlighted)
        lines = last.spaced(highlighted if self._is_closed else self._code)
        kept = self._count_same(lines) if len(drawn) == self._last_top else 0
        if len(drawn) == self.changed_from:
            self.changed_from += kept
        self._last_strips[kept:] = (strip_of(line, width) for line in lines[kept:])
        self._last_lines, self._last_top = lines, len(drawn)
        return drawn + self._last_strips

    def _freeze(self, pieces: list[Piece]) -> list[Piece]:
        """Keep the strips of pieces that cannot change any more; returns the others.

        A piece is final once the first line of a later one is complete: before
        that the later one may still turn out to be its continuation.
        """
        complete = sum(1 for _ in _LINE_END.finditer(self._tail))
        settled = sum(1 for piece in pieces if piece.start < complete) - 1
        if settled <= 0:
            return pieces
        for piece in pieces[:settled]:
            self._frozen += piece.strips(self._width, highlighted)
        self._tail = _from_line(self._tail, pieces[settled].start)
        self._place, self._code = pieces[settled].place, GrowingCode()
        return pieces[settled:]

    def _count_same(self, lines: list[Line]) -> int:
        """How many lines at the start are the very ones drawn last time: those of an open fence."""
        if len(lines) < CONTEXT_LINES:
            return 0
        same = 1 if lines[:1] == [[]] == self._last_lines[:1] else 0
        for old, new in zip(self._last_lines[same:], lines[same:], strict=False):
            if old is not new:
                break
            same += 1
        return same

    def _pieces(self) -> list[Piece]:
        assert self._palette is not None
        # At the start of a text a byte order mark is dropped; a later line is not the start.
        source = visible(f"\n{self._tail}")[1:] if self._place.above else visible(self._tail)
        return _pieces(source, self._place, self._width, self._palette)


def _from_line(text: str, number: int) -> str:
    """The text from line `number` on, counted from 0; `number` is not 0."""
    for line, match in enumerate(_LINE_END.finditer(text), start=1):
        if line == number:
            return text[match.end() :]
    return ""


@lru_cache(maxsize=1)
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False})
    return parser.enable(["table", "strikethrough"]).disable("reference")


def _pieces(source: str, place: Place, width: int, palette: Palette) -> list[Piece]:
    lines = source.split("\n")
    pieces: list[Piece] = []
    before: Node | None = None
    draw = _Drawing(lines, palette)
    for node in _tree(_parser().parse(source)):
        is_list = node.kind in {"bullet_list", "ordered_list"}
        first = draw.first_number(node)
        for index, part in enumerate(node.children if is_list else [node]):
            number = first + index if first is not None else None
            where = draw.place(before, part, number)
            if not pieces:
                if first is not None and place.number is not None:
                    first = number = place.number
                where = Place(place.above, place.is_apart, number)
            pieces.append(Piece(part.start, part.kind, where, draw.later(part, where, width)))
            before = part
    return pieces


def _has_gap(place: Place, kind: str) -> bool:
    """Whether an empty line comes before a block of this kind."""
    if not place.above:
        return False
    return place.is_apart or kind in _SPACED or place.above in _SPACED - {"heading"}


def _tree(tokens: Sequence["Token"]) -> list[Node]:
    root: list[Node] = []
    open_blocks = [root]
    for token in tokens:
        if token.nesting < 0:
            open_blocks.pop()
            continue
        node = Node(token, [])
        open_blocks[-1].append(node)
        if token.nesting > 0:
            open_blocks.append(node.children)
    return root


class _Drawing:
    """Blocks of one source text into lines."""

    def __init__(self, source: list[str], palette: Palette, code: CodeBlock = highlighted) -> None:
        self._source = source
        self._palette = palette
        self._draw_code = code

    def later(self, node: Node, place: Place, width: int) -> Callable[[CodeBlock], list[Line]]:
        def lines(code: CodeBlock) -> list[Line]:
            drawing = _Drawing(self._source, self._palette, code)
            if node.kind == "list_item":
                return drawing.item(node, place.number, width, depth=0)
            return drawing.block(node, width, depth=0)

        return lines

    def place(self, before: Node | None, node: Node, number: int | None = None) -> Place:
        if before is None:
            return Place(number=number)
        above = self._source[node.start - 1] if 0 < node.start <= len(self._source) else ""
        return Place(before.kind, not above.strip(" \t>"), number)

    def first_number(self, node: Node) -> int | None:
        if node.kind != "ordered_list":
            return None
        return int(node.token.attrs.get("start", 1))

    def blocks(self, nodes: Sequence[Node], width: int, depth: int) -> list[Line]:
        lines: list[Line] = []
        before: Node | None = None
        for node in nodes:
            if _has_gap(self.place(before, node), node.kind):
                lines.append([])
            lines += self.block(node, width, depth)
            before = node
        return lines

    def block(self, node: Node, width: int, depth: int) -> list[Line]:
        match node.kind:
            case "paragraph":
                return self._paragraph(node, width, self._palette.text)
            case "heading":
                top = node.token.tag in {"h1", "h2"}
                style = self._palette.heading if top else self._palette.subheading
                return self._paragraph(node, width, style)
            case "bullet_list" | "ordered_list":
                return self._list(node, width, depth)
            case "fence" | "code_block":
                return self._code(node, width)
            case "blockquote":
                return self._quote(node, width, depth)
            case "table":
                return table_lines(self._table(node), width, self._palette)
            case "hr":
                return [[Segment(self._palette.glyphs.rule * width, self._palette.faint)]]
            case _:
                return wrap([Segment(node.token.content, self._palette.text)], width)

    def item(self, node: Node, number: int | None, width: int, depth: int) -> list[Line]:
        """One list item behind its bullet, number or check box."""
        glyphs = self._palette.glyphs
        marker, style = glyphs.bullets[depth % len(glyphs.bullets)], self._palette.accent
        if number is not None:
            marker, style = f"{number}.".rjust(3), self._palette.muted
        elif (done := _take_task(node)) is not None:
            marker = glyphs.checked if done else glyphs.todo
            style = self._palette.success if done else self._palette.muted
        room = width - len(marker) - 1
        if room < LEAST_WIDTH:
            lines = self.blocks(node.children, width, depth + 1)
            return [[Segment(marker, style)], *lines] if width < LEAST_WIDTH else lines
        return _prefixed(
            self.blocks(node.children, room, depth + 1) or [[]],
            Segment(f"{marker} ", style),
            Segment(" " * (len(marker) + 1)),
        )

    def _list(self, node: Node, width: int, depth: int) -> list[Line]:
        lines: list[Line] = []
        first = self.first_number(node)
        before: Node | None = None
        for index, part in enumerate(node.children):
            if _has_gap(self.place(before, part), part.kind):
                lines.append([])
            number = first + index if first is not None else None
            lines += self.item(part, number, width, depth)
            before = part
        return lines

    def _paragraph(self, node: Node, width: int, style: Style) -> list[Line]:
        return wrap(self._inline(node, style), width)

    def _inline(self, node: Node, style: Style) -> Line:
        tokens = node.children[0].token.children if node.children else None
        return inline_runs(tokens or (), style, self._palette)

    def _code(self, node: Node, width: int) -> list[Line]:
        language = visible_line(node.token.info, limit=40).split(" ")[0]
        code = visible(node.token.content).removesuffix("\n")
        return self._draw_code(code, language, width, self._palette)

    def _quote(self, node: Node, width: int, depth: int) -> list[Line]:
        if width - 2 < LEAST_WIDTH:
            return self.blocks(node.children, width, depth)
        bar = Segment(f"{self._palette.glyphs.quote} ", self._palette.faint)
        return _prefixed(self.blocks(node.children, width - 2, depth), bar, bar)

    def _table(self, node: Node) -> Table:
        rows = [row.children for part in node.children for row in part.children]
        head, *body = rows
        strong = self._palette.subheading
        return Table(
            head=[self._inline(cell, strong) for cell in head],
            rows=[[self._inline(cell, self._palette.text) for cell in row] for row in body],
            aligns=[_align(cell) for cell in head],
        )


def _prefixed(lines: Sequence[Line], first: Segment, rest: Segment) -> list[Line]:
    return [[rest if number else first, *line] for number, line in enumerate(lines)]


def _align(cell: Node) -> Align:
    style = str(cell.token.attrs.get("style", ""))
    return "right" if "right" in style else "center" if "center" in style else "left"


def _take_task(item: Node) -> bool | None:
    """Whether a `[x]` starts the item, which is then taken out of its text; None without one."""
    if not item.children or item.children[0].kind != "paragraph":
        return None
    words = item.children[0].children[0].token.children or []
    found = _TASK.match(words[0].content) if words and words[0].type == "text" else None
    if found is None:
        return None
    words[0].content = words[0].content[found.end() :]
    return found[1] in "xX"
