"""The conversation."""

from textual.app import ComposeResult

from hermes_tui.tui.panes.pane import Pane
from hermes_tui.tui.registry import bindings_of
from hermes_tui.tui.view.transcript import TranscriptView


class ChatPane(Pane):
    """The transcript in its box; the lower edge says how much came in below the view."""

    BINDINGS = bindings_of("chat")

    def __init__(self) -> None:
        super().__init__(id="chat")
        self.transcript = TranscriptView()
        self._title = "Conversation"

    def compose(self) -> ComposeResult:
        yield self.transcript

    def on_mount(self) -> None:
        self.entitle(self._title)
        self.watch(self.transcript, "unseen_lines", self._show_unseen, init=False)

    def name_session(self, title: str) -> None:
        self._title = title or "Conversation"
        self._show_unseen(self.transcript.unseen_lines)

    def _show_unseen(self, lines: int) -> None:
        note = f"↓ {lines} new line{'' if lines == 1 else 's'}" if lines else ""
        self.entitle(self._title, note)
