"""The places where commands can run, and how they are."""

from collections.abc import Sequence

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
