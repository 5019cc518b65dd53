"""Palette, help, sessions, models, themes, panes and slash commands."""

from pathlib import Path

import anyio
import pytest
from textual import events

from hermes_tui.config.schema import Config, TuiConfig
from hermes_tui.core.errors import HermesError
from hermes_tui.core.messages import assistant, user
from hermes_tui.learning.learner import Learnt
from hermes_tui.models.scripted import calls, says
from hermes_tui.tui.actions import edited_text
from tests.tui.stage import Act, StageEntry, StageRuntime, on_stage


def with_sessions(runtime: StageRuntime) -> None:
    runtime.stored += [
        StageEntry("s8", "refactor loader", [user("Rename load()"), assistant("Renamed it.")]),
        StageEntry("s9", "fix CI", [user("CI is red"), assistant("A flaky zebra test.")]),
    ]


async def test_the_palette_runs_what_is_chosen(home: Path) -> None:
    async with on_stage(home) as stage:
        await stage.pilot.press("ctrl+p")
        await stage.sees("Session: resume or search")
        await stage.type("help")
        await stage.pilot.press("enter")
        await stage.sees("Keys and commands")
        await stage.sees("In the prompt")
        await stage.pilot.press("escape")
        await stage.until(lambda: "Keys and commands" not in stage.text)
        assert stage.app.chat.prompt.has_focus


async def test_f1_shows_the_persons_own_keys(home: Path) -> None:
    def prepare(runtime: StageRuntime) -> None:
        runtime.config = Config(tui=TuiConfig(keys={"session.new": "ctrl+t"}))

    async with on_stage(home, prepare=prepare, size=(120, 60)) as stage:
        await stage.pilot.press("f1")
        await stage.sees("ctrl+t")
        await stage.pilot.press("escape")
        first = stage.runtime.session
        await stage.pilot.press("ctrl+t")
        await stage.until(lambda: stage.runtime.session is not first)


async def test_a_session_found_by_its_text_is_resumed(home: Path) -> None:
    async with on_stage(home, prepare=with_sessions) as stage:
        await stage.pilot.press("ctrl+s")
        await stage.sees("fix CI")
        await stage.type("zebra")
        await stage.sees("A flaky zebra test.")
        await stage.pilot.press("enter")
        await stage.until(lambda: stage.runtime.session and stage.runtime.session.id == "s9")
        await stage.until(lambda: "CI is red" in stage.text)


async def test_esc_in_the_session_picker_changes_nothing(home: Path) -> None:
    async with on_stage(home, prepare=with_sessions, pick_session=True) as stage:
        await stage.sees("enter open")
        first = stage.runtime.session
        await stage.pilot.press("escape")
        await stage.until(lambda: stage.app.screen is stage.app.chat)
        assert stage.runtime.session is first


async def test_a_recent_session_is_opened_from_its_pane(home: Path) -> None:
    async with on_stage(home, prepare=with_sessions, size=(160, 48)) as stage:
        await stage.sees("refactor loader")
        await stage.pilot.press("f5", "down", "enter")
        await stage.until(lambda: "Rename load()" in stage.text)


async def test_a_deleted_session_comes_back(home: Path) -> None:
    async with on_stage(home, prepare=with_sessions, resume="s8") as stage:
        await stage.say("/delete")
        await stage.sees("/restore brings it back")
        assert [entry.id for entry in stage.runtime.stored] == ["s9"]
        await stage.say("/restore")
        await stage.until(lambda: "Rename load()" in stage.text)


async def test_renaming_changes_the_title_everywhere(home: Path) -> None:
    async with on_stage(home, prepare=with_sessions, resume="s8") as stage:
        await stage.say("/rename loader, second [try]")
        await stage.sees("loader, second [try]")
        assert stage.runtime.stored[0].title == "loader, second [try]"


async def test_renaming_begins_with_the_present_title(home: Path) -> None:
    async with on_stage(home, prepare=with_sessions, resume="s8") as stage:
        await stage.say("/rename")
        await stage.sees("Title of this session")
        await stage.pilot.press("end", "exclamation_mark", "enter")
        await stage.until(lambda: stage.runtime.stored[0].title == "refactor loader!")


@pytest.mark.parametrize(
    ("size", "line"),
    [
        ((160, 48), "┃ ○ list the five largest f… 2 h ┃"),
        (
            (80, 24),
            "┃ ○ list the five largest files of this folder and tell me which to delet… 2 h ┃",
        ),
    ],
)
async def test_a_title_fills_the_sessions_pane(
    home: Path, size: tuple[int, int], line: str
) -> None:
    title = "list the five largest files of this folder and tell me which to delete first"

    def prepare(runtime: StageRuntime) -> None:
        runtime.stored.append(StageEntry("s7", title, [user("hi")]))

    async with on_stage(home, prepare=prepare, size=size) as stage:
        await stage.pilot.press("f5")
        await stage.sees(line)


async def test_why_a_place_cannot_serve_is_read_in_full(home: Path) -> None:
    async with on_stage(home, size=(80, 24)) as stage:
        await stage.say("/env")
        await stage.sees("reachable")
        await stage.pilot.press("up")
        await stage.sees("The docker daemon cannot be reached. Start it, or choose another ")


async def test_an_example_that_is_wrapped_keeps_its_indent(home: Path) -> None:
    async with on_stage(home, size=(100, 30)) as stage:
        await stage.sees("│     list the five largest files here, then write   │")
        await stage.sees("│       them to top.txt   ")


async def test_another_model_answers_after_it_was_picked(home: Path) -> None:
    async with on_stage(home, size=(140, 40)) as stage:
        await stage.say("/model")
        await stage.sees("needs OPENROUTER_API_KEY")
        await stage.type("rehears")
        await stage.pilot.press("enter")
        await stage.sees("From now on rehearsal answers.")
        await stage.until(lambda: stage.runtime.model_name == "rehearsal")


async def test_commands_run_in_another_place_after_it_was_picked(home: Path) -> None:
    async with on_stage(home, size=(140, 40)) as stage:
        await stage.say("/env")
        await stage.sees("reachable")
        await stage.type("prod")
        await stage.pilot.press("enter")
        await stage.sees("prod:/srv/app")
        await stage.say("/env mars")
        await stage.sees("There is no environment 'mars'.")


async def test_how_long_the_model_thinks_can_be_said(home: Path) -> None:
    async with on_stage(home, size=(140, 40)) as stage:
        await stage.say("/reasoning high")
        await stage.until(lambda: stage.runtime.reasoning == "high")
        await stage.say("/reasoning wild")
        await stage.sees("There is no level 'wild'.")


async def test_a_theme_is_tried_on_and_taken_back(home: Path) -> None:
    async with on_stage(home) as stage:
        before = stage.app.theme
        await stage.say("/theme")
        await stage.sees("hermes-light")
        await stage.type("hermes-light")
        await stage.until(lambda: stage.app.theme == "hermes-light")
        await stage.pilot.press("escape")
        await stage.until(lambda: stage.app.theme == before)
        await stage.say("/theme hermes-light")
        await stage.until(lambda: stage.app.theme == "hermes-light")


async def test_shift_tab_cycles_the_approval_mode(home: Path) -> None:
    async with on_stage(home) as stage:
        seen: list[str] = []
        for _ in range(4):
            await stage.pilot.press("shift+tab")
            seen.append(stage.runtime.mode)
            await stage.sees(f"{seen[-1]} · shift+tab")
        assert seen == ["auto-edit", "full-auto", "read-only", "ask"]


async def test_a_slash_opens_completion_and_tab_completes(home: Path) -> None:
    async with on_stage(home) as stage:
        await stage.type("/ren")
        await stage.sees("Gives this session a title.")
        await stage.pilot.press("tab")
        await stage.until(lambda: stage.app.chat.prompt.text == "/rename ")
        assert not stage.app.chat.completion.is_open


async def test_esc_closes_the_completion_and_keeps_the_text(home: Path) -> None:
    async with on_stage(home) as stage:
        await stage.type("/")
        await stage.sees("/sessions")
        await stage.pilot.press("escape")
        await stage.until(lambda: "Lists stored sessions" not in stage.text)
        assert stage.app.chat.prompt.text == "/"


async def test_an_unknown_slash_command_is_not_sent(home: Path) -> None:
    async with on_stage(home) as stage:
        await stage.say("/frobnicate now")
        await stage.sees("There is no command /frobnicate.")
        assert stage.app.chat.prompt.text == "/frobnicate now"


async def test_some_commands_wait_for_the_turn(home: Path) -> None:
    acts = {"terminal": Act(gate=anyio.Event())}
    async with on_stage(home, calls(("terminal", "{}")), acts=acts) as stage:
        await stage.say("go")
        await stage.sees("running terminal")
        first = stage.runtime.session
        await stage.pilot.press("ctrl+n")
        await stage.sees("has to wait until the turn is over")
        assert stage.runtime.session is first


async def test_newlines_and_history_in_the_prompt(home: Path) -> None:
    async with on_stage(home, says("One."), says("Two.")) as stage:
        await stage.type("a")
        await stage.pilot.press("ctrl+j")
        await stage.type("b")
        assert stage.app.chat.prompt.text == "a\nb"
        await stage.pilot.press("enter")
        await stage.sees("One.")
        await stage.sees("● idle")
        await stage.type("draft")
        await stage.pilot.press("up")
        assert stage.app.chat.prompt.text == "a\nb"
        await stage.pilot.press("down")
        assert stage.app.chat.prompt.text == "draft"
        await stage.until((home / "prompt_history.jsonl").exists)


async def test_a_long_paste_is_a_chip_until_it_is_sent(home: Path) -> None:
    async with on_stage(home, says("Read it.")) as stage:
        prompt = stage.app.chat.prompt
        prompt.post_message(events.Paste("line\n" * 4_000))
        await stage.sees("[paste 1: 20k bytes, 4001 lines]")
        await stage.pilot.press("enter")
        await stage.sees("Read it.")
        assert stage.runtime.model.requests[0].messages[0].text.count("line") == 4_000


async def test_a_paste_goes_in_once(home: Path) -> None:
    async with on_stage(home) as stage:
        for text in ("one line", "two\nlines\n"):
            stage.app.chat.prompt.put("")
            stage.app.post_message(events.Paste(text))
            await stage.until(lambda: stage.app.chat.prompt.text)
            await stage.pilot.pause()
            assert stage.app.chat.prompt.text == text


@pytest.mark.parametrize("key", ["i", "escape"])
async def test_the_conversation_is_left_for_the_prompt_by_its_keys(home: Path, key: str) -> None:
    async with on_stage(home) as stage:
        await stage.pilot.press("escape")
        await stage.until(lambda: stage.app.chat.chat.has_focus_within)
        await stage.pilot.press(key)
        await stage.until(lambda: stage.app.chat.prompt.has_focus)
        assert stage.app.chat.prompt.text == ""


async def test_a_letter_typed_in_the_conversation_goes_to_the_prompt(home: Path) -> None:
    async with on_stage(home) as stage:
        await stage.pilot.press("escape", "j", "k")
        await stage.until(lambda: not stage.app.chat.prompt.has_focus)
        await stage.type("what did you do?")
        await stage.until(lambda: stage.app.chat.prompt.text == "what did you do?")
        assert stage.app.chat.prompt.has_focus


@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=str)
@pytest.mark.parametrize("key", ["f2", "f3", "f4", "f5"])
async def test_esc_in_a_pane_goes_back_to_the_prompt(
    home: Path, key: str, size: tuple[int, int]
) -> None:
    async with on_stage(home, prepare=with_sessions, size=size) as stage:
        await stage.sees("enter send")
        await stage.pilot.press(key)
        await stage.sees("esc prompt")
        assert "enter send" not in stage.text
        await stage.pilot.press("escape")
        await stage.until(lambda: stage.app.chat.prompt.has_focus)
        await stage.sees("enter send")
        await stage.pilot.press(key)
        await stage.sees("esc prompt")
        await stage.type("note")
        await stage.until(lambda: stage.app.chat.prompt.text == "note")


def editor(folder: Path, script: str) -> str:
    path = folder / "my editor"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return f"'{path}'"


def test_an_external_editor_changes_the_prompt(tmp_path: Path) -> None:
    assert edited_text(editor(tmp_path, 'echo " and more" >> "$1"'), "start") == "start and more\n"


def test_an_editor_that_fails_changes_nothing(tmp_path: Path) -> None:
    assert edited_text(editor(tmp_path, "exit 1"), "start") is None
    assert edited_text("no-such-editor-anywhere", "start") is None


async def test_where_no_editor_can_run_the_prompt_stays(home: Path) -> None:
    async with on_stage(home) as stage:
        await stage.type("start")
        await stage.pilot.press("ctrl+g")
        await stage.sees("This terminal cannot be lent to an editor.")
        assert stage.app.chat.prompt.text == "start"


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (160, 48)], ids=str)
async def test_every_pane_is_one_key_away_and_one_key_back(
    home: Path, size: tuple[int, int]
) -> None:
    async with on_stage(home, prepare=with_sessions, size=size) as stage:
        await stage.until(lambda: stage.app.chat.prompt.has_focus)
        for key, text in (
            ("f2", "Nothing is running."),
            ("f3", "MEMORY.md"),
            ("f4", "python-refactor"),
            ("f5", "refactor loader"),
        ):
            await stage.pilot.press(key)
            await stage.sees(text)
            await stage.until(lambda: not stage.app.chat.prompt.has_focus)
            await stage.pilot.press(key)
            await stage.until(lambda: stage.app.chat.prompt.has_focus)


async def test_memory_text_is_shown_as_it_is(home: Path) -> None:
    async with on_stage(home, size=(160, 48)) as stage:
        await stage.pilot.press("f3", "down", "down", "enter")
        await stage.sees("Likes short answers.")
        await stage.sees("20 of 1375 characters")


async def test_the_layout_follows_the_size_of_the_terminal(home: Path) -> None:
    async with on_stage(home, prepare=with_sessions, size=(160, 48)) as stage:
        await stage.sees("Live tools")
        await stage.pilot.resize_terminal(80, 24)
        await stage.until(lambda: "Live tools" not in stage.text and "Skills" in stage.text)
        await stage.pilot.resize_terminal(160, 48)
        await stage.sees("Live tools")
        await stage.sees("MEMORY.md")


async def test_ctrl_c_stops_a_turn_and_never_quits(home: Path) -> None:
    acts = {"terminal": Act(gate=anyio.Event())}
    async with on_stage(home, calls(("terminal", "{}")), acts=acts) as stage:
        await stage.say("go")
        await stage.sees("running terminal")
        await stage.pilot.press("ctrl+c")
        await stage.sees("● idle")
        await stage.type("text")
        await stage.pilot.press("ctrl+c")
        await stage.until(lambda: stage.app.chat.prompt.text == "")
        await stage.pilot.press("ctrl+c")
        await stage.sees("ctrl+q quits.")
        assert stage.app.is_running


async def test_a_personality_is_taken_on_and_laid_down(home: Path) -> None:
    async with on_stage(home) as stage:
        await stage.say("/personality")
        await stage.sees("teacher")
        await stage.type("teach")
        await stage.pilot.press("enter")
        await stage.until(lambda: stage.runtime.personality == "teacher")
        await stage.say("/personality none")
        await stage.until(lambda: stage.runtime.personality == "")


async def test_compressing_says_what_would_go_and_waits_for_a_yes(home: Path) -> None:
    long = "word " * 40_000
    history = [user("Begin."), assistant("Yes."), *[user(long), assistant(long)] * 3]

    def prepare(runtime: StageRuntime) -> None:
        runtime.stored.append(StageEntry("s7", "long talk", history))

    async with on_stage(home, prepare=prepare, resume="s7") as stage:
        await stage.say("/compress the port")
        await stage.sees("Summarise 5 of 8 messages for the model")
        await stage.until(lambda: stage.app.screen.focused is not stage.app.chat.prompt)
        await stage.pilot.press("enter")
        await stage.sees("Conversation compressed")


async def test_there_is_nothing_to_compress_in_a_short_conversation(home: Path) -> None:
    async with on_stage(home) as stage:
        await stage.say("/compress")
        await stage.sees("There is nothing to leave out yet.")


async def test_what_is_remembered_is_said_and_one_key_takes_it_back(home: Path) -> None:
    def prepare(runtime: StageRuntime) -> None:
        runtime.lessons.append(Learnt("s0", preferences=("language: German",)))

    async with on_stage(home, says("Gern."), prepare=prepare) as stage:
        await stage.say("answer in German from now on")
        await stage.sees("Remembered: a preference (language: German).")
        await stage.pilot.press("f7")
        await stage.sees("Taken back: a preference (language: German).")
        assert len(stage.runtime.unlearnt) == 1


async def test_what_could_not_be_taken_back_can_be_tried_again(home: Path) -> None:
    def prepare(runtime: StageRuntime) -> None:
        runtime.lessons.append(Learnt("s0", preferences=("language: German",)))

    async with on_stage(home, says("Gern."), prepare=prepare) as stage:
        await stage.say("answer in German from now on")
        await stage.sees("Remembered: a preference (language: German).")
        stage.runtime.memory_error = HermesError("The disk is full.", hint="Make room.")
        await stage.pilot.press("f7")
        await stage.sees("The disk is full.")
        stage.runtime.memory_error = None
        await stage.pilot.press("f7")
        await stage.sees("Taken back: a preference (language: German).")


async def test_idle_work_is_not_begun_again_while_it_goes_on_and_fails_aloud_once(
    home: Path,
) -> None:
    async with on_stage(home) as stage:
        runtime, chat = stage.runtime, stage.app.chat
        runtime.idle_gate = anyio.Event()
        runtime.idle_error = HermesError("The disk is full.", hint="Make room.")
        await stage.until(lambda: chat.runtime is not None)
        chat._look_after()
        await stage.until(lambda: runtime.idle_times == 1)
        chat._look_after()
        runtime.idle_gate.set()
        await stage.sees("The disk is full.")
        assert runtime.idle_times == 1
        await stage.until(lambda: not any(one.group == "idle" for one in chat.workers))
        chat._look_after()
        await stage.until(lambda: runtime.idle_times == 2)
        await stage.until(lambda: not any(one.group == "idle" for one in chat.workers))
        assert stage.text.count("The disk is full.") == 1


async def test_a_mode_is_set_by_its_name(home: Path) -> None:
    async with on_stage(home) as stage:
        await stage.say("/mode read-only")
        await stage.until(lambda: stage.runtime.mode == "read-only")
        await stage.say("/mode nonsense")
        await stage.sees("There is no mode 'nonsense'.")
        assert stage.runtime.mode == "read-only"


async def test_a_slash_command_typed_in_full_goes_before_longer_ones(home: Path) -> None:
    async with on_stage(home) as stage:
        before = stage.runtime.mode
        await stage.say("/mode")
        await stage.until(lambda: stage.runtime.mode != before)


async def test_letters_typed_quickly_over_the_conversation_all_reach_the_prompt(home: Path) -> None:
    async with on_stage(home) as stage:
        stage.app.chat.chat.transcript.focus()
        await stage.until(lambda: stage.app.screen.focused is not stage.app.chat.prompt)
        for letter in "find diagrams":
            stage.app.post_message(events.Key("space" if letter == " " else letter, letter))
        await stage.until(lambda: stage.app.chat.prompt.text == "find diagrams")


async def test_sessions_of_a_time_are_listed_though_no_word_matches(home: Path) -> None:
    async with on_stage(home, prepare=with_sessions) as stage:
        await stage.pilot.press("ctrl+s")
        await stage.sees("refactor loader")
        await stage.type("last week")
        await stage.sees("fix CI")
        await stage.sees("refactor loader")
