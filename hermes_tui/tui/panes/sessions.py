"""The sessions used last."""

from collections.abc import Sequence
from datetime import UTC, datetime

from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from hermes_tui.tui.panes.pane import Pane
from hermes_tui.tui.ports import SessionEntry
from hermes_tui.tui.text import cell


class SessionsPane(Pane):
    """Titles, newest first, the one on the screen marked; enter resumes another."""

    class Opened(Message):
        """A session is to be resumed."""

        def __init__(self, session_id: str) -> None:
            super().__init__()
            self.session_id = session_id

    def __init__(self) -> None:
        super().__init__(id="sessions")
        self._list = OptionList(markup=False)
        self._ids: list[str] = []

    def compose(self) -> ComposeResult:
        self.entitle("Sessions", "ctrl+s all")
        yield self._list

    def show(self, sessions: Sequence[SessionEntry], current: str, now: datetime) -> None:
        self._ids = [session.id for session in sessions]
        marked = self._list
        kept = marked.highlighted
        lines = [Option(_line(session, current, now)) for session in sessions]
        nothing = Content.styled("None stored yet.", "$muted")
        marked.set_options(lines or [Option(nothing, disabled=True)])
        marked.highlighted = kept if kept is not None and kept < len(lines) else None

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.post_message(self.Opened(self._ids[event.option_index]))


def _line(session: SessionEntry, current: str, now: datetime) -> Content:
    mark = ("● ", "$primary") if session.id == current else ("○ ", "$muted")
    title = cell(session.title or "untitled", 18)
    return Content.assemble(mark, title, " ", (age_text(session.updated_at, now), "$muted"))


def age_text(then: datetime, now: datetime) -> str:
    """How long ago, in at most nine cells: `now`, `12 min`, `3 h`, `yesterday`, `Mon`, `12 Nov`."""
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    then = then.astimezone(now.tzinfo)
    seconds = (now - then).total_seconds()
    if seconds < 60:
        return "now"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min"
    days = (now.date() - then.date()).days
    if days == 0:
        return f"{seconds // 3600:.0f} h"
    if days == 1:
        return "yesterday"
    return f"{then:%a}" if days < 7 else f"{then.day} {then:%b}"
