"""Whether a task was done: what counts as passed, and what never does."""

from pathlib import Path

import anyio
import msgspec
import pytest
from hermes_environments.local import LocalEnvironment

from hermes_tui.core.environment import CommandResult
from hermes_tui.core.errors import ModelError
from hermes_tui.core.messages import Message, ToolCall, ToolResult, assistant, tool_results, user
from hermes_tui.learning.evaluation import grading as evaluation_grading
from hermes_tui.learning.evaluation.grading import Grade, exhibits, graded
from hermes_tui.learning.evaluation.tasks import (
    Assertion,
    CommandSucceeds,
    FileContains,
    FileExists,
    OutputContains,
    OutputMatches,
    Sentence,
    Task,
)
from hermes_tui.models.scripted import ScriptedModel, says

TALK = (
    user("Join the tables."),
    Message("assistant", (ToolCall("1", "skill_load", '{"name": "csv-join"}'),)),
    tool_results([ToolResult("1", "Use join -t, for it.")]),
    Message("assistant", (ToolCall("2", "terminal", '{"command": "join a b > joined.csv"}'),)),
    tool_results([ToolResult("2", "joined 3 rows")]),
    assistant("Both tables are in joined.csv now: 3 rows."),
)


async def grades(
    folder: Path, *assertions: Assertion, judge: ScriptedModel | None = None
) -> tuple[Grade, ...]:
    environment = LocalEnvironment(
        "local", cwd=str(folder), pass_env=(), state_dir=str(folder.parent / "state"), options={}
    )

    async def run(command: str) -> CommandResult:
        return await environment.run(command, timeout=20)

    await environment.open()
    try:
        found, _ = await graded(
            Task("1", "Join the tables.", "One table.", (), assertions),
            messages=TALK, folder=folder, run=run, judge=judge,
        )  # fmt: skip
    finally:
        await environment.close()
    return found


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "joined.csv").write_text("id,x,y\n1,a,b\n", "utf-8")
    return folder


def judged(*verdicts: tuple[int, bool, str]) -> ScriptedModel:
    told = [{"n": n, "passed": passed, "quote": quote} for n, passed, quote in verdicts]
    return ScriptedModel(says(msgspec.json.encode({"verdicts": told}).decode()))


@pytest.mark.parametrize(
    ("assertion", "passed"),
    [
        (FileExists("joined.csv"), True),
        (FileExists("*.csv"), True),
        (FileExists("other.csv"), False),
        (FileExists("["), False),
        (FileContains("joined.csv", "1,a,b"), True),
        (FileContains("*.csv", "9,a,b"), False),
        (FileContains("none.csv", "x"), False),
        (CommandSucceeds("grep -q 1,a joined.csv"), True),
        (CommandSucceeds("exit 3"), False),
        (OutputContains("JOINED.csv"), True),
        (OutputContains("use join"), False),  # of the skill, not of the answer
        (OutputMatches(r"\b\d+ rows"), True),
        (OutputMatches(r"^no"), False),
    ],
)
async def test_checks_leave_no_doubt(work: Path, assertion: Assertion, passed: bool) -> None:
    (grade,) = await grades(work, assertion)
    assert grade.passed is passed
    assert grade.evidence


async def test_a_pattern_that_takes_for_ever_is_not_graded(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation_grading, "PATTERN_SECONDS", 1.0)
    with anyio.fail_after(20):
        (grade,) = await grades(work, OutputMatches(r"^([a-zA-Z .]*)*!$"))
    assert grade.passed is None
    assert "took longer" in grade.evidence


async def test_a_sentence_passes_on_words_that_are_there(work: Path) -> None:
    judge = judged((1, True, "JOINED  3 rows"), (2, False, ""))
    one, other = await grades(
        work, Sentence("It has 3 rows."), Sentence("It is sorted."), judge=judge
    )
    assert (one.passed, other.passed) == (True, False)


@pytest.mark.parametrize("quote", ["", "a", "Use join -t, for it.", "invented words"])
async def test_a_pass_without_a_quote_that_is_there_is_no_grade(work: Path, quote: str) -> None:
    (grade,) = await grades(work, Sentence("It is done."), judge=judged((1, True, quote)))
    assert grade.passed is None
    assert grade.evidence.startswith("not graded")


@pytest.mark.parametrize(
    "answer",
    ["", "yes", "{", '{"verdicts": 3}',
     '{"verdicts": [{"n": 2, "passed": true, "quote": "3 rows"}]}',
     '{"verdicts": [{"n": 1, "passed": "yes", "quote": "3 rows"}]}',
     '{"verdicts": [{"n": 1, "passed": true, "quote": "3 rows"}, {"n": 1, "passed": false}]}'],
)  # fmt: skip
async def test_an_answer_that_is_no_verdict_grades_nothing(work: Path, answer: str) -> None:
    (grade,) = await grades(work, Sentence("It is done."), judge=ScriptedModel(says(answer)))
    assert grade.passed is None


async def test_without_a_model_or_with_one_that_fails_sentences_are_not_graded(work: Path) -> None:
    checks = (FileExists("joined.csv"), Sentence("It is done."))
    for judge in (None, ScriptedModel(ModelError("out of credit"))):
        check, sentence = await grades(work, *checks, judge=judge)
        assert (check.passed, sentence.passed) == (True, None)


async def test_all_sentences_are_asked_at_once_and_checks_are_not(work: Path) -> None:
    judge = judged((1, True, "3 rows"), (2, True, "joined.csv"))
    await grades(work, Sentence("A."), FileExists("x"), Sentence("B."), judge=judge)
    (request,) = judge.requests
    assert "1. A.\n2. B." in request.messages[0].text
    assert request.prefix.tools == ()


def test_a_judge_sees_what_was_done_but_not_which_skill_was_read(work: Path) -> None:
    (work / "blob").write_bytes(b"\0\1")
    shown = exhibits(TALK, work)
    assert "1,a,b" in shown
    assert "joined 3 rows" in shown
    assert "### blob\n(no text)" in shown
    assert "csv-join" not in shown
    assert "Use join" not in shown


def test_what_a_judge_is_shown_is_bounded(work: Path) -> None:
    for number in range(60):
        (work / f"{number}.txt").write_text("x" * 5_000, "utf-8")
    talk = [user("go")]
    for number in range(200):
        talk += [
            Message("assistant", (ToolCall(str(number), "terminal", "x" * 5_000),)),
            tool_results([ToolResult(str(number), "y" * 5_000)]),
        ]
    assert len(exhibits(talk, work)) < 45_000
