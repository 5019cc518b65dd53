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
        self._sessions: Sequence[SessionEntry] = ()
        self._current = ""
        self._now = datetime.now(UTC)

    def compose(self) -> ComposeResult:
        self.entitle("Sessions", "ctrl+s all")
        yield self._list

    def show(self, sessions: Sequence[SessionEntry], current: str, now: datetime) -> None:
        self._sessions, self._current, self._now = sessions, current, now
        self._fill()

    def on_resize(self) -> None:
        self._fill()

    def _fill(self) -> None:
        marked = self._list
        kept = marked.highlighted
        lines = [Option(self._line(session)) for session in self._sessions]
        nothing = Content.styled("None stored yet.", "$muted")
        marked.set_options(lines or [Option(nothing, disabled=True)])
        marked.highlighted = kept if kept is not None and kept < len(lines) else None

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.post_message(self.Opened(self._sessions[event.option_index].id))

    def _line(self, session: SessionEntry) -> Content:
        """Mark and title on the left, as much of it as fits; the age on the right."""
        mark = ("● ", "$primary") if session.id == self._current else ("○ ", "$muted")
        age = age_text(session.updated_at, self._now)
        room = max(self._list.scrollable_content_region.width - 3 - len(age), 8)
        title = cell(session.title or "untitled", room)
        return Content.assemble(mark, title, " ", (age, "$muted"))


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
