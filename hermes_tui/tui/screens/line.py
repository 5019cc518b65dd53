"""One line of text, or a yes or no."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static


class Line(ModalScreen[str | None]):
    """Returns what was typed, None for esc. Without a placeholder it only asks for enter."""

    CSS_PATH = "picker.tcss"
    BINDINGS: ClassVar = [Binding("escape", "back", "Back", show=False)]

    def __init__(self, title: str, text: str = "", *, verb: str, note: str = "") -> None:
        super().__init__()
        self._title = title
        self._text = text
        self._verb = verb
        self._note = note

    def compose(self) -> ComposeResult:
        with Vertical(classes="picker") as box:
            box.border_title = Content(self._title)
            box.border_subtitle = Content(f"enter {self._verb}   esc back")
            if self._note:
                yield Static(Content(self._note), markup=False)
            yield Input(self._text)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip())

    def action_back(self) -> None:
        self.dismiss(None)
