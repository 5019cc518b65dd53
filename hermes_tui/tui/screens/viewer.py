"""A text to read."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from hermes_tui.safety.terminal_text import visible

SHOWN_CHARS = 100_000


class Viewer(ModalScreen[None]):
    """Shows foreign text as it is, without interpreting anything in it."""

    CSS_PATH = "viewer.tcss"
    BINDINGS: ClassVar = [Binding("escape,q", "dismiss", "Back", show=False)]

    def __init__(self, title: str, text: str, note: str = "") -> None:
        super().__init__()
        self._title = title
        self._text = text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "\n…"
        self._note = note

    def compose(self) -> ComposeResult:
        with Vertical(classes="viewer") as box:
            box.border_title = Content(self._title)
            box.border_subtitle = Content(f"{self._note}   esc back".strip())
            with VerticalScroll():
                yield Static(Content(visible(self._text) or "Empty."), markup=False)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()
