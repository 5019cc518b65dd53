"""What is learnt from a conversation, and what never is."""

import msgspec
import pytest

from hermes_tui.core.messages import Message, ToolCall, ToolResult, assistant, tool_results, user
from hermes_tui.learning.reflection import (
    TRANSCRIPT_CHARS,
    Fact,
    Taste,
    is_worthwhile,
    noticed,
    reflected,
)
from hermes_tui.models.scripted import ScriptedModel, says

TALK = (
    user("Run the tests. We always deploy from the release branch, by the way."),
    Message("assistant", (ToolCall("1", "terminal", '{"command": "uv run pytest -q"}'),)),
    tool_results([ToolResult("1", "3 passed")]),
    Message("assistant", (ToolCall("2", "terminal", '{"command": "make deploy-now"}'),)),
    tool_results([ToolResult("2", "no rule", is_error=True)]),
    assistant("The tests pass. The staging host is called olive."),
)


def answer(*facts: Fact, preferences: tuple[Taste, ...] = ()) -> Message:
    body = {"facts": facts, "preferences": preferences}
    return says(f"```json\n{msgspec.json.encode(body).decode()}\n```")


async def learnt(*facts: Fact, known: tuple[str, ...] = ()) -> list[str]:
    lessons, usage = await reflected(ScriptedModel(answer(*facts)), TALK, known)
    assert usage.input_tokens > 0
    return [fact.text for fact in lessons.facts]


async def test_a_fact_the_person_stated_is_learnt() -> None:
    fact = Fact("memory", "Deploys come from the release branch.", "deploy from the release branch")
    assert await learnt(fact) == [fact.text]


async def test_a_command_that_worked_is_evidence_and_one_that_failed_is_none() -> None:
    works = Fact("memory", "Tests run with uv run pytest.", "uv run pytest -q")
    fails = Fact("memory", "make deploy-now deploys.", "make deploy-now")
    assert await learnt(works, fails) == [works.text]


@pytest.mark.parametrize(
    "evidence", ["The staging host is called olive.", "3 passed", "the", "", "said in passing"]
)
async def test_nothing_is_learnt_without_evidence_of_the_person(evidence: str) -> None:
    assert await learnt(Fact("memory", "The staging host is olive.", evidence)) == []


async def test_what_a_command_shows_says_nothing_about_the_person() -> None:
    assert await learnt(Fact("user", "Likes quiet tests.", "uv run pytest -q")) == []


async def test_what_is_known_comes_after_what_is_new() -> None:
    known = Fact(
        "memory", "Deploys come from  the release branch", "deploy from the release branch"
    )
    fresh = Fact("memory", "The release branch is deployed always.", "always deploy from")
    told = await learnt(known, fresh, known=("deploys come from the release branch.",))
    assert told == [fresh.text, known.text]


async def test_three_facts_are_enough_for_one_conversation() -> None:
    facts = [Fact("memory", f"Release rule {number}.", "release branch") for number in range(9)]
    assert len(await learnt(*facts)) == 3


async def test_signs_of_taste_need_the_persons_words() -> None:
    tastes = (
        Taste("tools", "uv", "We always deploy"),
        Taste("tone", "formal", "The tests pass."),
    )
    model = ScriptedModel(answer(preferences=tastes))
    lessons, _ = await reflected(model, TALK, ())
    assert [taste.key for taste in lessons.preferences] == ["tools"]


@pytest.mark.parametrize("text", ["", "Nothing to learn.", "{", '{"facts": 3}', '{"facts": [7]}'])
async def test_an_answer_that_is_no_lesson_teaches_nothing(text: str) -> None:
    lessons, _ = await reflected(ScriptedModel(says(text)), TALK, ())
    assert lessons.facts == ()


async def test_one_bad_lesson_does_not_spoil_the_others() -> None:
    good = '{"target": "memory", "text": "Releases have a branch.", "evidence": "release branch"}'
    model = ScriptedModel(says(f'{{"facts": [{{"target": "elsewhere"}}, {good}]}}'))
    lessons, _ = await reflected(model, TALK, ())
    assert [fact.text for fact in lessons.facts] == ["Releases have a branch."]


async def test_the_model_is_shown_what_is_known_and_no_tool_output() -> None:
    model = ScriptedModel(answer())
    await reflected(model, TALK, ("Uses uv.",))
    prompt = model.requests[0].messages[0].text
    assert "- Uses uv." in prompt
    assert "3 passed" not in prompt


@pytest.mark.parametrize(
    ("said", "target"),
    [
        ("I prefer tabs over spaces.", "user"),
        ("Fine. From now on answer in German.", "user"),
        ("My name is Ada.", "user"),
        ("Please always run the linter first.", "user"),
        ("We use PostgreSQL 16 in production.", "memory"),
    ],
)
def test_plain_statements_are_noticed_without_a_model(said: str, target: str) -> None:
    (fact,) = noticed([user(said)], ()).facts
    assert (fact.target, fact.text in said) == (target, True)


@pytest.mark.parametrize(
    "said", ["Never mind.", "Do I prefer tabs?", "List the files.", "fix it\n\nI prefer tabs."]
)
def test_requests_questions_and_pasted_text_are_not_noticed(said: str) -> None:
    assert noticed([user(said)], ()).facts == ()


def test_a_word_or_two_is_not_worth_asking_a_model_about() -> None:
    assert not is_worthwhile([user("thanks"), assistant("You're welcome. " * 50)])
    assert is_worthwhile(TALK)


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        ("The user's bank is Acme.", "please fix the user tests"),
        ("Prefers tabs.", "I would prefer that"),
        ("Don't push on Fridays.", "I don't know"),
    ],
)
async def test_evidence_has_to_speak_of_what_it_proves(text: str, evidence: str) -> None:
    model = ScriptedModel(answer(Fact("user", text, evidence)))
    lessons, _ = await reflected(model, [user(f"Well, {evidence}, will you?")], ())
    assert lessons.facts == ()


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        ("Antworten sollen deutsch sein.", "antworte bitte immer auf deutsch"),
        ("用户喜欢简短的回答", "请给我简短的回答吧谢谢"),
        ("Uses uv.", "we use uv here"),
        ("The API listens on 9000.", "it is 9000 now"),
    ],
)
async def test_a_word_or_figure_in_common_is_enough(text: str, evidence: str) -> None:
    model = ScriptedModel(answer(Fact("user", text, evidence)))
    lessons, _ = await reflected(model, [user(f"Well, {evidence}.")], ())
    assert [fact.text for fact in lessons.facts] == [text]


async def test_a_call_without_a_result_did_not_succeed() -> None:
    talk = [
        user("go"),
        Message("assistant", (ToolCall("1", "terminal", '{"command": "just go"}'),)),
    ]
    fact = Fact("memory", "just go works.", "just go")
    lessons, _ = await reflected(ScriptedModel(answer(fact)), talk, ())
    assert lessons.facts == ()


async def test_the_persons_words_are_shown_before_any_call() -> None:
    call = Message("assistant", (ToolCall("1", "terminal", '{"command": "%s"}' % ("x" * 390)),))
    model = ScriptedModel(answer())
    await reflected(model, [user("Deploys come from mars."), *[call] * 90, user("Thanks.")], ())
    prompt = model.requests[0].messages[0].text
    shown = prompt.partition("# Conversation\n")[2]
    assert shown.startswith("user: Deploys come from mars.\ncall terminal")
    assert shown.endswith("user: Thanks.")
    assert len(shown) <= TRANSCRIPT_CHARS


async def test_more_than_the_person_said_is_cut_from_the_front() -> None:
    model = ScriptedModel(answer())
    await reflected(model, [user(f"{number} " + "x" * 1_900) for number in range(9)], ())
    prompt = model.requests[0].messages[0].text
    assert "user: 8 x" in prompt
    assert "user: 0 x" not in prompt
