"""What is running now."""

from collections.abc import Callable
from time import monotonic

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from hermes_tui.core.events import ToolFinished, ToolStarted
from hermes_tui.safety.call_text import call_text
from hermes_tui.tui.panes.pane import Pane
from hermes_tui.tui.text import one_line, seconds_text
from hermes_tui.tui.view.output import OutputView
from hermes_tui.tui.widgets.status import FRAMES

CARDS = 8
"""Cards shown at once; further calls of one step run without one."""


class LiveCard(Vertical):
    """One running tool: what, where, how long, and what it prints."""

    def __init__(self, started: ToolStarted, *, clock: Callable[[], float]) -> None:
        super().__init__(classes="live-card")
        self.is_live = True
        self._started = started
        self._clock = clock
        self._since = clock()
        self._head = Static(markup=False, classes="live-head")
        self._output = OutputView()
        self._output.display = False
        self._outcome = Content("")
        self._has_output = False

    def compose(self) -> ComposeResult:
        yield self._head
        yield self._output

    def on_mount(self) -> None:
        self.tick()

    def write(self, text: str) -> None:
        if not self._has_output:
            self._has_output = True
            self._output.display = True
        self._output.write(text)

    def finish(self, finished: ToolFinished) -> None:
        self.is_live = False
        failed = finished.result.is_error
        mark = ("✗ ", "$error") if failed else ("✓ ", "$success")
        self._outcome = Content.assemble(mark, (seconds_text(finished.seconds), "$muted"))
        if not self._has_output and finished.result.content:
            self.write(finished.result.content)
        self.tick()

    def abandon(self) -> None:
        """The turn ended before the tool did."""
        if self.is_live:
            self.is_live = False
            self._outcome = Content.styled("stopped", "$warning")
            self.tick()

    def tick(self) -> None:
        """Redraw the head line, for its clock."""
        seconds = self._clock() - self._since
        right = self._outcome
        if self.is_live:
            frame = FRAMES[int(seconds * 8) % len(FRAMES)]
            right = Content.assemble((f"{frame} ", "$primary"), seconds_text(seconds))
        if self._started.environment:
            badge = Content.styled(f"{one_line(self._started.environment, 16)}  ", "$secondary")
            right = badge + right
        call = self._started.call
        left = Content.assemble((one_line(call.name, 20), "bold"), "  ", call_text(call))
        room = max(self.size.width - 2 - right.cell_length - 2, 8)
        left = left.truncate(room, ellipsis=True, pad=True)
        self._head.update(Content.assemble(left, "  ", right))

    def on_resize(self) -> None:
        self.tick()


class ToolsPane(Pane):
    """Live cards; finished ones stay until the next tool starts."""

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        super().__init__(id="tools")
        self._clock = clock
        self._cards: dict[str, LiveCard] = {}
        self._list = VerticalScroll(id="live")
        self._empty = Static("Nothing is running.", markup=False, classes="empty")

    def compose(self) -> ComposeResult:
        self.entitle("Live tools")
        yield self._empty
        yield self._list

    @property
    def running(self) -> list[LiveCard]:
        return [card for card in self._cards.values() if card.is_live]

    def start(self, started: ToolStarted) -> None:
        if not self.running:
            self._list.remove_children()
            self._cards.clear()
        if len(self._cards) < CARDS:
            card = LiveCard(started, clock=self._clock)
            self._cards[started.call.id] = card
            self._list.mount(card)
        self._retitle()

    def write(self, call_id: str, text: str) -> None:
        if card := self._cards.get(call_id):
            card.write(text)

    def finish(self, finished: ToolFinished) -> None:
        if card := self._cards.get(finished.result.call_id):
            card.finish(finished)
        self._retitle()

    def abandon(self) -> None:
        for card in self.running:
            card.abandon()
        self._retitle()

    def clear(self) -> None:
        self._list.remove_children()
        self._cards.clear()
        self._retitle()

    def tick(self) -> None:
        """Move the clocks of running tools."""
        for card in self.running:
            card.tick()

    def _retitle(self) -> None:
        self._empty.display = not self._cards
        self.set_class(len(self._cards) == 1, "-alone")
        count = len(self.running)
        self.entitle(f"Live tools  {count} running" if count else "Live tools")
