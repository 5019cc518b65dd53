"""A list to choose from, with a filter."""

from collections.abc import Sequence
from typing import ClassVar

from msgspec import Struct
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.fuzzy import FuzzySearch
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from hermes_tui.tui.access import app_of
from hermes_tui.tui.text import cell, one_line

NAME_CELLS = 34


class Choice(Struct, frozen=True):
    """One line of a picker."""

    id: str
    name: str
    """What is filtered by and shown first. Foreign text is fine."""
    note: str = ""
    key: str = ""
    """Shown at the right, e.g. a key or a date."""
    is_current: bool = False


class Picker(ModalScreen[str | None]):
    """Returns the id of the chosen line, None for esc.

    The filter is fuzzy. Up and down move the mark while the keyboard stays in the filter.
    """

    CSS_PATH = "picker.tcss"
    BINDINGS: ClassVar = [
        Binding("escape", "back", "Back", show=False),
        Binding("down,ctrl+n", "move(1)", "Down", show=False, priority=True),
        Binding("up,ctrl+p", "move(-1)", "Up", show=False, priority=True),
        Binding("pagedown", "move(10)", "Page down", show=False, priority=True),
        Binding("pageup", "move(-10)", "Page up", show=False, priority=True),
    ]

    def __init__(self, title: str, choices: Sequence[Choice], *, empty: str = "Nothing fits."):
        super().__init__()
        self._title = title
        self._choices = list(choices)
        self._shown: list[Choice] = []
        self._empty = empty
        self._fuzzy = FuzzySearch()
        self._list = OptionList(markup=False, classes="choices")
        self._list.can_focus = False
        self._filter = Input(placeholder="Type to filter", classes="filter")

    def compose(self) -> ComposeResult:
        with Vertical(classes="picker") as box:
            box.border_title = Content(self._title)
            box.border_subtitle = Content("↑↓ move   enter open   esc back")
            yield self._filter
            yield self._list
            yield Static(markup=False, classes="preview")

    def on_mount(self) -> None:
        self._preview.display = False
        self.fill(self.fitting(""))
        self._filter.focus()

    @property
    def _preview(self) -> Static:
        return self.query_one(".preview", Static)

    @property
    def marked(self) -> Choice | None:
        position = self._list.highlighted
        return self._shown[position] if position is not None and self._shown else None

    def fitting(self, words: str) -> list[Choice]:
        """Choices that fit the filter, best first."""
        if not words:
            return self._choices
        scored = [
            (self._fuzzy.match(words, f"{choice.name} {choice.note}")[0], choice)
            for choice in self._choices
        ]
        ranked = sorted((pair for pair in scored if pair[0] > 0), key=lambda pair: -pair[0])
        return [choice for _, choice in ranked]

    def fill(self, choices: Sequence[Choice]) -> None:
        """Show these lines and mark the current one, else the first."""
        self._shown = list(choices)
        nothing = Option(Content.styled(self._empty, "$muted"), disabled=True)
        self._list.set_options([Option(self.line(choice)) for choice in choices] or [nothing])
        if self._shown:
            current = [at for at, choice in enumerate(self._shown) if choice.is_current]
            self._list.highlighted = current[0] if current else 0

    def line(self, choice: Choice) -> Content:
        mark = ("● ", "$primary") if choice.is_current else "  "
        right = choice.key
        width = max(self.list_width - 4 - len(right), 20)
        left = Content.assemble(
            mark, cell(choice.name, NAME_CELLS), "  ",
            (one_line(choice.note), "$muted"),
        ).truncate(width, ellipsis=True, pad=True)  # fmt: skip
        return Content.assemble(left, "  ", (right, "$primary"))

    @property
    def list_width(self) -> int:
        """Cells a line may fill; the box is 90 wide where the screen allows (picker.tcss)."""
        return min(96, app_of(self).size.width - 4) - 4

    def on_resize(self) -> None:
        if self.is_mounted:
            marked = self._list.highlighted
            self.fill(self._shown)
            self._list.highlighted = marked

    def on_input_changed(self, event: Input.Changed) -> None:
        self.fill(self.fitting(event.value.strip()))

    def on_input_submitted(self) -> None:
        if self.marked:
            self.dismiss(self.marked.id)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._shown[event.option_index].id)

    def action_move(self, by: int) -> None:
        if self._shown:
            position = (self._list.highlighted or 0) + by
            if abs(by) == 1:
                position %= len(self._shown)
            self._list.highlighted = min(max(position, 0), len(self._shown) - 1)

    def action_back(self) -> None:
        self.dismiss(None)
