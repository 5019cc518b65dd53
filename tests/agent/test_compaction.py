"""Long histories: what is left out for the model, when, and what never is."""

from collections.abc import AsyncGenerator, Sequence
from itertools import pairwise

import anyio
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes_tui.agent.compaction import Compactor, Summary, SummaryRequest
from hermes_tui.agent.context import Context
from hermes_tui.agent.session import Session
from hermes_tui.agent.summaries import extracted, summarised
from hermes_tui.core.errors import ContextOverflowError, ModelError, ModelUnavailableError
from hermes_tui.core.events import Event, HistoryCompacted, Notice, TurnFinished
from hermes_tui.core.history import NOT_COMPACTED, Compaction, shortened
from hermes_tui.core.messages import Message, ToolCall, ToolResult, assistant, tool_results, user
from hermes_tui.core.ports import Emit, ModelItem, ModelRequest, Prefix, Reply, ToolSpec
from hermes_tui.core.usage import Usage
from hermes_tui.models.scripted import Line, ScriptedModel, says
from hermes_tui.models.wire import wire_messages

WINDOW = 8_000
LONG = "word " * 2_000  # 2,500 tokens


class Journal:
    """Keeps what a store would keep."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.compactions: list[Compaction] = []

    async def append(self, message: Message) -> None:
        self.messages.append(message)

    async def record_result(self, result: ToolResult, seconds: float) -> None: ...

    async def record_usage(self, usage: Usage, model: str) -> None: ...

    async def record_compaction(self, compaction: Compaction) -> None:
        self.compactions.append(compaction)


class NoTools:
    specs: tuple[ToolSpec, ...] = ()

    def is_parallel_safe(self, call: ToolCall) -> bool:
        return True

    async def run(self, call: ToolCall, emit: Emit) -> ToolResult:
        raise NotImplementedError


class Notes:
    """Summarises as told, and keeps what it was asked."""

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)
        self.requests: list[SummaryRequest] = []

    async def __call__(self, request: SummaryRequest) -> Summary:
        self.requests.append(request)
        if not self.texts:
            raise ModelUnavailableError("The summariser is down.")
        return Summary(self.texts.pop(0), Usage(input_tokens=7))


def worked(number: int, *, output: str = "ok", tool: str = "terminal") -> list[Message]:
    """A tool call, its result and what was said then."""
    call = ToolCall(f"c{number}", tool, f'{{"command": "step {number}"}}')
    said = assistant(f"Step {number} is done.")
    return [Message("assistant", (call,)), tool_results([ToolResult(call.id, output)]), said]


def conversation(turns: int, *, text: str = LONG) -> list[Message]:
    history: list[Message] = []
    for number in range(turns):
        history += [user(f"request {number} {text}"), assistant(f"answer {number} {text}")]
    return history


def session_of(
    history: Sequence[Message], notes: Notes, *replies: Line, window: int | None = WINDOW
) -> tuple[Session, ScriptedModel, Journal]:
    model, journal = ScriptedModel(*replies, context_window=window), Journal()
    session = Session(
        id="long0000",
        model=model,
        tools=NoTools(),
        journal=journal,
        prefix=Prefix("You are a test.", ()),
        history=history,
        context=Context(journal, compactor=Compactor(notes)),
    )
    return session, model, journal


async def play(session: Session, prompt: str) -> list[Event]:
    with anyio.fail_after(5):
        async with session.turn(prompt) as turn:
            return [event async for event in turn]


def texts(request: ModelRequest) -> str:
    return "\n".join(message.text for message in request.messages)


async def test_a_long_history_is_summarised_before_the_model_is_called() -> None:
    history = [user("Build a boat."), assistant("Gladly."), *conversation(3)]
    notes = Notes("## Goal\n- a boat")
    session, model, journal = session_of(history, notes, says("done"))
    events = await play(session, "and now?")
    (compacted,) = [event for event in events if isinstance(event, HistoryCompacted)]
    assert compacted.tokens_after < compacted.tokens_before
    sent = texts(model.requests[0])
    assert "Build a boat." in sent
    assert "Gladly." in sent
    assert "## Goal\n- a boat" in sent
    assert "request 0" not in sent
    assert sent.endswith("and now?")
    assert len(session.history) == len(history) + 2
    assert journal.compactions[-1].summary == "## Goal\n- a boat"
    assert session.usage.input_tokens >= 7


async def test_a_short_history_stays_as_it_is() -> None:
    session, model, journal = session_of(conversation(3, text="short"), Notes(), says("done"))
    await play(session, "and now?")
    assert journal.compactions == []
    assert len(model.requests[0].messages) == 7


async def test_old_tool_output_is_cut_first_and_that_may_be_enough() -> None:
    history = [user("Go."), *worked(1, output=LONG), *worked(2, output=LONG), *worked(3)]
    notes = Notes()
    session, model, _ = session_of(history, notes, says("done"))
    await play(session, "and now?")
    assert notes.requests == []
    sent = model.requests[0].messages
    assert [one.role for one in sent] == [*(one.role for one in history), "user"]
    assert all(len(result.content) < 600 for one in sent for result in one.tool_results)
    assert "characters left out" in sent[2].tool_results[0].content


async def test_the_summary_so_far_is_updated_with_what_came_since() -> None:
    notes = Notes("first notes", "second notes")
    session, model, _ = session_of(conversation(4), notes, says("a"), says(LONG * 2), says("b"))
    await play(session, "one")
    await play(session, "two")
    await play(session, "three")
    assert [request.previous for request in notes.requests] == ["", "first notes"]
    assert not any("request 0" in one.text for one in notes.requests[1].messages)
    assert "second notes" in texts(model.requests[-1])
    assert "first notes" not in texts(model.requests[-1])


async def test_the_request_at_work_stays_word_for_word_when_a_turn_is_cut_in_the_middle() -> None:
    history = [user("Fix the login bug, quickly."), assistant("Yes."), user("Now the search.")]
    for number in range(20):
        history += worked(number, output="x" * 1_500)
    session, model, _ = session_of(history[:-1], Notes("notes"), says("done"))
    await session.compress()
    session.steer("faster")
    await play(session, "please")
    assert "[The request being worked on]\nNow the search." in texts(model.requests[0])


async def test_what_was_steered_is_told_with_the_request_it_belongs_to() -> None:
    history = [user("Hello."), assistant("Hi."), user("Mend the search.")]
    for number in range(10):
        history += worked(number, output="x" * 1_500)[:2]
        history.append(user("faster please"))
    for number in range(10, 20):
        history += worked(number, output="x" * 1_500)[:2]
    history.append(assistant("Done."))
    session, model, _ = session_of(history, Notes("notes"), says("done"))
    assert await session.compress()
    await play(session, "thanks")
    told = texts(model.requests[0])
    assert "[The request being worked on]\nMend the search." in told
    assert "faster please" in told


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [("skill_load", '{"name": "boats"}'), ("read_file", '{"path": "skills/boats/SKILL.md"}')],
)
async def test_loaded_skills_outlive_cuts_and_summaries_word_for_word(
    tool: str, arguments: str
) -> None:
    body = "SKILL: " + "measure twice, " * 100
    call = ToolCall("skill", tool, arguments)
    skill = [Message("assistant", (call,)), tool_results([ToolResult("skill", body)])]
    history = [user("Go."), *skill, *worked(1, output=LONG), *worked(2), *conversation(3)]
    cut = shortened(history, Compaction(0, 0, len(history)))
    assert cut[2].tool_results[0].content == body
    session, model, _ = session_of(history, Notes("notes"), says("done"))
    await play(session, "go on")
    assert body in texts(model.requests[0])


async def test_a_failing_summariser_leaves_everything_unchanged_and_the_turn_goes_on() -> None:
    session, model, journal = session_of(conversation(4), Notes(), says("done"))
    events = await play(session, "and now?")
    assert any(isinstance(e, Notice) and "not shortened" in e.text for e in events)
    assert isinstance(events[-1], TurnFinished)
    assert events[-1].stop == "done"
    assert journal.compactions == []
    assert len(model.requests[0].messages) == 9


async def test_after_two_passes_that_gain_little_it_stops_trying() -> None:
    huge = "x" * 100_000
    notes = Notes(*([huge] * 9))
    session, _, journal = session_of(conversation(4), notes, *[says("ok")] * 5)
    said = [event for _ in range(4) for event in await play(session, "more")]
    assert len(notes.requests) == 2
    assert journal.compactions == []
    assert sum(isinstance(e, Notice) and "new session" in e.text for e in said) == 1


async def test_a_request_refused_for_its_length_is_shortened_and_sent_again() -> None:
    refusal = ContextOverflowError("Too long.")
    session, model, _ = session_of(
        conversation(4), Notes("notes"), refusal, says("done"), window=None
    )
    events = await play(session, "and now?")
    assert events[-1] == TurnFinished("done", exit_code=0)
    first, second = model.requests
    assert len(texts(second)) < len(texts(first))
    assert second.messages[-1].text == "and now?"


async def test_what_cannot_be_shortened_any_more_ends_with_the_providers_words() -> None:
    refusal = ContextOverflowError("Too long.", hint="Say less.")
    session, _, _ = session_of([], Notes(), *[refusal] * 5)
    events = await play(session, LONG)
    assert events[-1] == TurnFinished("error", "Too long.", "Say less.", 4)


async def test_a_step_that_brought_too_much_is_cut_as_a_last_resort() -> None:
    calls = tuple(ToolCall(f"r{n}", "read_file", f'{{"path": "{n}"}}') for n in range(10))
    results = tool_results([ToolResult(call.id, LONG) for call in calls])
    history = [user("Read all."), Message("assistant", calls), results]
    refusal = ContextOverflowError("Too long.")
    session, model, _ = session_of(history, Notes(), refusal, says("done"), window=100_000)
    events = await play(session, "go on")
    assert isinstance(events[-1], TurnFinished)
    assert events[-1].stop == "done"
    sent = model.requests[-1].messages
    assert all(len(result.content) < 600 for one in sent for result in one.tool_results)


async def test_what_one_model_refused_says_nothing_about_the_next() -> None:
    session, _, _ = session_of(
        conversation(4), Notes("notes"), ContextOverflowError("Too long."), says("a"), window=None
    )
    await play(session, "one")
    assert session.context_window is not None
    session.model = ScriptedModel(says("b"), name="another", context_window=1_000_000)
    assert session.context_window == 1_000_000


class CountingModel(ScriptedModel):
    """Counts `rate` tokens for each four characters of a whole request, and answers at length."""

    def __init__(self, rate: float, text: str) -> None:
        super().__init__(context_window=WINDOW)
        self._rate = rate
        self._text = text
        self.sizes: list[int] = []

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        self.sizes.append(int(len(msgspec.json.encode(request.prefix)) / 4 * self._rate))
        said = sum(len(one.text) for one in request.messages)
        self.sizes[-1] += int(said / 4 * self._rate)
        yield Reply(says(self._text), Usage(self.sizes[-1], int(len(self._text) / 4 * self._rate)))


@pytest.mark.parametrize(("rate", "prefix_chars"), [(1.0, 15_000), (4.0, 1_000), (0.8, 0)])
async def test_a_long_talk_never_fills_the_window_whatever_prompt_and_script_take(
    rate: float, prefix_chars: int
) -> None:
    model = CountingModel(rate, "a word or two " * 20)
    journal = Journal()
    session = Session(
        id="long0000",
        model=model,
        tools=NoTools(),
        journal=journal,
        prefix=Prefix("p" * prefix_chars, ()),
        context=Context(journal, compactor=Compactor(extracted)),
    )
    for number in range(60):
        await play(session, f"request {number}: " + "more words " * 20)
    assert max(model.sizes) < WINDOW
    assert len(journal.compactions) < 30


async def test_a_compaction_by_hand_keeps_what_the_person_names() -> None:
    notes = Notes("notes")
    session, _, _ = session_of(conversation(4), notes)
    plan = session.compression()
    assert plan is not None
    assert await session.compress("the port numbers")
    assert notes.requests[0].focus == "the port numbers"
    assert session.compression() is None


async def test_the_model_writes_the_notes_in_pieces_that_fit_it() -> None:
    model = ScriptedModel(says("one"), says("two"), says("three"), says("four"))
    request = SummaryRequest("old", tuple(conversation(2)), "ports", WINDOW)
    summary = await summarised(model, request)
    assert summary.text == "four"
    assert summary.usage.input_tokens > 0
    prompts = [one.messages[0].text for one in model.requests]
    assert "old" in prompts[0]
    assert "one" in prompts[1]
    assert all("ports" in prompt and len(prompt) < WINDOW * 4 * 0.7 for prompt in prompts)


async def test_an_empty_summary_is_no_summary() -> None:
    request = SummaryRequest("", tuple(conversation(1)), "", WINDOW)
    with pytest.raises(ModelError, match="empty"):
        await summarised(ScriptedModel(says(" ")), request)


async def test_without_a_model_the_notes_name_goals_actions_files_and_failures() -> None:
    write = ToolCall("w", "write_file", '{"path": "boat.md", "content": "x"}')
    failed = ToolCall("f", "terminal", '{"command": "make"}')
    results = (ToolResult("w", "Created."), ToolResult("f", "no rule", is_error=True))
    history = (user("Write it down."), Message("assistant", (write, failed)), tool_results(results))
    first = await extracted(SummaryRequest("", history, "", WINDOW))
    assert "## Goal\n- Write it down." in first.text
    assert "- write_file boat.md" in first.text
    assert "- terminal make: no rule" in first.text
    assert "## Relevant files\n- boat.md" in first.text
    again = await extracted(SummaryRequest(first.text, (user("And sail."),), "", WINDOW))
    assert "Write it down." in again.text
    assert "And sail." in again.text


parts = st.sampled_from(["talk", "work", "big work"])


@given(st.lists(parts, max_size=30), st.sampled_from([8_000, 32_000, 1_000_000]), st.data())
@settings(deadline=None)
def test_whatever_is_left_out_calls_keep_their_results_and_providers_accept_it(
    kinds: list[str], window: int, data: st.DataObject
) -> None:
    history: list[Message] = []
    for number, kind in enumerate(kinds):
        size = data.draw(st.integers(0, 3_000))
        history.append(user(f"request {number} {'y' * size}"))
        if kind == "talk":
            history.append(assistant(f"answer {number}"))
        else:
            history += worked(number, output="z" * (40_000 if kind == "big work" else 50))
    now = NOT_COMPACTED
    compactor = Compactor(extracted)
    for thorough in (False, True):
        done = anyio.run(
            lambda now=now, thorough=thorough: compactor.compact(
                history, now, window=window, thorough=thorough
            )
        )
        now = (done.compaction if done else None) or now
        sent = shortened(history, now)
        for before, after in pairwise(sent):
            answered = {result.call_id for result in after.tool_results}
            assert {call.id for call in before.tool_calls} == answered
        roles = [one["role"] for one in wire_messages(ModelRequest(Prefix("", ()), sent))]
        assert ("tool", "user") not in pairwise(roles)
        assert sent[-1:] == tuple(history[-1:])
