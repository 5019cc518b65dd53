"""The conversation."""

import textwrap
from collections.abc import Callable
from time import monotonic

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from hermes_tui.tui.panes.pane import Pane
from hermes_tui.tui.registry import bindings_of
from hermes_tui.tui.view.transcript import TranscriptView

WELCOME_PADDING = 6
"""Cells beside it (chat.tcss)."""
TRY = (
    "list the five largest files here, then write them to top.txt",
    "run `git log --oneline -5` and summarise what it printed",
    "remember that I like short answers",
)


def welcome_text(width: int) -> Content:
    """What one can do, in lines of at most `width` cells; the key hints may be longer."""
    lines = [Content.assemble(("☤ ", "$primary"), "Ask in plain words. For example:"), Content("")]
    for text in TRY:
        told = textwrap.fill(text, max(width, 20), initial_indent="  ", subsequent_indent="    ")
        lines.append(Content.styled(told, "$secondary"))
    keys = (("/", "commands"), ("ctrl+p", "palette"), ("esc", "stops"), ("F1", "help"))
    hints = [Content.assemble((key, "$primary"), f" {label}") for key, label in keys]
    return Content("\n").join([*lines, Content(""), Content("   ").join(hints)])


class ChatPane(Pane, inherit_bindings=False):
    """The transcript in its box; the lower edge says how much came in below the view."""

    BINDINGS = bindings_of("chat")

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        super().__init__(id="chat")
        self.transcript = TranscriptView(clock=clock)
        self._title = "Conversation"
        self._welcome = Static(id="welcome", markup=False)

    def compose(self) -> ComposeResult:
        yield self.transcript
        yield self._welcome

    def welcome(self, *, is_wanted: bool) -> None:
        """Say what one can do, below an empty conversation."""
        self._welcome.display = is_wanted

    def action_command(self, command_id: str) -> None:
        """Run a key of the table; going back to the prompt is the only one bound here."""
        assert command_id == "chat.prompt"
        self.action_leave()

    def on_mount(self) -> None:
        self.entitle(self._title)
        self.watch(self.transcript, "unseen_lines", self._show_unseen, init=False)

    def on_resize(self) -> None:
        self._welcome.update(welcome_text(self.size.width - WELCOME_PADDING))

    def name_session(self, title: str) -> None:
        self._title = title or "Conversation"
        self._show_unseen(self.transcript.unseen_lines)

    def _show_unseen(self, lines: int) -> None:
        note = f"↓ {lines} new line{'' if lines == 1 else 's'}" if lines else ""
        self.entitle(self._title, note)
