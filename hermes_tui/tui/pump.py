"""Between the agent's event stream and the widgets: fewer, larger updates."""

from collections.abc import Callable
from time import monotonic

from hermes_tui.core.events import Event, ReasoningDelta, TextDelta, ToolOutput

FLUSH_SECONDS = 0.033
DUTY = 3
"""The next flush starts no sooner than this many times the last one's cost."""


class Pump:
    """Merges deltas of one kind and id, and delivers everything in the order it came.

    Events other than deltas are never dropped and nothing overtakes them: a delta
    joins an earlier one only when no such event lies between.
    """

    def __init__(
        self,
        deliver: Callable[[Event], None],
        *,
        call_later: Callable[[float, Callable[[], None]], object],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._deliver = deliver
        self._call_later = call_later
        self._clock = clock
        self._waiting: list[Event] = []
        self._texts: dict[tuple[str, str], tuple[int, list[str]]] = {}
        self._next_at = 0.0
        self._is_scheduled = False

    def push(self, event: Event) -> None:
        """Take one event; it is delivered now or within `FLUSH_SECONDS` of the last flush."""
        self._keep(event)
        if self._is_scheduled:
            return
        wait = self._next_at - self._clock()
        self._is_scheduled = True
        if wait > 0:
            self._call_later(wait, self._on_time)
        else:
            self._on_time()

    def flush(self) -> None:
        """Deliver what is waiting, at once."""
        waiting, texts = self._waiting, self._texts
        self._waiting, self._texts = [], {}
        started = self._clock()
        merged = {position: "".join(parts) for position, parts in texts.values()}
        for position, event in enumerate(waiting):
            self._deliver(_with_text(event, merged.get(position)))
        ended = self._clock()
        self._next_at = started + max(FLUSH_SECONDS, DUTY * (ended - started))

    def _on_time(self) -> None:
        self._is_scheduled = False
        if self._waiting:
            self.flush()

    def _keep(self, event: Event) -> None:
        match event:
            case TextDelta(text=text):
                key = ("text", "")
            case ReasoningDelta(text=text):
                key = ("reasoning", "")
            case ToolOutput(call_id=call_id, chunk=text):
                key = ("output", call_id)
            case _:
                self._waiting.append(event)
                self._seal()
                return
        if key in self._texts:
            self._texts[key][1].append(text)
        else:
            self._texts[key] = (len(self._waiting), [text])
            self._waiting.append(event)

    def _seal(self) -> None:
        """Fix the deltas so far, so that later ones stay behind the event just kept."""
        for position, parts in self._texts.values():
            self._waiting[position] = _with_text(self._waiting[position], "".join(parts))
        self._texts = {}


def _with_text(event: Event, text: str | None) -> Event:
    if text is None:
        return event
    match event:
        case TextDelta():
            return TextDelta(text)
        case ReasoningDelta():
            return ReasoningDelta(text)
        case ToolOutput(call_id=call_id):
            return ToolOutput(call_id, text)
        case _:
            return event
