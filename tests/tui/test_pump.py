from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.core.events import Event, Notice, ReasoningDelta, TextDelta, ToolOutput
from hermes_tui.tui.pump import DUTY, FLUSH_SECONDS, WAITING_OUTPUT, Pump

DELTAS = st.one_of(
    st.builds(TextDelta, st.text(max_size=3)),
    st.builds(ReasoningDelta, st.text(max_size=3)),
    st.builds(ToolOutput, st.sampled_from("ab"), st.text(max_size=3)),
)
EVENTS = st.lists(st.one_of(DELTAS, st.builds(Notice, st.text(max_size=3))), max_size=40)


class Clock:
    """Time that moves only when told, with the timers set on it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, object]] = []

    def __call__(self) -> float:
        return self.now

    def call_later(self, seconds: float, callback: object) -> None:
        self.timers.append((self.now + seconds, callback))

    def run_out(self) -> None:
        """Run every timer that is due now or later."""
        while self.timers:
            at, callback = self.timers.pop(0)
            self.now = max(self.now, at)
            assert callable(callback)
            callback()


def keyed(events: list[Event]) -> list[tuple[str, str]]:
    """What each kind and id said between two other events, other events in place."""
    result: list[tuple[str, str]] = []
    texts: dict[str, str] = {}
    for event in events:
        match event:
            case TextDelta(text=text):
                texts["text"] = texts.get("text", "") + text
            case ReasoningDelta(text=text):
                texts["reasoning"] = texts.get("reasoning", "") + text
            case ToolOutput(call_id=call_id, chunk=text):
                texts[call_id] = texts.get(call_id, "") + text
            case Notice(text=text):
                result += sorted(texts.items())
                texts = {}
                result.append(("notice", text))
            case _:
                raise AssertionError(event)
    return result + sorted(texts.items())


@given(EVENTS, st.data())
def test_merging_loses_and_reorders_nothing(events: list[Event], data: st.DataObject) -> None:
    clock = Clock()
    seen: list[Event] = []
    pump = Pump(seen.append, call_later=clock.call_later, clock=clock)
    for event in events:
        pump.push(event)
        if data.draw(st.booleans()):
            clock.run_out()
    clock.run_out()
    pump.flush()
    assert keyed(seen) == keyed(events)


def test_a_burst_becomes_one_update_per_id() -> None:
    clock = Clock()
    seen: list[Event] = []
    pump = Pump(seen.append, call_later=clock.call_later, clock=clock)
    pump.push(Notice("first"))
    for _ in range(100):
        pump.push(TextDelta("a"))
        pump.push(ToolOutput("1", "b"))
    clock.run_out()
    assert seen == [Notice("first"), TextDelta("a" * 100), ToolOutput("1", "b" * 100)]


def test_flushes_keep_their_distance() -> None:
    clock = Clock()
    flushed_at: list[float] = []
    pump = Pump(
        lambda _event: flushed_at.append(clock.now), call_later=clock.call_later, clock=clock
    )
    for _ in range(50):
        pump.push(TextDelta("a"))
        clock.now += 0.01
        due = [timer for timer in clock.timers if timer[0] <= clock.now]
        clock.timers = [timer for timer in clock.timers if timer[0] > clock.now]
        for _, callback in due:
            assert callable(callback)
            callback()
    gaps = [later - earlier for earlier, later in pairwise(flushed_at)]
    assert len(flushed_at) > 5
    assert min(gaps) >= FLUSH_SECONDS - 1e-9


def test_an_expensive_flush_is_followed_by_a_longer_rest() -> None:
    clock = Clock()

    def slow(_event: Event) -> None:
        clock.now += 0.1

    pump = Pump(slow, call_later=clock.call_later, clock=clock)
    pump.push(TextDelta("a"))
    pump.push(TextDelta("b"))
    (timer,) = clock.timers
    assert abs(timer[0] - DUTY * 0.1) < 1e-9


def test_of_a_flood_of_output_the_end_is_delivered_and_the_rest_counted() -> None:
    clock = Clock()
    seen: list[Event] = []
    pump = Pump(seen.append, call_later=clock.call_later, clock=clock)
    pump.push(Notice("first"))
    lines = [f"{number} é\n" for number in range(300_000)]
    for start in range(0, len(lines), 1_000):
        pump.push(ToolOutput("1", "".join(lines[start : start + 1_000])))
    clock.run_out()
    _, output = seen
    assert isinstance(output, ToolOutput)
    note, _, kept = output.chunk.lstrip().partition("\n")
    assert len(kept) <= WAITING_OUTPUT
    assert "".join(lines).endswith(f"\n{kept}")
    skipped = len("".join(lines).encode()) - len(kept.encode())
    assert note == f"[… {skipped:,} bytes skipped …]"
