"""The skill tree."""

from collections.abc import Sequence
from itertools import groupby

from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from hermes_tui.tui.panes.pane import Pane
from hermes_tui.tui.ports import SkillEntry
from hermes_tui.tui.text import one_line

TOP = "skills"
"""The heading of skills that lie in no category."""


class SkillsPane(Pane):
    """Categories that fold, and the skills in them; enter folds one or shows the other."""

    class Opened(Message):
        """A skill is to be shown."""

        def __init__(self, skill: SkillEntry) -> None:
            super().__init__()
            self.skill = skill

    def __init__(self) -> None:
        super().__init__(id="skills")
        self._list = OptionList(markup=False)
        self._skills: Sequence[SkillEntry] = ()
        self._folded: set[str] = set()
        self._rows: list[str | SkillEntry] = []

    def compose(self) -> ComposeResult:
        self.entitle("Skills")
        yield self._list

    def show(self, skills: Sequence[SkillEntry]) -> None:
        self._skills = sorted(skills, key=lambda skill: (skill.category, skill.name))
        self.entitle(f"Skills  {len(skills)}" if skills else "Skills")
        self._fill()

    def _fill(self) -> None:
        self._rows = []
        for category, group in groupby(self._skills, key=lambda skill: skill.category):
            self._rows.append(category)
            if category not in self._folded:
                self._rows.extend(group)
        marked = self._list
        kept = marked.highlighted
        lines = [self._line(row) for row in self._rows] or [_nothing()]
        marked.set_options(lines)
        marked.highlighted = kept if kept is not None and kept < len(self._rows) else None

    def _line(self, row: str | SkillEntry) -> Option:
        if isinstance(row, str):
            count = sum(skill.category == row for skill in self._skills)
            mark = "▸" if row in self._folded else "▾"
            return Option(
                Content.assemble(
                    (f"{mark} ", "$primary"),
                    one_line(row, 22) or TOP,
                    (f"  {count}", "$muted"),
                )
            )
        return Option(Content.assemble("    ", (one_line(row.name, 40), "$secondary")))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        row = self._rows[event.option_index]
        if isinstance(row, str):
            self._folded ^= {row}
            self._fill()
        else:
            self.post_message(self.Opened(row))


def _nothing() -> Option:
    return Option(Content.styled("No skills yet.", "$muted"), disabled=True)
