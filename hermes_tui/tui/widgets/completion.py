"""The list of slash commands above the prompt."""

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from hermes_tui.tui.ports import SkillEntry
from hermes_tui.tui.registry import Command, skill_matches, slash_matches
from hermes_tui.tui.text import one_line

HELP_CELLS = 90


class Completion(OptionList, can_focus=False):
    """Commands that fit what was typed; the prompt keeps the keyboard and moves the mark."""

    def __init__(self) -> None:
        super().__init__(id="completion", markup=False)
        self.skills: Sequence[SkillEntry] = ()
        """Those that can be run by name."""
        self._offered: dict[str, Command] = {}
        self.display = False

    @property
    def is_open(self) -> bool:
        return bool(self.display)

    @property
    def chosen(self) -> Command | None:
        option = self.highlighted_option if self.is_open else None
        return self._offered.get(option.id or "") if option else None

    def offer(self, text: str, *, rows_below: int) -> None:
        """Show what fits `text` above the lowest `rows_below` rows of the screen, or close."""
        found = slash_matches(text) + skill_matches(text, self.skills)
        self._offered = {command.slash: command for command in found}
        self.display = bool(found)
        self.styles.margin = (0, 1, rows_below, 1)
        if found:
            self.set_options(Option(_line(command), id=command.slash) for command in found)
            self.highlighted = 0

    def close(self) -> None:
        self.display = False


def _line(command: Command) -> Content:
    name = f"/{command.slash} {command.argument}".strip()
    return Content.assemble(
        (f"{name:<28} ", "$primary"), (one_line(command.help, HELP_CELLS), "$muted")
    )
