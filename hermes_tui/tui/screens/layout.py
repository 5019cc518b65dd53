"""Which panes are on the screen: CSS classes on the chat screen, read by `chat.tcss`."""

from textual.screen import Screen
from textual.widget import Widget

from hermes_tui.tui.widgets.header import NARROW, PANES, Header, PaneName

WIDE = 140
"""Columns from which both sides show; below, down to `NARROW`, one side at a time."""

LEFT: tuple[PaneName, ...] = ("sessions", "skills", "memory")
FOCUSED = {"tools": "#live"}
"""What takes the keyboard in a pane; in the conversation the prompt does, else a list."""


class PaneLayout:
    """Shows, focuses and hides panes, the same keys on every width."""

    def __init__(self, screen: Screen[None]) -> None:
        self._screen = screen

    def toggle(self, pane: PaneName) -> None:
        """Go to a pane, showing it first; from within it, hide it and go to the prompt."""
        leaves = self._widget(pane).has_focus_within and self.is_shown(pane)
        if leaves:
            self._hide(pane)
        else:
            self._show(pane)
        self._focus("chat" if leaves else pane)

    def go(self, pane: PaneName) -> None:
        """Show a pane and give it the keyboard."""
        self._show(pane)
        self._focus(pane)

    def zoom(self) -> None:
        """Only the conversation, or everything again."""
        self._screen.toggle_class("-zoom")
        self._show_tab("chat")
        self._focus("chat")

    def is_shown(self, pane: PaneName) -> bool:
        return self._widget(pane).is_on_screen and self._widget(pane).region.width > 0

    def _show(self, pane: PaneName) -> None:
        screen = self._screen
        screen.remove_class(f"-no-{pane}", "-zoom")
        screen.set_class(pane in LEFT, "-side-left")
        screen.remove_class("-no-side")
        self._show_tab(pane)
        self._mind_left()

    def _hide(self, pane: PaneName) -> None:
        width = self._screen.size.width
        if width >= WIDE:
            self._screen.add_class(f"-no-{pane}")
            self._mind_left()
        elif width >= NARROW:
            self._screen.add_class("-no-side")
        self._show_tab("chat")

    def _mind_left(self) -> None:
        """A column without panes takes no room."""
        empty = all(self._screen.has_class(f"-no-{pane}") for pane in LEFT)
        self._screen.set_class(empty, "-no-left")

    def _show_tab(self, pane: PaneName) -> None:
        for other in PANES:
            self._screen.set_class(other == pane, f"-pane-{other}")
        self._screen.query_one(Header).pane = pane

    def _widget(self, pane: PaneName) -> Widget:
        return self._screen.query_one(f"#{pane}")

    def _focus(self, pane: PaneName) -> None:
        if pane == "chat":
            # At once: the next key may be waiting already.
            self._screen.set_focus(self._screen.query_one("#prompt"))
            return
        self._screen.query_one(FOCUSED.get(pane, f"#{pane} OptionList")).focus()
