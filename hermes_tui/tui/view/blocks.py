"""What a transcript is made of: data that knows how to draw itself at a width.

A block draws to strips of exactly the width asked for, so its height is exact.
`version` goes up whenever its drawing may have changed.
"""

from collections.abc import Sequence

from msgspec import Struct
from rich.segment import Segment
from textual.strip import Strip

from hermes_tui.core.events import NoticeLevel
from hermes_tui.safety.terminal_text import visible, visible_line
from hermes_tui.tui.render.code import CodeBlock, highlighted
from hermes_tui.tui.render.markdown import MarkdownStream, render_markdown
from hermes_tui.tui.render.palette import Palette
from hermes_tui.tui.render.wrap import Line, expand_tabs, strip_of, truncate, wrap
from hermes_tui.tui.tool_cards.bodies import body_of
from hermes_tui.tui.tool_cards.card import Card, head_line
from hermes_tui.tui.tool_cards.kinds import kind_of

MARGIN = 3
"""Cells left of the text: one for the cursor, one for the bar, one empty."""

MEASURE = 112
"""Text gets no wider than this many cells, however wide the view."""

USER_LINES = 16
REASONING_LINES = 8


class Drawing(Struct, frozen=True):
    """How blocks are to be drawn."""

    width: int
    palette: Palette
    code: CodeBlock = highlighted
    tick: int = 0
    """Counts up while something runs; turns the spinner."""

    @property
    def room(self) -> int:
        """Cells for text between the margins."""
        return max(1, min(self.width - MARGIN - 1, MEASURE))

    def strips(self, lines: Sequence[Line]) -> list[Strip]:
        """Lines of text behind the left margin."""
        margin = Segment(" " * MARGIN)
        return [strip_of([margin, *line], self.width) for line in lines]


class Block:
    """One thing in the transcript; subclasses say what."""

    def __init__(self) -> None:
        self.version = 0
        self.gap = 0
        """Empty lines above it, set by the transcript."""
        self.folds: bool | None = None
        """Whether it is folded; None when it cannot be."""

    @property
    def plain(self) -> str:
        """The whole text, folded or not, fit for the clipboard."""
        raise NotImplementedError

    def draw(self, drawing: Drawing) -> list[Strip]:
        raise NotImplementedError

    def strips(self, drawing: Drawing) -> list[Strip]:
        """Its lines, the gap included."""
        drawn = self.draw(drawing)
        return [Strip.blank(drawing.width)] * self.gap + drawn

    def fold(self) -> None:
        """Fold it, or unfold it."""
        if self.folds is not None:
            self.folds = not self.folds
            self.version += 1


class UserBlock(Block):
    """What the person said, on a tint behind a bar."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.folds = True if text.count("\n") > USER_LINES else None

    @property
    def plain(self) -> str:
        return visible(self.text)

    def draw(self, drawing: Drawing) -> list[Strip]:
        palette, room = drawing.palette, drawing.room
        runs = [
            Segment("\n".join(map(expand_tabs, self.plain.strip("\n").split("\n"))), palette.user)
        ]
        lines = wrap(runs, room)
        if self.folds and len(lines) > USER_LINES:
            hidden = len(lines) - USER_LINES
            hint = Segment(f"… {hidden:,} more lines", palette.user + palette.faint)
            lines = [*lines[:USER_LINES], [hint]]
        head: Line = [
            Segment(" "),
            Segment(palette.glyphs.bar, palette.user_bar),
            Segment(" ", palette.user),
        ]
        return [
            strip_of([*head, *strip_of(line, room, palette.user)], drawing.width) for line in lines
        ]


class AnswerBlock(Block):
    """Words of the model: Markdown, perhaps still arriving."""

    def __init__(self, text: str = "", *, is_open: bool = False) -> None:
        super().__init__()
        self._text = text
        self._stream = MarkdownStream(text) if is_open else None
        self._is_open = is_open
        self._drawn: list[Strip] = []
        self._drawn_as: Drawing | None = None
        self.changed_from = 0
        """First line, the gap not counted, that the latest drawing may have changed."""

    @property
    def text(self) -> str:
        return self._stream.text if self._stream else self._text

    @property
    def plain(self) -> str:
        return visible(self.text)

    def append(self, text: str) -> None:
        if self._stream and self._is_open:
            self._stream.append(text)
            self.version += 1

    def close(self) -> None:
        """No more words come. An open fence is coloured as a whole from now on."""
        if self._stream and self._is_open:
            self._is_open = False
            self._stream.close()
            self.version += 1

    def draw(self, drawing: Drawing) -> list[Strip]:
        if self._stream is None:
            self.changed_from = 0
            text, room = self._text, drawing.room
            drawn = render_markdown(text, room, drawing.palette, code=drawing.code)
            return [_framed(strip, drawing.width) for strip in drawn]
        strips = self._stream.strips(drawing.room, drawing.palette)
        is_same = self._drawn_as is not None and self._drawn_as.width == drawing.width
        kept = self._stream.changed_from if is_same else 0
        self._drawn[kept:] = (_framed(strip, drawing.width) for strip in strips[kept:])
        self._drawn_as, self.changed_from = drawing, kept
        drawn = list(self._drawn)
        if not self._is_open:
            self._text, self._stream, self._drawn = self._stream.text, None, []
        return drawn


class ReasoningBlock(Block):
    """The model's thinking: its last lines while it lasts, one line afterwards.

    With `stays_unfolded` all of it is shown afterwards, until the person folds it.
    """

    def __init__(
        self, text: str = "", *, is_open: bool = False, stays_unfolded: bool = False
    ) -> None:
        super().__init__()
        self._text = text
        self._is_open = is_open
        self._stays_unfolded = stays_unfolded
        self.folds = None if is_open else not stays_unfolded

    @property
    def plain(self) -> str:
        return visible(self._text)

    def append(self, text: str) -> None:
        self._text += text
        self.version += 1

    def close(self) -> None:
        if self._is_open:
            self._is_open, self.folds = False, not self._stays_unfolded
            self.version += 1

    def draw(self, drawing: Drawing) -> list[Strip]:
        palette, glyphs = drawing.palette, drawing.palette.glyphs
        style = palette.muted + palette.emphasis
        if self.folds:
            start = visible_line(self._text, limit=200)
            text = truncate(f"thought  {start}", max(1, drawing.room - 2))
            fold = Segment(f"{glyphs.folded} ", palette.faint)
            return drawing.strips([[fold, Segment(text, style)]])
        # Only the end is looked at while it grows: the whole may be very long.
        source = self._text[-drawing.room * REASONING_LINES * 2 :] if self._is_open else self._text
        lines = wrap(
            [Segment(visible(source).strip().replace("\t", " "), style)], max(1, drawing.room - 2)
        )
        mark = (
            glyphs.spinner[drawing.tick % len(glyphs.spinner)] if self._is_open else glyphs.unfolded
        )
        head = "thinking" if self._is_open else "thought"
        title: Line = [Segment(f"{mark} ", palette.faint), Segment(head, style)]
        shown = lines[-REASONING_LINES:] if self._is_open else lines
        return drawing.strips([title, *([Segment("  "), *line] for line in shown)])


class CardBlock(Block):
    """A tool call."""

    def __init__(self, card: Card) -> None:
        super().__init__()
        self.card = card
        self.folds = not kind_of(card).is_open
        self._chosen = False

    @property
    def is_live(self) -> bool:
        return self.card.state in {"running", "waiting"}

    @property
    def plain(self) -> str:
        """What it printed or came to; the call itself as long as there is neither."""
        printed = self.card.output.text
        content = visible(self.card.result.content) if self.card.result else ""
        return printed or content or visible(self.card.call.arguments)

    def fold(self) -> None:
        super().fold()
        self._chosen = True

    def settle(self) -> None:
        """Decide the fold once the result is in: failures open, unless the person chose."""
        if not self._chosen:
            self.folds = not kind_of(self.card).is_open and self.card.state != "failed"
        self.version += 1

    def draw(self, drawing: Drawing) -> list[Strip]:
        palette, room = drawing.palette, drawing.room
        kind = kind_of(self.card)
        mark = palette.glyphs.folded if self.folds else palette.glyphs.unfolded
        lines = [head_line(self.card, kind, room, palette, drawing.tick, mark)]
        if not self.folds:
            body = body_of(self.card, max(1, room - 2), palette, kind.body)
            lines += ([Segment("  "), *line] for line in body)
        return drawing.strips(lines)


class NoticeBlock(Block):
    """Something Hermes itself says."""

    def __init__(self, text: str, level: NoticeLevel) -> None:
        super().__init__()
        self._text = text
        self._level: NoticeLevel = level

    @property
    def plain(self) -> str:
        return visible(self._text)

    def draw(self, drawing: Drawing) -> list[Strip]:
        palette, glyphs = drawing.palette, drawing.palette.glyphs
        glyph, style = {
            "info": (glyphs.note, palette.muted),
            "warning": (glyphs.alert, palette.warning),
            "error": (glyphs.failed, palette.error),
        }[self._level]
        text = style if self._level == "error" else palette.muted
        lines = wrap([Segment(self.plain.replace("\t", " "), text)], max(1, drawing.room - 2))
        return drawing.strips(
            [
                [Segment("  " if number else f"{glyph} ", style), *line]
                for number, line in enumerate(lines)
            ]
        )


def _framed(strip: Strip, width: int) -> Strip:
    """A strip of text between the margins."""
    return strip_of([Segment(" " * MARGIN), *strip], width)
