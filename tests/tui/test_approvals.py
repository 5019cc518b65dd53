"""Nothing runs by accident."""

from pathlib import Path

import anyio
import pytest
from textual import events

from hermes_tui.core.errors import RefusedError
from hermes_tui.core.events import Approval
from hermes_tui.models.scripted import calls, says
from hermes_tui.tui.dialogs.sheet import Sheet
from tests.tui.stage import Act, Stage, on_stage

REMOVES = calls(("terminal", '{"command": "rm -rf build"}'))
AWAKE = "d deny and say why"


def asking(scope: str = "rm build*") -> dict[str, Act]:
    return {"terminal": Act(asks="rm -rf build && pip install -e .", scope=scope)}


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sheet, "GRACE_SECONDS", 0.02)


async def asked(stage: Stage) -> None:
    await stage.say("clean up")
    await stage.sees("Allow terminal?")
    await stage.sees(AWAKE)


@pytest.mark.usefixtures("short_grace")
async def test_the_sheet_says_what_where_and_why(home: Path) -> None:
    async with on_stage(home, REMOVES, acts=asking()) as stage:
        await asked(stage)
        for said in ("rm -rf build && pip install -e .", "It changes files.", "/srv/app", "local"):
            assert said in stage.text
        assert "this session: rm build*" in stage.text
        await stage.sees("waiting for you")


@pytest.mark.usefixtures("short_grace")
@pytest.mark.parametrize(
    ("keys", "approval"),
    [
        (["o"], Approval("once")),
        (["s"], Approval("session")),
        (["escape"], Approval("deny")),
        (["d", "enter"], Approval("deny")),
        (["enter", "enter"], Approval("deny")),
        (["d", "n", "o", "enter"], Approval("deny", "no")),
        (["d", "n", "o", "escape"], Approval("deny")),
    ],
    ids=["o", "s", "esc", "d-enter", "enter-enter", "d-reason-enter", "d-reason-esc"],
)
async def test_each_key_gives_its_answer(home: Path, keys: list[str], approval: Approval) -> None:
    async with on_stage(home, REMOVES, says("Noted."), acts=asking()) as stage:
        await asked(stage)
        await stage.pilot.press(*keys)
        await stage.sees("Noted.")
        assert stage.runtime.tools.ran[0] == f"terminal:{approval.verdict}:{approval.reason}"
        assert ("terminal" in stage.runtime.tools.ran) == (approval.verdict != "deny")
        await stage.until(lambda: stage.app.chat.prompt.has_focus)


@pytest.mark.usefixtures("short_grace")
async def test_without_a_scope_the_session_key_does_nothing(home: Path) -> None:
    async with on_stage(home, REMOVES, says("Noted."), acts=asking(scope="")) as stage:
        await asked(stage)
        assert "this session" not in stage.text
        await stage.pilot.press("s")
        assert stage.runtime.tools.ran == []


async def test_keys_typed_as_the_question_appears_go_to_the_prompt(home: Path) -> None:
    async with on_stage(home, REMOVES, acts=asking()) as stage:
        await stage.say("clean up")
        await stage.sees("Allow terminal?")
        await stage.type("so on")
        assert stage.app.chat.prompt.text == "so on"
        assert stage.runtime.tools.ran == []


@pytest.mark.usefixtures("short_grace")
async def test_a_half_typed_prompt_keeps_the_keyboard(home: Path) -> None:
    async with on_stage(home, REMOVES, acts=asking()) as stage:
        await asked(stage)
        await stage.pilot.press("tab")
        stage.app.chat.prompt.put("half a thought")
        await stage.sees("tab answer this first")
        await stage.type("os")
        assert stage.app.chat.prompt.text == "half a thoughtos"
        await stage.sees("tab answer this first")
        await stage.pilot.press("tab")
        await stage.sees(AWAKE)
        await stage.pilot.press("escape")
        await stage.until(lambda: stage.runtime.tools.ran == ["terminal:deny:"])
        assert stage.app.chat.prompt.text == "half a thoughtos"


@pytest.mark.usefixtures("short_grace")
@pytest.mark.parametrize("sentence", ["then go on", "oh wait", "so what", "no"])
async def test_a_sentence_begun_over_the_question_is_no_answer(home: Path, sentence: str) -> None:
    async with on_stage(home, REMOVES, acts=asking()) as stage:
        await asked(stage)
        await stage.type(sentence)
        await stage.until(lambda: stage.app.chat.prompt.text == sentence)
        await stage.sees("tab answer this first")
        assert stage.runtime.tools.ran == []


@pytest.mark.usefixtures("short_grace")
@pytest.mark.parametrize("burst", ["so", "do", "od", "os", "on it"])
async def test_letters_that_arrive_together_are_no_answer(home: Path, burst: str) -> None:
    async with on_stage(home, REMOVES, acts=asking()) as stage:
        await asked(stage)
        for letter in burst:
            stage.app.post_message(events.Key("space" if letter == " " else letter, letter))
        await stage.until(lambda: stage.app.chat.prompt.text == burst)
        await stage.sees("tab answer this first")
        assert stage.runtime.tools.ran == []


@pytest.mark.usefixtures("short_grace")
async def test_a_long_action_is_scrolled_with_the_keyboard(home: Path) -> None:
    action = "\n".join(f"line {number}" for number in range(60))
    acts = {"terminal": Act(asks=action)}
    async with on_stage(home, REMOVES, acts=acts, size=(80, 24)) as stage:
        await asked(stage)
        await stage.sees("↑↓ scroll")
        assert "line 59" not in stage.text
        for _ in range(30):
            await stage.pilot.press("pagedown")
        await stage.sees("line 59")
        assert stage.runtime.tools.ran == []


@pytest.mark.usefixtures("short_grace")
async def test_a_paste_is_no_answer(home: Path) -> None:
    async with on_stage(home, REMOVES, acts=asking()) as stage:
        await asked(stage)
        stage.app.screen.post_message(events.Paste("o"))
        await stage.pilot.pause()
        assert stage.runtime.tools.ran == []


@pytest.mark.usefixtures("short_grace")
async def test_several_requests_come_one_after_the_other(home: Path) -> None:
    two = calls(("parallel_a", "{}"), ("parallel_b", "{}"))
    acts = {"parallel_a": Act(asks="touch a"), "parallel_b": Act(asks="touch b")}
    async with on_stage(home, two, says("Both seen."), acts=acts) as stage:
        await stage.say("go")
        await stage.sees("Allow parallel_a?   1 of 2")
        await stage.sees(AWAKE)
        await stage.pilot.press("o")
        await stage.sees("Allow parallel_b?   2 of 2")
        await stage.sees(AWAKE)
        await stage.pilot.press("escape")
        await stage.sees("Both seen.")
        assert "parallel_a" in stage.runtime.tools.ran
        assert "parallel_b" not in stage.runtime.tools.ran


async def test_stopping_the_turn_takes_the_question_away(home: Path) -> None:
    async with on_stage(home, REMOVES, acts=asking()) as stage:
        await stage.say("clean up")
        await stage.sees("Allow terminal?")
        stage.app.chat.interrupt()
        await stage.sees("● idle")
        await stage.until(lambda: "Allow terminal?" not in stage.text)
        assert stage.runtime.tools.ran == []


async def test_quitting_while_starting_refuses_the_question(home: Path) -> None:
    async with on_stage(home, gate=anyio.Event()) as stage:
        refused: list[str] = []

        async def ask() -> None:
            try:
                await stage.app.human.secret("Passphrase?")
            except RefusedError as error:
                refused.append(error.message)

        stage.app.run_worker(ask)
        await stage.sees("Passphrase?")
        await stage.pilot.press("ctrl+q")
        await stage.until(lambda: refused)


async def test_quitting_refuses_what_waits(home: Path) -> None:
    async with on_stage(home, REMOVES, acts=asking()) as stage:
        await stage.say("clean up")
        await stage.sees("Allow terminal?")
        await stage.pilot.press("ctrl+q")
        await stage.until(lambda: stage.runtime.is_closed)
        assert "terminal" not in stage.runtime.tools.ran


@pytest.mark.usefixtures("short_grace")
async def test_a_long_command_with_controls_is_shown_in_full(home: Path) -> None:
    words = [f"word{number}" for number in range(60)]
    action = " ".join(words) + "\r\x1b[2Kharmless"
    acts = {"terminal": Act(asks=action)}
    async with on_stage(home, REMOVES, acts=acts, size=(100, 40)) as stage:
        await asked(stage)
        assert all(word in stage.text for word in words)
        assert "␍␛[2Kharmless" in stage.text


@pytest.mark.usefixtures("short_grace")
async def test_a_question_offers_choices_and_free_words(home: Path) -> None:
    answers: list[str] = []
    acts = {"clarify": Act()}
    async with on_stage(home, calls(("clarify", "{}")), says("Thanks."), acts=acts) as stage:

        async def ask() -> None:
            answers.append(await stage.app.human.ask("Which [one]?", ["red", "green"]))
            answers.append(await stage.app.human.ask("And the size?"))

        acts["clarify"].works = ask
        await stage.say("ask me")
        await stage.sees("Which [one]?")
        await stage.until(lambda: stage.app.screen.focused is not stage.app.chat.prompt)
        await stage.pilot.press("down", "enter")
        await stage.sees("And the size?")
        await stage.until(lambda: type(stage.app.screen.focused).__name__ == "Input")
        await stage.pilot.press("X", "L", "enter")
        await stage.sees("Thanks.")
        assert answers == ["green", "XL"]


@pytest.mark.usefixtures("short_grace")
async def test_a_secret_is_never_on_the_screen(home: Path) -> None:
    acts = {"connect": Act()}
    answers: list[str] = []
    async with on_stage(home, calls(("connect", "{}")), says("In."), acts=acts) as stage:

        async def ask() -> None:
            await stage.app.human.tell("Pulling [1/2] \x1b[31m")
            answers.append(await stage.app.human.secret("Passphrase of the key?"))

        acts["connect"].works = ask
        await stage.say("connect")
        await stage.sees("Passphrase of the key?")
        await stage.sees("Pulling [1/2]")
        await stage.until(lambda: type(stage.app.screen.focused).__name__ == "Input")
        await stage.type("hunter2 ")
        assert "hunter" not in stage.text
        await stage.pilot.press("enter")
        await stage.sees("In.")
        assert answers == ["hunter2 "]
        assert "hunter2 " not in stage.app.chat.prompt.past.prompts


async def test_a_question_asked_while_starting_can_be_answered(home: Path) -> None:
    async with on_stage(home, gate=anyio.Event()) as stage:
        answers: list[str] = []

        async def ask() -> None:
            answers.append(await stage.app.human.secret("Passphrase?"))

        stage.app.run_worker(ask)
        await stage.sees("waiting for you")
        await stage.until(lambda: type(stage.app.screen.focused).__name__ == "Input")
        await stage.type("x")
        await stage.pilot.press("enter")
        await stage.until(lambda: answers == ["x"])
