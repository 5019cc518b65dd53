"""Scrolling that jumps instead of gliding."""

from typing import Any

from textual.scroll_view import ScrollView


class StillScroll(ScrollView):
    """For contents whose lines come and go while it would glide, which makes it miss its end."""

    def scroll_to(
        self,
        x: float | None = None,
        y: float | None = None,
        *,
        animate: bool = True,
        speed: float | None = None,
        duration: float | None = None,
        easing: Any = None,
        force: bool = False,
        on_complete: Any = None,
        level: Any = "basic",
        immediate: bool = False,
    ) -> None:
        """Without animation, whatever is asked."""
        del animate, speed, duration, easing, level, immediate
        super().scroll_to(x, y, animate=False, force=force, on_complete=on_complete)
