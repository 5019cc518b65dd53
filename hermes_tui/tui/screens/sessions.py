"""Every stored session, and what was said in them."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from textual.content import Content
from textual.timer import Timer
from textual.widgets import Input

from hermes_tui.safety.terminal_text import visible
from hermes_tui.tui.panes.sessions import age_text
from hermes_tui.tui.ports import FoundSession, Runtime, SearchHit, SessionEntry
from hermes_tui.tui.screens.picker import Choice, Picker
from hermes_tui.tui.text import short_path

FILTER_SECONDS = 0.06
"""A search starts this long after the last key."""
LISTED = 200
HITS = 20


class SessionPicker(Picker):
    """Newest first; what is typed filters titles and searches the text of all sessions."""

    def __init__(
        self,
        runtime: Runtime,
        sessions: Sequence[SessionEntry],
        *,
        current: str,
        now: Callable[[], datetime],
        words: str = "",
    ) -> None:
        self._now = now()
        self._runtime = runtime
        self._current = current
        self._hits: dict[str, SearchHit] = {}
        self._known = {session.id: session for session in sessions}
        super().__init__(
            "Sessions", [self._choice(session) for session in sessions], empty="No session fits."
        )
        self._timer: Timer | None = None
        self._words = words

    def on_mount(self) -> None:
        super().on_mount()
        if self._words:
            self._filter.value = self._words
        self._show_preview()

    def on_input_changed(self, event: Input.Changed) -> None:
        if self._timer:
            self._timer.stop()
        self._timer = self.set_timer(FILTER_SECONDS, self._look)

    def _look(self) -> None:
        words = self._filter.value.strip()
        self.run_worker(partial(self._search, words), exclusive=True)

    async def _search(self, words: str) -> None:
        self._hits = {}
        sessions: Sequence[FoundSession] = ()
        if words:
            found = await self._runtime.search(words, limit=HITS)
            sessions = found.sessions
            for hit in found.hits:
                self._hits.setdefault(hit.session_id, hit)
        titled = self.fitting(words)
        listed = {choice.id for choice in titled}
        by_text = [hit for id_, hit in self._hits.items() if id_ not in listed]
        listed.update(self._hits)
        others = [one for one in sessions if one.id not in listed]
        self.fill(
            [
                *titled,
                *(self._found(hit.session_id, hit.excerpt) for hit in by_text),
                *(self._found(one.id, one.title or one.about) for one in others),
            ]
        )
        self._show_preview()

    def on_option_list_option_highlighted(self) -> None:
        self._show_preview()

    def _show_preview(self) -> None:
        """The passage found, else where the session took place."""
        self._preview.display = True
        if (marked := self.marked) is None:
            self._preview.update("")
        elif hit := self._hits.get(marked.id):
            excerpt = Content.assemble((f"{hit.role}  ", "$primary"), visible(hit.excerpt))
            self._preview.update(excerpt)
        elif session := self._known.get(marked.id):
            place = short_path(session.cwd, str(Path.home()), 60)
            self._preview.update(Content(f"{place}\n{visible(session.model)}"))

    def _choice(self, session: SessionEntry) -> Choice:
        count = session.message_count
        return Choice(
            id=session.id,
            name=session.title or "untitled",
            note=f"{count} message{'' if count == 1 else 's'}",
            key=f"{age_text(session.updated_at, self._now):>9}",
            is_current=session.id == self._current,
        )

    def _found(self, session_id: str, name: str) -> Choice:
        known = self._known.get(session_id)
        return self._choice(known) if known else Choice(session_id, name, note="an older session")
