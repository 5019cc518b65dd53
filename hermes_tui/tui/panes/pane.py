"""A titled box."""

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message


class Pane(Vertical):
    """Round and dim; heavy and coloured while the keyboard is in it.

    The keyboard never stays here by accident: esc goes back to the prompt, and so
    does a letter that means nothing in the pane, which is typed into the prompt.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Prompt", id="list.back", show=False)
    ]

    _is_left = False

    class Left(Message):
        """The person goes back to the prompt."""

        def __init__(self, typed: str = "") -> None:
            super().__init__()
            self.typed = typed
            """What they have typed already."""

    def entitle(self, title: str, note: str = "") -> None:
        """Set the title and the note at the lower edge; both may be foreign text."""
        self.border_title = Content(title)
        self.border_subtitle = Content(note) if note else None

    def action_leave(self) -> None:
        self._is_left = True
        self.post_message(self.Left())

    def on_descendant_focus(self) -> None:
        self._is_left = False

    def on_key(self, event: events.Key) -> None:
        """Take a letter that no widget here is bound to as the beginning of a prompt."""
        if not (event.is_printable and event.character):
            return
        # Keys that come before the prompt has the keyboard follow the first one there.
        if self._is_left or event.key not in self.screen.active_bindings:
            event.stop()
            event.prevent_default()
            self._is_left = True
            self.post_message(self.Left(event.character))

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        self.post_message(self.Left(event.text))
