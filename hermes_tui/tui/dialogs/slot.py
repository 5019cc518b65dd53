"""The place above the prompt where requests appear, one at a time."""

from collections.abc import Callable

from textual.containers import Vertical
from textual.message import Message

from hermes_tui.tui.access import app_of
from hermes_tui.tui.dialogs.approval import ApprovalSheet
from hermes_tui.tui.dialogs.question import QuestionSheet
from hermes_tui.tui.human import Pending, PendingApproval, TuiHuman


class SheetSlot(Vertical):
    """Shows the first of the person's pending requests and says how many there are."""

    class Changed(Message):
        """Requests came or went."""

        def __init__(self, *, waiting: int) -> None:
            super().__init__()
            self.waiting = waiting

    def __init__(self, human: TuiHuman, *, may_take_keyboard: Callable[[], bool]) -> None:
        super().__init__(id="sheets")
        self._human = human
        self._may_take_keyboard = may_take_keyboard
        self._shown: Pending | None = None
        self._sheet: ApprovalSheet | QuestionSheet | None = None
        self._position = 0

    @property
    def is_open(self) -> bool:
        return self._sheet is not None

    def on_mount(self) -> None:
        self._human.changed = self._look
        self._look()

    def rest(self) -> None:
        """The person is typing: no key answers for a moment."""
        if self._sheet is not None:
            self._sheet.rest()

    def take_keyboard(self) -> None:
        if self._sheet is not None:
            self._sheet.take_keyboard()

    def _look(self) -> None:
        waiting = self._human.pending
        first = waiting[0] if waiting else None
        if first is not self._shown:
            self._show(first)
        if self._sheet is not None:
            self._sheet.count(self._position, self._position + len(waiting) - 1)
        self.post_message(self.Changed(waiting=len(waiting)))

    def _show(self, pending: Pending | None) -> None:
        if self._sheet is not None:
            if self._sheet.has_focus_within:
                self.screen.query_one("#prompt").focus()
            self._sheet.remove()
        self._shown, self._sheet = pending, None
        if pending is None:
            self._position = 0
            return
        self._position += 1
        if isinstance(pending, PendingApproval):
            self._sheet = ApprovalSheet(pending, may_take_keyboard=self._may_take_keyboard)
        else:
            self._sheet = QuestionSheet(pending, may_take_keyboard=self._may_take_keyboard)
        self.mount(self._sheet)
        if not app_of(self).app_focus:
            app_of(self).bell()
