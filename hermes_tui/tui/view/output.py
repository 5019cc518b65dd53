"""Live output of running commands: a long, cheap, coloured log."""

from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.selection import Selection
from textual.strip import Strip

from hermes_tui.safety.terminal_text import visible_line
from hermes_tui.tui.access import app_of
from hermes_tui.tui.render.ansi import OutputLines
from hermes_tui.tui.render.palette import DEFAULT, Palette
from hermes_tui.tui.render.wrap import restyle
from hermes_tui.tui.view.still_scroll import StillScroll

KEPT_LINES = 10_000
CACHED_LINES = 512


class OutputView(StillScroll, can_focus=True):
    """The last lines of a command's output, not wrapped; it follows until the reader scrolls up.

    Lines are kept as sanitised text; colours are worked out for lines in sight only.
    """

    DEFAULT_CSS = """
    OutputView {
        overflow-x: auto;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 0;
        background: $background;
        color: $foreground;
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "Down", show=False),
        Binding("k", "scroll_up", "Up", show=False),
        Binding("h", "scroll_left", "Left", show=False),
        Binding("l", "scroll_right", "Right", show=False),
        Binding("d", "page_down", "Page down", show=False),
        Binding("u", "page_up", "Page up", show=False),
        Binding("g,home", "scroll_home", "Start", show=False),
        Binding("G,end", "scroll_end", "End", show=False),
    ]

    def __init__(
        self,
        *,
        limit: int = KEPT_LINES,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.lines = OutputLines(limit)
        self.drawn = 0
        """How many lines were parsed for colours: what writing and scrolling cost."""
        self._title = ""
        self._follow = True
        self._is_moving = False
        self._widest = 0
        self._palette = DEFAULT
        self._cache: dict[tuple[int, Style], Strip] = {}

    @property
    def title(self) -> str:
        """Shown in the border, where there is one. May be foreign text."""
        return self._title

    @title.setter
    def title(self, title: str) -> None:
        self._title = title
        self.border_title = Content(visible_line(title))  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def follow(self) -> bool:
        """Whether the view stays at the end as output arrives."""
        return self._follow

    @follow.setter
    def follow(self, value: bool) -> None:
        self._follow = value
        if value:
            self._move_to(len(self.lines))

    def plain_text(self) -> str:
        return self.lines.text

    def write(self, text: str) -> None:
        """Add what was printed; chunks may end anywhere."""
        dropped, finished = self.lines.dropped, self.lines.dropped + self.lines.finished
        self.lines.feed(text)
        last = self.lines.dropped + len(self.lines)
        for number in range(max(finished, self.lines.dropped), last):
            line = self.lines[number - self.lines.dropped].plain
            self._widest = max(self._widest, len(line) if line.isascii() else cell_len(line))
        self._stretch()
        forgotten = self.lines.dropped - dropped
        if self._follow:
            self._move_to(len(self.lines))
        elif forgotten:
            self._move_to(max(0, self.scroll_offset.y - forgotten))
        self._refresh_from(finished - self.lines.dropped if not forgotten else 0)

    def clear(self) -> None:
        self.lines.clear()
        self._cache.clear()
        self._widest, self._follow = 0, True
        self._stretch()
        self.refresh()

    def on_mount(self) -> None:
        self._recolour()
        app_of(self).theme_changed_signal.subscribe(self, lambda _: self._recolour())

    def on_resize(self) -> None:
        if self._follow:
            self._move_to(len(self.lines))

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._cache.clear()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if not self._is_moving:
            self._follow = self.scroll_offset.y >= self.max_scroll_y

    def render_line(self, y: int) -> Strip:
        base = self.rich_style
        left, top = self.scroll_offset
        line, width = top + y, self.scrollable_content_region.width
        if line >= len(self.lines):
            return Strip.blank(width, base)
        strip = self._strip(line, base)
        if (selection := self.text_selection) is not None:
            span = selection.get_span(line + self.lines.dropped)
            if span is not None:
                marked = self.screen.get_component_rich_style("screen--selection")
                strip = restyle(strip, *span, marked)
        strip = strip.apply_offsets(0, line + self.lines.dropped)
        if strip.cell_length > left + width:
            more = Strip([Segment("…", base + self._palette.faint)])
            return Strip.join([strip.crop(left, left + width - 1), more])
        return strip.crop_extend(left, left + width, base)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        dropped = self.lines.dropped
        first = selection.start.y - dropped if selection.start else 0
        last = selection.end.y - dropped if selection.end else len(self.lines) - 1
        parts: list[str] = []
        for line in range(max(0, first), min(last, len(self.lines) - 1) + 1):
            if (span := selection.get_span(line + dropped)) is not None:
                text = self.lines[line].plain
                parts.append(text[span[0] : span[1] if span[1] >= 0 else None])
        return "\n".join(parts), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()

    def _recolour(self) -> None:
        self._palette = Palette.from_variables(app_of(self).theme_variables)
        self._cache.clear()
        self.refresh()

    def _strip(self, line: int, base: Style) -> Strip:
        if line >= self.lines.finished:
            self.drawn += 1
            return Strip(self.lines[line].runs(base, self._palette))
        key = (line + self.lines.dropped, base)
        strip = self._cache.get(key)
        if strip is None:
            if len(self._cache) >= CACHED_LINES:
                self._cache.clear()
            self.drawn += 1
            strip = self._cache[key] = Strip(self.lines[line].runs(base, self._palette))
        return strip

    def _stretch(self) -> None:
        size = Size(self._widest, len(self.lines))
        if size != self.virtual_size:
            self.virtual_size = size

    def _refresh_from(self, line: int) -> None:
        width, rows = self.scrollable_content_region.size
        first = max(0, line - self.scroll_offset.y)
        if first < rows:
            self.refresh(Region(0, first, width, rows - first))

    def _move_to(self, line: int) -> None:
        self._is_moving = True
        try:
            if self.is_mounted:
                self.scroll_to(y=line, force=True)
        finally:
            self._is_moving = False
