"""What the agent wants to know."""

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from hermes_tui.safety.terminal_text import visible
from hermes_tui.tui.dialogs.sheet import Sheet
from hermes_tui.tui.human import PendingQuestion
from hermes_tui.tui.text import one_line

OWN_WORDS = "Something else …"


class QuestionSheet(Sheet):
    """A question with choices, free text, or both."""

    BINDINGS: ClassVar = [
        Binding("escape", "skip", "No answer", id="question.skip", show=False),
        Binding("tab", "leave", "Back to the prompt", show=False),
    ]

    def __init__(self, pending: PendingQuestion, *, may_take_keyboard: Callable[[], bool]) -> None:
        super().__init__(may_take_keyboard=may_take_keyboard)
        self._pending = pending
        hint = "Not shown, not kept" if pending.is_secret else "Your answer"
        self._words = Input(placeholder=hint, password=pending.is_secret, classes="reason")
        options = [Option(Content(one_line(choice))) for choice in pending.choices]
        options.append(Option(Content.styled(OWN_WORDS, "$muted")))
        self._choices = OptionList(*options, markup=False, classes="choices")

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="sheet-body", can_focus=False):
            yield Static(Content(visible(self._pending.question)), markup=False)
        if self._pending.choices:
            self._words.display = False
            yield self._choices
        yield self._words
        yield Static("enter answer    esc no answer", markup=False, classes="sheet-keys")

    def count(self, position: int, total: int) -> None:
        of = f"   {position} of {total}" if total > 1 else ""
        self.border_title = Content(f"Hermes asks{of}")

    def take_keyboard(self) -> None:
        (self._words if self._words.display else self._choices).focus()

    def action_skip(self) -> None:
        if self.is_awake:
            self._pending.refuse()

    def action_leave(self) -> None:
        self.screen.query_one("#prompt").focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if not self.is_awake:
            return
        if event.option_index < len(self._pending.choices):
            self._pending.resolve(self._pending.choices[event.option_index])
        else:
            self._words.display = True
            self._words.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        answer = event.value if self._pending.is_secret else event.value.strip()
        if self.is_awake and answer:
            self._pending.resolve(answer)
