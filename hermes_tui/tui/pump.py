"""Between the agent's event stream and the widgets: fewer, larger updates."""

from collections.abc import Callable
from time import monotonic

from hermes_tui.core.events import Event, ReasoningDelta, TextDelta, ToolOutput

FLUSH_SECONDS = 0.033
DUTY = 3
"""The next flush starts no sooner than this many times the last one's cost."""

SHOWN_OUTPUT = 16_384
"""Characters of one call's output delivered at once; of more, the last part. Many screens full."""
WAITING_OUTPUT = 65_536
"""Characters of one call's output that may wait before the front of it is dropped."""


class Pump:
    """Merges deltas of one kind and id, and delivers everything in the order it came.

    Of output that comes faster than it can be drawn the front is skipped, and a line
    says how much; the result of the call holds what the agent reads. Events other
    than deltas are never dropped and nothing overtakes them: a delta joins an earlier
    one only when no such event lies between.
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
        self._texts: dict[tuple[str, str], tuple[int, _Text]] = {}
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
        merged = {position: text.whole for position, text in texts.values()}
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
            self._texts[key][1].add(text)
        else:
            merged = _Output(text) if key[0] == "output" else _Text(text)
            self._texts[key] = (len(self._waiting), merged)
            self._waiting.append(event)

    def _seal(self) -> None:
        """Fix the deltas so far, so that later ones stay behind the event just kept."""
        for position, text in self._texts.values():
            self._waiting[position] = _with_text(self._waiting[position], text.whole)
        self._texts = {}


class _Text:
    """Deltas of one kind and id, merged."""

    def __init__(self, text: str) -> None:
        self._parts = [text]

    @property
    def whole(self) -> str:
        return "".join(self._parts)

    def add(self, text: str) -> None:
        self._parts.append(text)


class _Output(_Text):
    """What a call printed: all of it, or its end when that is more than can be seen."""

    def __init__(self, text: str) -> None:
        super().__init__("")
        self._size = 0
        self._skipped = 0
        """Bytes dropped so far."""
        self.add(text)

    @property
    def whole(self) -> str:
        if self._skipped or self._size > WAITING_OUTPUT:
            self._trim()
        note = f"\n[… {self._skipped:,} bytes skipped …]\n" if self._skipped else ""
        return note + super().whole

    def add(self, text: str) -> None:
        super().add(text)
        self._size += len(text)
        if self._size > WAITING_OUTPUT:
            self._trim()

    def _trim(self) -> None:
        """Keep the last `SHOWN_OUTPUT` characters, from the beginning of a line if there is one."""
        text = super().whole
        start = max(len(text) - SHOWN_OUTPUT, 0)
        start = text.find("\n", start) + 1 or start if start else 0
        self._skipped += len(text[:start].encode("utf-8", "replace"))
        self._parts, self._size = [text[start:]], len(text) - start


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
