"""The top line: what this is, or, on a narrow screen, the tabs."""

from typing import Literal

from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from hermes_tui.tui.text import one_line

PaneName = Literal["chat", "tools", "memory", "skills", "sessions"]
PANES: tuple[PaneName, ...] = ("chat", "tools", "memory", "skills", "sessions")
NARROW = 100
"""Columns below which one pane fills the screen."""


class Header(Widget):
    """Name, session and place; below 100 columns a strip of tabs, one per pane."""

    title_text: reactive[str] = reactive("new session")
    pane: reactive[PaneName] = reactive("chat")
    is_working: reactive[bool] = reactive(default=False)

    class TabChosen(Message):
        """A tab was clicked."""

        def __init__(self, pane: PaneName) -> None:
            super().__init__()
            self.pane: PaneName = pane

    def __init__(self) -> None:
        super().__init__(id="header")
        self._ends: list[tuple[int, PaneName]] = []

    def render(self) -> Content:
        return self._tabs() if self.size.width < NARROW else self._line()

    def _line(self) -> Content:
        left = Content.assemble(
            (" ☤ hermes", "$primary bold"), "   ", one_line(self.title_text, 60)
        )
        return _apart(left, "ctrl+p commands   ctrl+s sessions   F1 help ", self.size.width)

    def _tabs(self) -> Content:
        line = Content.assemble((" ☤ ", "$primary bold"))
        self._ends.clear()
        for pane in PANES:
            label = pane.capitalize() + (" ⣾" if pane == "tools" and self.is_working else "")
            style = "reverse" if pane == self.pane else "$muted"
            line = Content.assemble(line, (f" {label} ", style), " ")
            self._ends.append((line.cell_length, pane))
        return _apart(line, "F1 help ", self.size.width)

    def on_click(self, event: events.Click) -> None:
        if self.size.width < NARROW:
            for end, pane in self._ends:
                if event.x < end:
                    self.post_message(self.TabChosen(pane))
                    return


def _apart(left: Content, right: str, width: int) -> Content:
    gap = width - left.cell_length - len(right)
    if gap < 1:
        return left.truncate(max(width, 1), ellipsis=True)
    return Content.assemble(left, " " * gap, (right, "$muted"))
