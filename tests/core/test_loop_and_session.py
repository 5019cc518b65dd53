"""The loop and the session, driven by a scripted model through their public face."""

from collections.abc import AsyncGenerator, Callable, Sequence
from itertools import pairwise
from time import process_time

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes_tui.agent.session import EVENT_BUFFER, Session
from hermes_tui.core.errors import ModelUnavailableError, StoreError
from hermes_tui.core.events import (
    Event,
    MessageAdded,
    ModelCallStarted,
    TextDelta,
    ToolFinished,
    ToolOutput,
    ToolStarted,
    TurnFinished,
    TurnStarted,
    UsageChanged,
)
from hermes_tui.core.history import INTERRUPTED, Compaction
from hermes_tui.core.messages import Message, ToolCall, ToolResult
from hermes_tui.core.ports import Emit, ModelItem, ModelRequest, Prefix, ToolSpec
from hermes_tui.core.usage import Usage
from hermes_tui.models.scripted import ScriptedModel, calls, says
from hermes_tui.models.wire import wire_messages


class ListJournal:
    """Keeps what a store would keep."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.results: list[ToolResult] = []

    async def append(self, message: Message) -> None:
        self.messages.append(message)

    async def record_result(self, result: ToolResult, seconds: float) -> None:
        self.results.append(result)

    async def record_usage(self, usage: Usage, model: str) -> None: ...

    async def record_compaction(self, compaction: Compaction) -> None: ...


class FullDisk(ListJournal):
    async def append(self, message: Message) -> None:
        raise StoreError("The disk is full.", hint="Free some space.")


class LittleTools:
    """`echo` may run beside others; `wait` blocks until told; `hang` never ends."""

    def __init__(self) -> None:
        self.specs: tuple[ToolSpec, ...] = ()
        self.release = anyio.Event()
        self.order: list[str] = []

    def is_parallel_safe(self, call: ToolCall) -> bool:
        return call.name != "alone"

    async def run(self, call: ToolCall, emit: Emit) -> ToolResult:
        await emit(ToolStarted(call))
        if call.name == "wait":
            await self.release.wait()
        if call.name == "hang":
            await anyio.sleep_forever()
        self.order.append(call.arguments)
        if call.name == "release":
            self.release.set()
        await emit(ToolOutput(call.id, "output"))
        result = ToolResult(call.id, f"{call.name} {call.arguments}")
        await emit(ToolFinished(result, 0.0))
        return result


Reaction = Callable[[Event, Callable[[], None]], None]
"""What a test does on an event; the second argument cancels the turn."""

PREFIX = Prefix("You are a test.", ())


def make_session(
    *replies: Message, tools: LittleTools | None = None, journal: ListJournal | None = None,
    max_steps: int = 90,
) -> Session:  # fmt: skip
    return Session(
        id="test0000",
        model=ScriptedModel(*replies),
        tools=tools or LittleTools(),
        journal=journal or ListJournal(),
        prefix=PREFIX,
        max_steps=max_steps,
    )


async def play(session: Session, prompt: str = "go", on: Reaction | None = None) -> list[Event]:
    events: list[Event] = []
    with anyio.fail_after(5):
        async with session.turn(prompt) as turn:
            async for event in turn:
                events.append(event)
                if on:
                    on(event, turn.cancel)
    return events


def problems(history: Sequence[Message]) -> list[str]:
    """What a strict provider would object to."""
    found: list[str] = []
    for before, after in zip(history, [*history[1:], None], strict=True):
        ids = [call.id for call in before.tool_calls]
        answered = [result.call_id for result in after.tool_results] if after else []
        if ids != answered:
            found.append(f"calls {ids} answered by {answered}")
        if after and before.role == after.role:
            found.append(f"two {before.role} messages in a row")
        if before.role == "assistant" and not before.parts:
            found.append("an empty assistant message")
    if history and history[-1].role != "assistant":
        found.append(f"ends with {history[-1].role}")
    return found


async def test_an_answer_without_tools_is_one_step() -> None:
    session = make_session(says("hello there"))
    events = await play(session)
    assert "".join(e.text for e in events if isinstance(e, TextDelta)).split() == ["hello", "there"]
    assert [m.role for m in session.history] == ["user", "assistant"]
    assert events[-1] == TurnFinished("done", exit_code=0)


async def test_results_come_back_in_call_order_whatever_order_they_finish_in() -> None:
    tools = LittleTools()
    session = make_session(calls(("wait", "1"), ("release", "2")), says("ok"), tools=tools)
    await play(session)
    assert tools.order == ["2", "1"]
    assert [r.content for r in session.history[2].tool_results] == ["wait 1", "release 2"]


async def test_a_call_that_may_not_run_beside_others_waits_for_them() -> None:
    tools = LittleTools()
    session = make_session(
        calls(("echo", "1"), ("alone", "2"), ("echo", "3")), says("ok"), tools=tools
    )
    await play(session)
    assert tools.order == ["1", "2", "3"]


async def test_messages_are_stored_before_they_are_shown() -> None:
    journal = ListJournal()
    session = make_session(calls(("echo", "1")), says("ok"), journal=journal)
    with anyio.fail_after(5):
        async with session.turn("go") as turn:
            async for event in turn:
                if isinstance(event, MessageAdded):
                    assert event.message in journal.messages
                if isinstance(event, ToolFinished):
                    assert event.result in journal.results


async def test_steering_waits_until_tool_results_are_in() -> None:
    session = make_session(calls(("echo", "1")), says("ok"))
    await play(
        session,
        on=lambda e, _: session.steer("faster please") if isinstance(e, ToolStarted) else None,
    )
    assert [m.role for m in session.history] == ["user", "assistant", "tool", "user", "assistant"]


async def test_words_said_during_the_last_reply_start_another_round() -> None:
    session = make_session(says("first"), says("second"))
    said: list[str] = []

    def steer_once(event: Event, cancel: Callable[[], None]) -> None:
        if isinstance(event, TextDelta) and not said:
            said.append("and this")
            session.steer("and this")

    await play(session, on=steer_once)
    assert [m.text.strip() for m in session.history] == ["go", "first", "and this", "second"]


async def test_steering_that_came_too_late_is_queued_not_lost() -> None:
    session = make_session(calls(("hang", "1")))

    def steer_and_stop(event: Event, cancel: Callable[[], None]) -> None:
        if isinstance(event, ToolStarted):
            session.steer("never mind")
            cancel()

    await play(session, on=steer_and_stop)
    assert session.take_queued() == "never mind"
    assert session.take_queued() is None


async def test_the_third_same_result_is_warned_of_and_the_fifth_ends_the_turn() -> None:
    session = make_session(*[calls(("echo", "same"))] * 9)
    events = await play(session)
    results = [m.tool_results[0].content for m in session.history if m.role == "tool"]
    assert ["given this same result" in content for content in results] == [
        False,
        False,
        True,
        True,
        True,
    ]
    assert events[-1].stop == "loop" if isinstance(events[-1], TurnFinished) else False
    assert problems(session.history) == []


async def test_a_call_between_others_that_get_somewhere_is_no_loop() -> None:
    steps = [(("edit", str(n)), ("make", "")) for n in range(9)]
    session = make_session(*[calls(call) for pair in steps for call in pair], says("done"))
    events = await play(session)
    assert events[-1] == TurnFinished("done", exit_code=0)
    results = [m.tool_results[0].content for m in session.history if m.role == "tool"]
    assert not any("same result" in content for content in results)


async def test_going_to_and_fro_between_results_already_seen_is_a_loop() -> None:
    session = make_session(*[calls(("edit", str(n % 2)), ("make", "")) for n in range(20)])
    events = await play(session)
    assert isinstance(events[-1], TurnFinished)
    assert events[-1].stop == "loop"


async def test_a_model_that_only_polls_is_told_to_wait_longer() -> None:
    session = make_session(*[calls(("poll", ""))] * 3, says("done"))
    await play(session)
    assert "wait longer" in session.history[-2].tool_results[0].content


async def test_different_calls_are_no_loop() -> None:
    session = make_session(*[calls(("echo", str(n))) for n in range(9)], says("done"))
    events = await play(session)
    assert events[-1] == TurnFinished("done", exit_code=0)


async def test_the_step_limit_ends_the_turn() -> None:
    session = make_session(*[calls(("echo", str(n))) for n in range(9)], max_steps=4)
    events = await play(session)
    assert sum(isinstance(e, ModelCallStarted) for e in events) == 4
    assert isinstance(events[-1], TurnFinished)
    assert events[-1].stop == "step_limit"
    assert problems(session.history) == []


async def test_cancelling_keeps_the_results_that_were_in() -> None:
    session = make_session(calls(("echo", "1"), ("hang", "2")))

    def stop_when_one_is_done(event: Event, cancel: Callable[[], None]) -> None:
        if isinstance(event, ToolFinished):
            cancel()

    events = await play(session, on=stop_when_one_is_done)
    assert isinstance(events[-1], TurnFinished)
    assert events[-1].stop == "cancelled"
    assert [r.content for r in session.history[2].tool_results] == ["echo 1", INTERRUPTED]
    assert problems(session.history) == []


async def test_cancelling_keeps_what_the_model_had_said() -> None:
    session = make_session(says("one two three"))
    await play(session, on=lambda e, cancel: cancel() if isinstance(e, TextDelta) else None)
    assert session.history[-1].text.startswith("one")
    assert "Interrupted" in session.history[-1].text


class HangingModel:
    name = "hanging"
    context_window = None

    def __init__(self) -> None:
        self.closed = False

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        try:
            yield TextDelta("wait")
            await anyio.sleep_forever()
        finally:
            self.closed = True


async def test_cancelling_closes_the_models_stream() -> None:
    model = HangingModel()
    session = Session(
        id="x", model=model, tools=LittleTools(), journal=ListJournal(), prefix=PREFIX
    )
    await play(session, on=lambda e, cancel: cancel() if isinstance(e, TextDelta) else None)
    assert model.closed


async def test_a_front_end_that_leaves_stops_the_turn() -> None:
    model = HangingModel()
    session = Session(
        id="x", model=model, tools=LittleTools(), journal=ListJournal(), prefix=PREFIX
    )
    with anyio.fail_after(5):
        async with session.turn("go") as turn:
            async for event in turn:
                if isinstance(event, TextDelta):
                    break
    assert model.closed
    assert not session.is_busy
    assert problems(session.history) == []


async def test_a_prompt_whose_hints_are_being_looked_up_is_kept_by_a_cancel() -> None:
    looking = anyio.Event()

    async def slow(_prompt: str) -> str:
        looking.set()
        await anyio.sleep_forever()
        return ""

    session = Session(
        id="x", model=HangingModel(), tools=LittleTools(), journal=ListJournal(), prefix=PREFIX,
        hints=slow,
    )  # fmt: skip

    async def ask() -> None:
        async with session.turn("remember this") as turn:
            async for _ in turn:
                pass

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await looking.wait()
        tasks.cancel_scope.cancel()
    assert [message.text for message in session.history][:1] == ["remember this"]
    assert problems(session.history) == []


async def test_hints_reach_the_model_and_nobody_else() -> None:
    async def hinting(prompt: str) -> str:
        return f"A hint on {prompt!r}."

    model = ScriptedModel(says("hi"))
    session = Session(
        id="x", model=model, tools=LittleTools(), journal=ListJournal(), prefix=PREFIX,
        hints=hinting,
    )  # fmt: skip
    await play(session, "go")
    sent = model.requests[-1].messages[0]
    assert (sent.text, sent.sent_text) == ("go", "go\n\nA hint on 'go'.")
    assert wire_messages(model.requests[-1])[1]["content"] == sent.sent_text


class BrokenModel:
    name = "broken"
    context_window = None

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        yield TextDelta("half an ans")
        raise ModelUnavailableError("The connection was cut.", hint="Try again.")


async def test_a_failing_model_ends_the_turn_with_its_sentence_and_code() -> None:
    session = Session(
        id="x", model=BrokenModel(), tools=LittleTools(), journal=ListJournal(), prefix=PREFIX
    )
    events = await play(session)
    assert events[-1] == TurnFinished("error", "The connection was cut.", "Try again.", 4)
    assert session.history[-1].text.startswith("half an ans")
    assert problems(session.history) == []


async def test_a_full_disk_ends_the_turn_with_a_sentence() -> None:
    events = await play(make_session(says("hi"), journal=FullDisk()))
    assert events == [
        TurnStarted("test0000"),
        TurnFinished("error", "The disk is full.", "Free some space.", 1),
    ]


async def test_a_turn_cancelled_at_once_begins_and_ends_as_every_turn() -> None:
    session = make_session(says("hi"))
    with anyio.fail_after(5):
        async with session.turn("go") as turn:
            turn.cancel()
            events = [event async for event in turn]
    assert events[:2] == [TurnStarted("test0000"), MessageAdded(session.history[0])]
    assert events[-1] == TurnFinished("cancelled", exit_code=130)


class ChattyModel:
    """Says more than the buffer of events holds."""

    name = "chatty"
    context_window = None

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        for _ in range(2 * EVENT_BUFFER):
            yield TextDelta("word ")


async def test_a_front_ends_own_error_arrives_as_itself() -> None:
    session = Session(
        id="x", model=ChattyModel(), tools=LittleTools(), journal=ListJournal(), prefix=PREFIX
    )

    async def break_down() -> None:
        async with session.turn("go"):
            await anyio.wait_all_tasks_blocked()  # the buffer is full
            raise KeyError

    with anyio.fail_after(5), pytest.raises(KeyError):
        await break_down()
    assert not session.is_busy
    assert problems(session.history) == []


async def test_a_long_answer_in_small_pieces_takes_no_more_time_than_its_length() -> None:
    session = make_session()
    started = process_time()
    for _ in range(100_000):
        await session._keep(TextDelta("four"))
    assert process_time() - started < 1


class BuggyTools(LittleTools):
    async def run(self, call: ToolCall, emit: Emit) -> ToolResult:
        raise ZeroDivisionError


async def test_a_bug_is_raised_as_itself() -> None:
    session = make_session(calls(("echo", "1")), tools=BuggyTools())
    with pytest.raises(ZeroDivisionError):
        await play(session)
    assert problems(session.history) == []


async def test_every_request_of_a_session_starts_with_the_same_bytes() -> None:
    session = make_session(calls(("echo", "1")), says("a"), says("b"))
    await play(session, "one")
    await play(session, "two")
    assert isinstance(session.model, ScriptedModel)
    first, second, third = session.model.requests
    assert first.prefix is second.prefix is third.prefix
    assert third.messages[: len(second.messages)] == second.messages


async def test_usage_adds_up_over_turns() -> None:
    session = make_session(says("a"), says("b"))
    one = [e for e in await play(session) if isinstance(e, UsageChanged)]
    two = [e for e in await play(session) if isinstance(e, UsageChanged)]
    assert two[-1].session.input_tokens == one[-1].call.input_tokens + two[-1].call.input_tokens


SCRIPT = (
    calls(("echo", "1"), ("echo", "2")),
    calls(("alone", "3"), ("echo", "4"), ("echo", "5")),
    says("three short words"),
)


@given(cut=st.integers(0, 40), steer_at=st.integers(0, 40))
@settings(deadline=None, max_examples=60)
def test_any_prefix_of_events_then_cancel_leaves_a_history_providers_accept(
    cut: int, steer_at: int
) -> None:
    async def story() -> None:
        session = make_session(*SCRIPT, says("after steering"))
        seen = 0

        def stop_at_cut(event: Event, cancel: Callable[[], None]) -> None:
            nonlocal seen
            if seen == steer_at:
                session.steer("look here")
            if seen == cut:
                cancel()
            seen += 1

        events = await play(session, on=stop_at_cut)
        assert isinstance(events[-1], TurnFinished)
        unusual = [p for p in problems(session.history) if "two user" not in p]
        assert unusual == []
        sent = wire_messages(ModelRequest(session.prefix, tuple(session.history)))
        roles = [message["role"] for message in sent]
        refused = {("user", "user"), ("assistant", "assistant"), ("tool", "user")}
        assert not refused.intersection(pairwise(roles)), roles
        session.model = ScriptedModel(says("still fine"))
        await play(session, "and now?")
        assert session.history[-1].text.strip() == "still fine"

    anyio.run(story)
