"""The line that says how things stand."""

from collections.abc import Callable
from pathlib import Path
from time import monotonic

from msgspec import Struct
from textual.content import Content
from textual.widget import Widget

from hermes_tui.core.usage import Usage
from hermes_tui.tui.text import count_text, meter, one_line, seconds_text, short_path

REPAINT_SECONDS = 0.25
FRAMES = "⣾⣽⣻⢿⡿⣟⣯⣷"
GAP = "   "
STATE_CELLS = 24
"""Room for the state, so that what follows stands still while it changes."""
ROOMY = 100


class Standing(Struct):
    """What the line shows; whoever learns something new assigns it and calls `show`."""

    state: str = "starting"
    """`idle`, `thinking`, `running terminal`, `waiting for you`, `stopping`, `starting`."""
    since: float = 0.0
    """When this state began, on the line's clock."""
    model: str = ""
    is_rehearsal: bool = False
    environment: str = ""
    cwd: str = ""
    context_tokens: int = 0
    context_window: int | None = None
    usage: Usage = Usage()
    mode: str = "ask"
    queued: int = 0


class StatusBar(Widget):
    """One line of fields; the least important ones go when it is too narrow.

    Repaints at most four times a second, so that streaming does not make it flicker.
    """

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        super().__init__(id="status")
        self.standing = Standing()
        self._clock = clock
        self._painted_at = float("-inf")
        self._is_dirty = True

    def on_mount(self) -> None:
        self.set_interval(REPAINT_SECONDS, self._tick)

    def enter(self, state: str) -> None:
        """Go to another state, at this moment."""
        if state != self.standing.state:
            self.standing.state = state
            self.standing.since = self._clock()
        self.show()

    def show(self) -> None:
        """Repaint now, or with the next tick when the last repaint was a moment ago."""
        if monotonic() - self._painted_at >= REPAINT_SECONDS:
            self._repaint()
        else:
            self._is_dirty = True

    @property
    def is_working(self) -> bool:
        return self.standing.state not in {"idle", "waiting for you"}

    def _tick(self) -> None:
        if self._is_dirty or self.is_working:
            self._repaint()

    def _repaint(self) -> None:
        self._is_dirty = False
        self._painted_at = monotonic()
        self.refresh()

    def render(self) -> Content:
        width = self.size.width - 2
        fields = self._fields(has_folder=True)
        if _width(fields) > width:
            fields = self._fields(has_folder=False)
        return Content(" ") + fitted(fields, width)

    def _fields(self, *, has_folder: bool) -> list[tuple[int, Content]]:
        """(importance, field) in the order shown; 0 always stays."""
        now = self.standing
        state = self._state()
        if self.size.width >= ROOMY:
            state = state.pad_right(max(STATE_CELLS - state.cell_length, 0))
        fields = [(0, state)]
        if now.model:
            fields.append((1, _model(now, is_short=self.size.width < ROOMY)))
        share = now.context_tokens / now.context_window if now.context_window else None
        if share is not None:
            context = Content.assemble(("ctx ", "$muted"), meter(share), f" {share:.0%}")
            fields.append((3, context))
        elif now.context_tokens:
            fields.append((5, Content(f"ctx {count_text(now.context_tokens)}")))
        spent = now.usage.input_tokens + now.usage.output_tokens
        if spent:
            fields.append((6, Content.styled(f"{count_text(spent)} tokens", "$muted")))
            fields.append((4, Content.styled(now.usage.cost_text, "$muted")))
        if now.environment:
            place = f":{short_path(now.cwd, str(Path.home()))}" if has_folder else ""
            named = Content.assemble((one_line(now.environment, 20), "$secondary"), place)
            fields.append((2, named))
        if now.queued:
            fields.append((1, Content.styled(f"{now.queued} queued", "$primary")))
        style = "$warning" if now.mode == "full-auto" else "$muted"
        fields.append((1, Content.styled(now.mode, style)))
        return fields

    def _state(self) -> Content:
        now = self.standing
        if now.state == "idle":
            return Content.assemble(("● ", "$success"), "idle")
        if now.state == "waiting for you":
            return Content.styled("● waiting for you", "$warning bold")
        seconds = max(self._clock() - now.since, 0.0)
        frame = FRAMES[int(seconds * 8) % len(FRAMES)]
        took = f" {seconds_text(seconds)}" if seconds >= 1 else ""
        return Content.assemble((f"{frame} ", "$primary"), one_line(now.state, 40), took)


def fitted(fields: list[tuple[int, Content]], width: int) -> Content:
    """The fields on one line, without the least important ones where `width` is too small."""
    kept = list(fields)
    while len(kept) > 1 and _width(kept) > width:
        worst = max(importance for importance, _ in kept)
        position = next(at for at, (importance, _) in enumerate(kept) if importance == worst)
        kept.pop(position)
    return Content(GAP).join(content for _, content in kept).truncate(max(width, 1), ellipsis=True)


def _width(fields: list[tuple[int, Content]]) -> int:
    return sum(content.cell_length for _, content in fields) + len(GAP) * (len(fields) - 1)


def _model(now: Standing, *, is_short: bool) -> Content:
    if now.is_rehearsal:
        return Content.styled("rehearsal model: no LLM", "$warning")
    name = now.model.rpartition("/")[2] if is_short else now.model
    return Content.styled(one_line(name, 40), "bold")
