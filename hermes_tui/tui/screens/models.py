"""The models that can answer here."""

from collections.abc import Sequence

from hermes_tui.tui.ports import ModelChoice
from hermes_tui.tui.screens.picker import Choice, Picker


class ModelPicker(Picker):
    """Ready models first; one that is not says what it lacks."""

    def __init__(self, models: Sequence[ModelChoice], *, current: str) -> None:
        ready_first = sorted(models, key=lambda model: not model.is_ready)
        super().__init__(
            "Model",
            [
                Choice(
                    id=model.name,
                    name=model.name,
                    note=model.summary,
                    key="ready" if model.is_ready else "",
                    is_current=model.name == current,
                )
                for model in ready_first
            ],
        )
