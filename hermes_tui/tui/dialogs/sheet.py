"""A question at the bottom of the screen, above the prompt."""

from collections.abc import Callable
from time import monotonic
from typing import ClassVar

from textual.containers import Vertical
from textual.reactive import reactive
from textual.timer import Timer


class Sheet(Vertical, can_focus=True):
    """Asks without getting in the way of what is being typed.

    It wakes up `GRACE_SECONDS` after it appeared or after the last key that went
    into the prompt, whichever is later. Asleep it ignores its keys; waking up it
    takes the keyboard only when the prompt is empty.
    """

    GRACE_SECONDS: ClassVar[float] = 0.5

    is_awake: reactive[bool] = reactive(default=False, toggle_class="-awake")

    def __init__(self, *, may_take_keyboard: Callable[[], bool]) -> None:
        super().__init__(classes="sheet")
        self._may_take_keyboard = may_take_keyboard
        self._timer: Timer | None = None
        self._wakes_at = 0.0

    def on_mount(self) -> None:
        self.rest()

    def rest(self) -> None:
        """Sleep again for the whole grace period: the person is typing something else."""
        self.is_awake = False
        self._wakes_at = monotonic() + self.GRACE_SECONDS
        if self._timer is None:
            self._timer = self.set_timer(self.GRACE_SECONDS, self._look)

    def _look(self) -> None:
        self._timer = None
        if (rest := self._wakes_at - monotonic()) > 0:
            self._timer = self.set_timer(rest, self._look)
            return
        self.is_awake = True
        if self.has_focus_within or self._may_take_keyboard():
            self.take_keyboard()

    def take_keyboard(self) -> None:
        """Focus what answers."""
        self.focus()
