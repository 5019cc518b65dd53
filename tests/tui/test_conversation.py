"""The whole way: prompt, answer, tools, queue, steering, interruption."""

from pathlib import Path

import anyio
from textual import events

from hermes_tui.agent.session import Session
from hermes_tui.core.errors import HermesError, ModelUnavailableError
from hermes_tui.core.events import Event, Notice, TurnFinished, TurnStarted
from hermes_tui.core.messages import Message, assistant, user
from hermes_tui.core.ports import Prefix
from hermes_tui.models.scripted import ScriptedModel, calls, says
from hermes_tui.tui.conversation import Conversation
from hermes_tui.tui.human import TuiHuman
from tests.tui.stage import Act, MemoryJournal, StageEntry, StageRuntime, StageTools, on_stage

LISTS = calls(("terminal", '{"command": "ls -la"}'))


async def test_a_prompt_is_answered(home: Path) -> None:
    async with on_stage(home, says("Four, as always.")) as stage:
        await stage.type("two plus two")
        await stage.pilot.press("enter")
        await stage.sees("Four, as always.")
        assert "two plus two" in stage.text
        await stage.sees("● idle")
        assert stage.app.chat.prompt.text == ""


async def test_a_tool_is_seen_running_and_finished(home: Path) -> None:
    gate = anyio.Event()
    acts = {"terminal": Act(prints="alpha\nbeta\n", result="alpha\nbeta\n", gate=gate)}
    async with on_stage(home, LISTS, says("Two files."), acts=acts, size=(160, 48)) as stage:
        await stage.say("list the files")
        await stage.sees("running terminal")
        await stage.sees("Live tools  1 running")
        await stage.until(lambda: stage.text.count("alpha") == 2)  # the card and the live pane
        assert "ls -la" in stage.text
        gate.set()
        await stage.sees("Two files.")
        await stage.sees("✓ 0.2 s")


async def test_what_was_typed_before_the_runtime_is_there_is_sent_afterwards(home: Path) -> None:
    gate = anyio.Event()
    async with on_stage(home, says("Good morning."), gate=gate) as stage:
        await stage.sees("starting")
        await stage.type("hello")
        await stage.pilot.press("enter")
        gate.set()
        await stage.sees("Good morning.")


async def test_what_is_typed_before_anything_has_the_keyboard_is_not_lost(home: Path) -> None:
    gate = anyio.Event()
    async with on_stage(home, says("Good morning."), says("Bye."), gate=gate) as stage:
        await stage.sees("starting")
        stage.app.chat.set_focus(None)
        await stage.type("hello")
        await stage.pilot.press("enter")
        stage.app.chat.set_focus(None)
        stage.app.post_message(events.Paste("see you"))
        await stage.until(lambda: stage.app.chat.prompt.text == "see you")
        await stage.pilot.press("enter")
        gate.set()
        await stage.sees("Good morning.")
        await stage.sees("Bye.")
        assert stage.runtime.model.requests[0].messages[0].text == "hello"


async def test_a_command_given_before_the_runtime_is_there_runs_afterwards(home: Path) -> None:
    def prepare(runtime: StageRuntime) -> None:
        runtime.stored.append(StageEntry("s7", "about the sky", [user("What is up?")]))

    gate = anyio.Event()
    async with on_stage(home, gate=gate, prepare=prepare) as stage:
        await stage.sees("starting")
        await stage.pilot.press("ctrl+s")
        await stage.sees("Starting.")
        gate.set()
        await stage.sees("enter open")


async def test_enter_while_busy_queues_and_the_queue_is_answered(home: Path) -> None:
    gate = anyio.Event()
    acts = {"terminal": Act(gate=gate)}
    async with on_stage(home, LISTS, says("First."), says("Second."), acts=acts) as stage:
        await stage.say("one")
        await stage.sees("running terminal")
        await stage.say("two")
        await stage.sees("1 queued   two")
        gate.set()
        await stage.sees("Second.")
        await stage.sees("● idle")
        assert "queued" not in stage.text


async def test_up_in_an_empty_prompt_takes_the_last_queued_prompt_back(home: Path) -> None:
    acts = {"terminal": Act(gate=anyio.Event())}
    async with on_stage(home, LISTS, acts=acts) as stage:
        await stage.say("one")
        await stage.sees("running terminal")
        await stage.say("two")
        await stage.sees("1 queued   two")
        await stage.pilot.press("up")
        await stage.until(lambda: stage.app.chat.prompt.text == "two")
        assert stage.app.chat.conversation.queued == []


async def test_tab_while_busy_steers(home: Path) -> None:
    gate = anyio.Event()
    acts = {"terminal": Act(gate=gate)}
    async with on_stage(home, LISTS, says("In French then."), acts=acts) as stage:
        await stage.say("one")
        await stage.sees("running terminal")
        stage.app.chat.prompt.put("in French please")
        await stage.pilot.press("tab")
        await stage.sees("↳ said now  in French please")
        gate.set()
        await stage.sees("In French then.")
        assert "said now" not in stage.text
        sent = stage.runtime.model.requests[-1].messages
        assert [message.role for message in sent] == ["user", "assistant", "tool", "user"]


async def test_esc_with_an_empty_prompt_stops_the_turn(home: Path) -> None:
    acts = {"terminal": Act(gate=anyio.Event())}
    async with on_stage(home, LISTS, acts=acts) as stage:
        await stage.say("one")
        await stage.sees("running terminal")
        await stage.pilot.press("escape")
        await stage.sees("● idle")
        await stage.sees("(Interrupted.)")


def conversation_with(*lines: Message) -> tuple[Conversation, list[Event]]:
    """A conversation without a screen, and what it delivers."""
    events: list[Event] = []
    conversation = Conversation(events.append)
    conversation.session = Session(
        id="s1", model=ScriptedModel(*lines), tools=StageTools(TuiHuman(), {}),
        journal=MemoryJournal(), prefix=Prefix("", ()),
    )  # fmt: skip
    return conversation, events


async def test_an_interruption_before_the_turn_has_begun_stops_it_all_the_same() -> None:
    conversation, events = conversation_with(says("Too late."), says("Later."))
    assert not conversation.interrupt()
    running = conversation.run("one")
    assert conversation.is_busy
    conversation.queue("two")
    assert conversation.interrupt()
    with anyio.fail_after(5):
        await running
    assert isinstance(events[0], TurnStarted)
    assert isinstance(events[-1], TurnFinished)
    assert events[-1].stop == "cancelled"
    assert conversation.queued == ["two"]
    assert not conversation.is_busy


async def test_an_interruption_as_the_turn_ends_keeps_the_queue_waiting() -> None:
    conversation, events = conversation_with(says("First."), says("Second."))
    running = conversation.run("one")
    conversation.queue("two")

    def deliver(event: Event) -> None:
        events.append(event)
        if isinstance(event, TurnFinished):
            assert conversation.interrupt()

    conversation._deliver = deliver
    with anyio.fail_after(5):
        await running
    assert [event.stop for event in events if isinstance(event, TurnFinished)] == ["done"]
    assert conversation.queued == ["two"]


async def test_esc_right_after_enter_stops_the_turn(home: Path) -> None:
    gate = anyio.Event()
    async with on_stage(home, LISTS, acts={"terminal": Act(gate=gate)}) as stage:
        stage.app.chat.submit("one")
        stage.app.chat.on_prompt_escaped()
        await stage.sees("(Interrupted.)")
        await stage.sees("● idle")


async def test_esc_over_a_half_typed_prompt_asks_once_more(home: Path) -> None:
    acts = {"terminal": Act(gate=anyio.Event())}
    async with on_stage(home, LISTS, acts=acts) as stage:
        await stage.say("one")
        await stage.sees("running terminal")
        await stage.type("half")
        await stage.pilot.press("escape")
        await stage.sees("esc again stops the turn")
        assert stage.app.chat.conversation.is_busy
        await stage.pilot.press("escape")
        await stage.sees("● idle")
        assert stage.app.chat.prompt.text == "half"


async def test_after_an_interruption_the_queue_waits_for_enter(home: Path) -> None:
    acts = {"terminal": Act(gate=anyio.Event())}
    async with on_stage(home, LISTS, says("Second."), acts=acts) as stage:
        await stage.say("one")
        await stage.sees("running terminal")
        await stage.say("two")
        await stage.pilot.press("escape")
        await stage.sees("enter sends the next one")
        assert "Second." not in stage.text
        await stage.pilot.press("enter")
        await stage.sees("Second.")


async def test_an_interrupted_call_says_how_long_it_took(home: Path) -> None:
    acts = {"terminal": Act(gate=anyio.Event())}
    async with on_stage(home, LISTS, acts=acts) as stage:
        await stage.say("one")
        await stage.sees("running terminal")
        stage.app.chat.chat.transcript._clock = lambda: 3.4
        await stage.pilot.press("escape")
        await stage.sees("3.4 s")


async def test_the_first_prompt_is_in_the_list_of_sessions_while_it_is_answered(home: Path) -> None:
    acts = {"terminal": Act(gate=anyio.Event())}
    async with on_stage(home, LISTS, acts=acts, size=(160, 48)) as stage:
        await stage.sees("None stored yet.")
        stage.runtime.stored.append(StageEntry("s0", "what is here?", [user("what is here?")]))
        await stage.say("what is here?")
        await stage.sees("running terminal")
        await stage.sees("● what is here?")
        assert "None stored yet." not in stage.text


async def test_a_failing_model_says_what_to_do(home: Path) -> None:
    error = ModelUnavailableError("The server hung up.", hint="Try again.")
    async with on_stage(home, error, says("Better.")) as stage:
        await stage.say("hello")
        await stage.sees("The server hung up. Try again.")
        await stage.say("again")
        await stage.sees("Better.")


async def test_notices_of_the_runtime_and_the_rehearsal_label_are_shown(home: Path) -> None:
    def prepare(runtime: StageRuntime) -> None:
        runtime.notices.append(Notice("This home belongs to somebody else.", "warning"))
        runtime.is_rehearsal = True

    async with on_stage(home, prepare=prepare, size=(140, 40)) as stage:
        await stage.sees("This home belongs to somebody else.")
        await stage.sees("rehearsal model: no LLM")


async def test_a_session_is_resumed_with_its_history(home: Path) -> None:
    def prepare(runtime: StageRuntime) -> None:
        history = [user("What is up?"), assistant("The sky.")]
        runtime.stored.append(StageEntry("s7", "about the sky", history))

    async with on_stage(home, says("Blue."), prepare=prepare, resume="s7") as stage:
        await stage.sees("The sky.")
        await stage.sees("about the sky")
        await stage.say("Which colour?")
        await stage.sees("Blue.")
        assert len(stage.runtime.model.requests[0].messages) == 3


async def test_an_unknown_session_ends_the_screen_with_its_error(home: Path) -> None:
    gate = anyio.Event()
    async with on_stage(home, resume="nope", gate=gate) as stage:
        gate.set()
        await stage.until(lambda: stage.app.failure is not None)
        assert stage.app.return_code == 1
        assert "nope" in str(stage.app.failure)


async def test_a_prompt_from_the_command_line_is_sent_at_once(home: Path) -> None:
    async with on_stage(home, says("Hello you."), prompt="hi") as stage:
        await stage.sees("Hello you.")


async def test_quitting_in_the_middle_of_a_turn_closes_the_runtime(home: Path) -> None:
    acts = {"terminal": Act(gate=anyio.Event())}
    async with on_stage(home, LISTS, acts=acts) as stage:
        await stage.say("one")
        await stage.sees("running terminal")
        await stage.pilot.press("ctrl+q")
        await stage.until(lambda: stage.runtime.is_closed)
        session = stage.runtime.session
        assert session is not None
        assert [message.role for message in session.history] == [
            "user",
            "assistant",
            "tool",
            "assistant",
        ]


async def test_foreign_markup_and_escapes_stay_text(home: Path) -> None:
    nasty = "[/b] [@click=app.quit]x[/] \x1b]0;owned\x07 \u202egnp.exe"
    acts = {"terminal": Act(prints=nasty, result=nasty)}
    call = calls(("terminal", '{"command": "[/] [@click=app.bell]"}'))

    def prepare(runtime: StageRuntime) -> None:
        runtime.stored.append(StageEntry("s0", nasty, [user(nasty)]))

    async with on_stage(
        home, call, says(nasty), acts=acts, prepare=prepare, size=(160, 48)
    ) as stage:
        await stage.say("go [/] on")
        await stage.sees("[@click=app.bell]")
        await stage.sees("● idle")
        assert "\x1b" not in stage.text
        assert "\u202e" not in stage.text


async def test_memory_that_cannot_be_read_is_said_and_stops_nothing(home: Path) -> None:
    def prepare(runtime: StageRuntime) -> None:
        runtime.memory_error = HermesError("MEMORY.md cannot be read.", hint="Check it.")

    async with on_stage(home, says("Still here."), prepare=prepare) as stage:
        await stage.sees("MEMORY.md cannot be read. Check it.")
        await stage.say("hello")
        await stage.sees("Still here.")


async def test_a_long_paste_with_carriage_returns_keeps_its_lines(home: Path) -> None:
    async with on_stage(home, says("Seen.")) as stage:
        pasted = "\r".join(f"line {number} {'x' * 20}" for number in range(1000))
        stage.app.screen.post_message(events.Paste(pasted))
        await stage.sees("1000 lines]")
        await stage.pilot.press("enter")
        await stage.sees("Seen.")
        model = stage.runtime.model
        assert isinstance(model, ScriptedModel)
        assert "line 1 " + "x" * 20 + "\nline 2" in model.requests[0].messages[-1].text
