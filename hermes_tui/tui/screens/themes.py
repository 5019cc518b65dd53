"""Colour themes, tried on while choosing."""

from collections.abc import Sequence

from hermes_tui.tui.access import app_of
from hermes_tui.tui.screens.picker import Choice, Picker


class ThemePicker(Picker):
    """The marked theme is shown at once; esc goes back to the one before."""

    def __init__(self, names: Sequence[str], current: str) -> None:
        super().__init__(
            "Theme", [Choice(id=name, name=name, is_current=name == current) for name in names]
        )
        self._before = current

    def on_option_list_option_highlighted(self) -> None:
        if self.marked:
            app_of(self).theme = self.marked.id

    def action_back(self) -> None:
        app_of(self).theme = self._before
        super().action_back()
