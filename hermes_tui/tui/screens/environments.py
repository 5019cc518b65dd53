"""The places where commands can run, and how they are."""

from collections.abc import Sequence

from textual.content import Content

from hermes_tui.safety.terminal_text import visible
from hermes_tui.tui.ports import EnvironmentChoice
from hermes_tui.tui.screens.picker import Choice, Picker


class EnvironmentPicker(Picker):
    """Each place with its kind and health; the one in use is marked."""

    def __init__(self, environments: Sequence[EnvironmentChoice]) -> None:
        super().__init__(
            "Environment",
            [
                Choice(
                    id=place.name,
                    name=place.name,
                    note=place.health,
                    key=place.kind if place.kind != place.name else "",
                    is_current=place.is_current,
                )
                for place in environments
            ],
        )

    def on_option_list_option_highlighted(self) -> None:
        """Say below, in full, how the marked place is: a reason may be longer than a line."""
        self._preview.display = self.marked is not None
        if self.marked is not None:
            self._preview.update(Content(visible(self.marked.note)))
