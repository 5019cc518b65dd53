"""What waits to be said, above the prompt."""

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static

from hermes_tui.tui.text import one_line

SHOWN = 3


class QueueList(Static):
    """Steering words first, then queued prompts; at most three lines."""

    def __init__(self) -> None:
        super().__init__(id="queue", markup=False)
        self.display = False

    def show(self, steering: Sequence[str], queued: Sequence[str], *, is_busy: bool) -> None:
        lines = [_line("↳ said now  ", text) for text in steering]
        lines += [_line(f"{number:>2} queued   ", text) for number, text in enumerate(queued, 1)]
        hidden = len(lines) - SHOWN
        if hidden > 0:
            lines = [*lines[: SHOWN - 1], Content.styled(f" … {hidden + 1} more", "$muted")]
        if queued and not is_busy:
            lines.append(Content.styled(" enter sends the next one, /queue edits", "$muted"))
        self.display = bool(lines)
        self.update(Content("\n").join(lines))


def _line(mark: str, text: str) -> Content:
    return Content.assemble((f" {mark}", "$primary"), one_line(text, 160))
