"""A scrolling view of a page of blocks: following, folding, selecting, copying."""

from collections.abc import Iterable, Iterator
from time import monotonic
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Offset, Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.selection import Selection
from textual.strip import Strip
from textual.timer import Timer

from hermes_tui.tui.access import app_of
from hermes_tui.tui.render.palette import Glyphs, Palette
from hermes_tui.tui.render.wrap import restyle
from hermes_tui.tui.view.blocks import MARGIN, AnswerBlock, Block, Drawing
from hermes_tui.tui.view.page import Page
from hermes_tui.tui.view.still_scroll import StillScroll

IDLE_SECONDS = 0.05
IDLE_SLICE_SECONDS = 0.005
"""Older blocks are measured in slices this long, so that keys never wait for them."""

ORIGIN = 1 << 30
"""Selections count lines from here, so that lines admitted above move nothing."""

SELECTED_LINES = 5_000
"""No more lines than this are copied by a selection."""


class PageView(StillScroll, can_focus=True):
    """Blocks from the oldest at the top to the newest at the bottom.

    It stays at the end as the page grows only when the reader was at the end;
    otherwise nothing moves and `unseen_lines` counts what came in below.
    """

    DEFAULT_CSS = """
    PageView {
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
        background: $background;
        color: $foreground;
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "Down", show=False),
        Binding("k", "scroll_up", "Up", show=False),
        Binding("d", "page_down", "Page down", show=False),
        Binding("u", "page_up", "Page up", show=False),
        Binding("g,home", "start", "Start", show=False),
        Binding("G,end", "end", "End", show=False),
        Binding("space,enter", "fold", "Fold"),
        Binding("y", "copy", "Copy"),
        Binding("left_square_bracket", "step(-1)", "Previous", key_display="["),
        Binding("right_square_bracket", "step(1)", "Next", key_display="]"),
    ]

    unseen_lines: reactive[int] = reactive(0)
    """Lines that came in below while the reader was further up."""

    class NewLines(Message):
        """`unseen_lines` has changed."""

        def __init__(self, count: int) -> None:
            super().__init__()
            self.count = count

    class Copied(Message):
        """A block went to the clipboard."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(
        self,
        *,
        glyphs: Glyphs | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.page = Page()
        self._glyphs = glyphs
        self._follow = True
        self._is_moving = False
        self._cursor: int | None = None
        self._origin = ORIGIN
        self._idle: Timer | None = None

    def put(self, blocks: Iterable[Block]) -> None:
        """Replace everything; the view goes to the end."""
        self.page.show(blocks)
        self._cursor, self._follow, self.unseen_lines = None, True, 0
        self._fill()

    def add(self, block: Block) -> int:
        """Append a block; returns its index."""
        grown = self.page.add(block)
        index = len(self.page.blocks) - 1
        self._grow(index, grown, counts=True)
        return index

    def changed(self, index: int, *, counts: bool = True) -> None:
        """Draw a block again; `counts` when what it grew by is news to the reader."""
        self._grow(index, self.page.update(index), counts=counts)

    @property
    def follow(self) -> bool:
        """Whether the view stays at the end as the page grows."""
        return self._follow

    @follow.setter
    def follow(self, value: bool) -> None:
        if value:
            self.scroll_to_end()
        else:
            self._follow = False

    def scroll_to_end(self) -> None:
        """Go to the newest line and stay there."""
        self._follow, self.unseen_lines = True, 0
        if self.page.drawing is None:
            return
        if not self.page.has_end:
            self._turn_to(len(self.page.blocks))
        self._move_to(self.page.height)

    def on_mount(self) -> None:
        self._idle = self.set_interval(IDLE_SECONDS, self._measure_older, pause=True)
        app_of(self).theme_changed_signal.subscribe(self, lambda _: self._redraw())

    def on_resize(self) -> None:
        drawing = self.page.drawing
        if drawing is None or drawing.width != self._width:
            self._redraw()
        elif self._follow:
            self._move_to(self.page.height)
        else:
            self._fetch()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if not self._is_moving and self.page.drawing is not None:
            self._scrolled()

    def watch_unseen_lines(self, count: int) -> None:
        self.post_message(self.NewLines(count))
        self.refresh(Region(0, self._rows - 1, self._width, 1))

    def watch_has_focus(self, has_focus: bool) -> None:
        super().watch_has_focus(has_focus)
        if self._cursor is not None:
            self.refresh()

    def render_line(self, y: int) -> Strip:
        line = self.scroll_offset.y + y
        strip = self.page.line(line) if self.page.drawing else None
        strip = (strip or Strip.blank(self._width)).apply_style(self.rich_style)
        if self._cursor is not None and self.has_focus:
            strip = self._with_cursor(strip, line)
        if (selection := self.text_selection) is not None:
            strip = self._with_selection(strip, selection, line)
        if self.unseen_lines and y == self._rows - 1:
            return self._with_hint(strip)
        return strip.apply_offsets(0, line + self._origin)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The selected text without margins and padding."""
        first = selection.start.y - self._origin if selection.start else 0
        last = selection.end.y - self._origin if selection.end else self.page.height - 1
        lines: list[str] = []
        for line in range(
            max(0, first), min(last, first + SELECTED_LINES, self.page.height - 1) + 1
        ):
            span = selection.get_span(line + self._origin)
            strip = self.page.line(line)
            if span is not None and strip is not None:
                start, end = span
                text = strip.text[max(start, MARGIN) : end if end >= 0 else None]
                lines.append(text.rstrip())
        return "\n".join(lines), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """The head of a block folds it, a second click selects it; the hint goes to the end."""
        where = event.get_content_offset(self)
        if where is None:
            return
        hint = self._hint()
        if hint and where.y == self._rows - 1 and where.x >= self._width - len(hint):
            self.scroll_to_end()
        elif found := self.page.layout.locate(self.scroll_offset.y + where.y):
            index, line = found
            if event.chain == 2:
                self._select(index)
            elif event.chain == 1 and line == self.page.blocks[index].gap:
                self._fold(index)
        if event.chain > 1:
            event.prevent_default()  # the widget would select everything

    def action_start(self) -> None:
        if self.page.drawing is None:
            return
        if self.page.layout.first > 0:
            self._turn_to(0)
        self._move_to(0)
        self._scrolled()

    def action_end(self) -> None:
        self.scroll_to_end()

    def action_fold(self) -> None:
        """Fold or unfold the block at the cursor, or else the last one that folds."""
        index = self._cursor
        if index is None:
            foldable = (i for i, block in self._backwards() if block.folds is not None)
            index = next(foldable, None)
        if index is not None:
            self._fold(index)

    def action_step(self, by: int) -> None:
        """Move the cursor to the block before or after."""
        if not self.page.blocks or self.page.drawing is None:
            return
        index = self._cursor
        if index is None:
            line = self.scroll_offset.y + (self._rows - 1 if by < 0 else 0)
            found = self.page.layout.locate(min(line, self.page.height - 1))
            index = found[0] if found else 0
        else:
            index = min(max(index + by, 0), len(self.page.blocks) - 1)
        self._cursor = index
        self._reveal(index)
        self.refresh()

    def action_copy(self) -> None:
        """Copy the block at the cursor, or else the last answer."""
        index = self._cursor
        if index is None:
            answers = (i for i, block in self._backwards() if isinstance(block, AnswerBlock))
            index = next(answers, len(self.page.blocks) - 1)
        if index >= 0:
            text = self.page.blocks[index].plain
            app_of(self).copy_to_clipboard(text)
            self.post_message(self.Copied(text))

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width

    @property
    def _rows(self) -> int:
        return self.scrollable_content_region.height

    def _backwards(self) -> Iterator[tuple[int, Block]]:
        blocks = self.page.blocks
        return ((index, blocks[index]) for index in range(len(blocks) - 1, -1, -1))

    def _redraw(self) -> None:
        """Draw at the present width and in the present colours; the reader's line stays put."""
        if self._width <= 0:
            return
        palette = Palette.from_variables(app_of(self).theme_variables, glyphs=self._glyphs)
        tick = self.page.drawing.tick if self.page.drawing else 0
        found = None if self._follow else self.page.layout.locate(self.scroll_offset.y)
        index, line = found or (len(self.page.blocks), 0)
        self.page.draw_as(Drawing(self._width, palette, tick=tick), at=index)
        self._fill()
        if found:
            height = self.page.layout.known(index) or 1
            self._move_to(self.page.layout.top(index) + min(line, height - 1))
            self._fetch()
        self.refresh()

    def _turn_to(self, index: int) -> None:
        self.page.turn_to(index)
        self.screen.clear_selection()
        self._fill()

    def _fill(self) -> None:
        """Take about three screens onto an empty page, and go to its end if that is wanted."""
        if self.page.drawing is None:
            return
        self._origin = ORIGIN
        rows = max(self._rows, 1)
        if not self.page.has_end:
            self.page.fill_below(3 * rows)
        self.page.fill_above(2 * rows)
        self._stretch()
        if self._follow:
            self._move_to(self.page.height)
        if self._idle is not None:
            self._idle.resume()
        self.refresh()

    def _fetch(self) -> None:
        """Admit older or newer blocks when the reader is within a screen of them."""
        rows, layout = self._rows, self.page.layout
        if layout.first > 0 and self.scroll_offset.y < rows:
            added = self.page.fill_above(2 * rows)
            self._origin -= added
            self._stretch()
            self._move_to(self.scroll_offset.y + added)
        if not self.page.has_end and self.page.height - self.scroll_offset.y < 2 * rows:
            self.page.fill_below(2 * rows)
            self._stretch()

    def _grow(self, index: int, grown: int, *, counts: bool) -> None:
        if self.page.drawing is None:
            return
        layout = self.page.layout
        if not layout.is_on_page(index):
            self.unseen_lines += max(grown, 0) if counts else 0
            return
        line = self.scroll_offset.y
        end_before = layout.top(index) + (layout.known(index) or 0) - grown
        self._stretch()
        if self._follow:
            self._move_to(self.page.height)
        elif end_before <= line and grown:
            self._move_to(line + grown)
        elif counts and grown > 0:
            self.unseen_lines += grown
        first = max(0, self.page.changed_from(index) - self.scroll_offset.y)
        if first < self._rows:
            self.refresh(Region(0, first, self._width, self._rows - first))

    def _stretch(self) -> None:
        size = Size(self._width, self.page.height)
        if size != self.virtual_size:
            self.virtual_size = size

    def _move_to(self, line: int) -> None:
        """Scroll for the reader, not by the reader."""
        self._is_moving = True
        try:
            self.scroll_to(y=line, force=True)
        finally:
            self._is_moving = False

    def _scrolled(self) -> None:
        self._follow = self.page.has_end and self.scroll_offset.y >= self.max_scroll_y
        if self._follow:
            self.unseen_lines = 0
        self._fetch()

    def _measure_older(self) -> None:
        until = monotonic() + IDLE_SLICE_SECONDS
        while monotonic() < until:
            if not self.page.measure_older():
                if self._idle is not None:
                    self._idle.pause()
                return

    def _fold(self, index: int) -> None:
        self.page.blocks[index].fold()
        self.changed(index, counts=False)

    def _reveal(self, index: int) -> None:
        """Bring a block into view, its first line when it is taller than the view."""
        layout = self.page.layout
        if index < layout.first:
            self._origin -= self.page.fill_above(self._rows)
        elif index >= layout.last:
            self.page.fill_below(self._rows)
        self._stretch()
        top, height = layout.top(index), layout.known(index) or 1
        line = self.scroll_offset.y
        if top < line or top + height > line + self._rows:
            below = top + height - self._rows
            self._move_to(top if top < line or height > self._rows else below)
        self._scrolled()

    def _select(self, index: int) -> None:
        top = self.page.layout.top(index) + self._origin
        last = top + (self.page.layout.known(index) or 1) - 1
        start = top + self.page.blocks[index].gap
        selection = Selection(Offset(MARGIN, start), Offset(self._width, last))
        self.screen.selections = {self: selection}

    def _with_cursor(self, strip: Strip, line: int) -> Strip:
        found = self.page.layout.locate(line)
        if found is None or found[0] != self._cursor or self.page.drawing is None:
            return strip
        if found[1] < self.page.blocks[found[0]].gap:
            return strip
        palette = self.page.drawing.palette
        bar = Segment(palette.glyphs.bar, self.rich_style + palette.cursor)
        return Strip([bar, *strip.crop(1)], strip.cell_length)

    def _with_selection(self, strip: Strip, selection: Selection, line: int) -> Strip:
        span = selection.get_span(line + self._origin)
        if span is None:
            return strip
        style = self.screen.get_component_rich_style("screen--selection")
        end = span[1] if span[1] >= 0 else len(strip.text.rstrip())
        return restyle(strip, max(span[0], MARGIN), max(end, MARGIN), style)

    def _hint(self) -> str:
        count = self.unseen_lines
        if not count or self.page.drawing is None:
            return ""
        down = self.page.drawing.palette.glyphs.down
        return f" {down} {count:,} new line{'' if count == 1 else 's'} "

    def _with_hint(self, strip: Strip) -> Strip:
        hint = self._hint()
        assert self.page.drawing is not None
        note = Segment(hint, self.rich_style + self.page.drawing.palette.hint)
        return Strip([*strip.crop(0, self._width - len(hint)), note])
