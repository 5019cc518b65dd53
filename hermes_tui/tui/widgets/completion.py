"""The list of slash commands above the prompt."""

from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from hermes_tui.tui.registry import BY_SLASH, Command, slash_matches


class Completion(OptionList, can_focus=False):
    """Commands that fit what was typed; the prompt keeps the keyboard and moves the mark."""

    def __init__(self) -> None:
        super().__init__(id="completion", markup=False)
        self.display = False

    @property
    def is_open(self) -> bool:
        return bool(self.display)

    @property
    def chosen(self) -> Command | None:
        option = self.highlighted_option if self.is_open else None
        return BY_SLASH.get(option.id or "") if option else None

    def offer(self, text: str, *, rows_below: int) -> None:
        """Show what fits `text` above the lowest `rows_below` rows of the screen, or close."""
        found = slash_matches(text)
        self.display = bool(found)
        self.styles.margin = (0, 1, rows_below, 1)
        if found:
            self.set_options(Option(_line(command), id=command.slash) for command in found)
            self.highlighted = 0

    def close(self) -> None:
        self.display = False


def _line(command: Command) -> Content:
    name = f"/{command.slash} {command.argument}".strip()
    return Content.assemble((f"{name:<28}", "$primary"), (command.help, "$muted"))
