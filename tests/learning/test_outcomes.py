"""How tasks went, told from what was said and done."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.agent.session import CLOSING_NOTES
from hermes_tui.core.history import INTERRUPTED
from hermes_tui.core.messages import Message, user
from hermes_tui.core.skills import Outcome
from hermes_tui.learning.checks import CHECKS, Check, changes, is_check, outcome_of_checks, steps
from hermes_tui.learning.corrections import FORMS, Form, is_correction
from hermes_tui.learning.outcomes import has_changed, outcome_of
from hermes_tui.learning.tasks import Task, tasks_of
from tests.learning.talk import called, ran, stored, task, turn, wrote


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.what)
def test_every_check_knows_its_own_examples(check: Check) -> None:
    for example in check.examples:
        assert is_check(example), example
        assert not changes(example), example


@pytest.mark.parametrize(
    "command",
    [
        "ls", "cat tests/test_x.py", "git commit -m 'test it'", "echo test", "vim check.py",
        "cd tests", "find . -name '*test*'", "grep foo tests/x.py", "git diff", "python app.py",
        "curl -s localhost", "head -5 lint.log", "docker ps", "man make", "mkdir checks",
    ],
)  # fmt: skip
def test_looking_is_no_check(command: str) -> None:
    assert not is_check(command)


@pytest.mark.parametrize(
    ("command", "does"),
    [
        ("sed -i s/a/b/ f", True), ("sed s/a/b/ f", False), ("echo x > f", True),
        ("ls 2>/dev/null", False), ("make 2>&1", False), ("apt-get install -y jq", True),
        ("systemctl restart nginx", True), ("systemctl status nginx", False),
        ("git checkout main", True), ("git status", False), ("ruff format .", True),
        ("ruff format --check .", False), ("kubectl apply -f x.yaml", True), ("mv a b", True),
        ("ruff check --fix .", True), ("cat a >> b", True), ("test $a -ge 3", False),
    ],
)  # fmt: skip
def test_what_leaves_something_different_is_a_change(command: str, does: bool) -> None:
    assert changes(command) is does


@pytest.mark.parametrize(
    ("line", "output", "is_error", "expected"),
    [
        ("pytest -q", "", False, [True]),
        ("pytest -q", "1 failed", True, [False]),
        ("cd app && pytest -q", "", False, [True]),
        ("pytest -q | tail -3", "3 passed in 1s", False, [True]),
        ("pytest -q | tail -3", "1 failed, 2 passed", False, [False]),
        ("pytest -q | tail -3", "", False, [False]),
        ("pytest || true", "", False, [False]),
        ("pytest; echo done", "FAILED tests/x.py", False, [False]),
        ("set -e\npytest -q\n", "", False, [True]),
        ("nginx -t 2>&1 | cat", "nginx: the configuration file is ok\nsyntax is ok", False, [True]),
        ("sed -i s/a/b/ f && pytest", "", False, [None, True]),
        ("pytest && sed -i s/a/b/ f", "", False, [True, None]),
        ("cat > README <<EOF\npytest\nEOF", "", False, [None]),
        ("echo 'a; pytest'", "", False, []),
        ("pytest -q &", "", False, [False]),
        ("! grep -q ERROR log", "", False, [True]),
    ],
)
def test_a_check_whose_exit_code_is_lost_has_to_say_that_it_passed(
    line: str, output: str, is_error: bool, expected: list[bool | None]
) -> None:
    assert list(outcome_of_checks(line, output, is_error=is_error)) == expected


@given(st.text(alphabet="ab 'l\"\\;&|\n<>$()`E", max_size=60))
def test_any_line_is_cut_into_steps_that_stand_in_it(line: str) -> None:
    at = 0
    for step in steps(line):
        assert step.text
        at = line.index(step.text, at) + len(step.text)
    list(outcome_of_checks(line, line, is_error=False))


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.examples[0])
def test_every_form_of_correction_is_told_by_its_examples(form: Form) -> None:
    for example in form.examples:
        assert is_correction(example), example
        assert is_correction(example.lower()), example


@pytest.mark.parametrize(
    "words",
    [
        "", "Great, thanks!", "no problem", "No, thanks.", "No worries", "Now add a test",
        "Not bad! Next: docs", "no need to deploy", "It works now.", "That's right",
        "Is that right?", "Why did the build take so long?", "Note that port 80 is used",
        "nothing else", "Now it should work, try", "Can you undo the last commit?",
        "Add a field that should be sorted", "I want a new function that parses dates",
        "Nice. I also want colors", "What's wrong with this file?",
        "Wrongly encoded names should be dropped", "The test doesn't exist yet, write one",
        "It's not urgent, but please look at the cache", "that is not needed", "No, that's all",
        "Still there?", "the server is not reachable from my laptop, find out why",
        "The login page does not work in Firefox, please fix it", "Don't forget to push",
        "This project does not use npm", "It should also print a total", "you can use git",
        "I said yes to the mail", "I asked Bob about it and he agrees", "Stop the server",
        "that should do it, thanks", "this should be enough", "Nothing changed on the server, why?",
        "You did great", "that's not a problem", "Normalise the names", "Undo feature: add ctrl+z",
    ],
)  # fmt: skip
def test_words_that_only_sound_alike_correct_nothing(words: str) -> None:
    assert not is_correction(words)


@pytest.mark.parametrize(
    ("answer", "words", "expected"),
    [
        ("Shall I use the second host?", "No, the first one", False),
        ("Shall I use the second host?", "No, that's wrong, there is only one", True),
        ("I used the second host.", "No, the first one", True),
        ("Anything else?", "no, use it as it is", False),
        ("Done.", "Thanks, but that's not what I asked for", True),
        ("Done.", "ok, but you forgot the docs", True),
        ("Done.", "That\u2019s wrong", True),
        ("Done.", "Add this to the docs:\n\nThat's wrong.", False),
    ],
)
def test_a_no_to_a_question_is_an_answer(answer: str, words: str, expected: bool) -> None:
    assert is_correction(words, answer=answer) is expected


@pytest.mark.parametrize(
    ("one", "following", "expected"),
    [
        (task("Fix it", wrote(), ran("pytest -q")), "", "verified"),
        (task("Fix it", wrote(), ran("pytest -q"), ran("git commit -am x")), "", "verified"),
        (task("Fix it", ran("pytest -q"), wrote()), "", "success"),
        (task("Fix it", wrote(), ran("pytest", "1 failed", fails=True)), "", "failure"),
        (
            task("Fix it", wrote(), ran("pytest", "1 failed", fails=True), wrote(), ran("pytest")),
            "", "verified",
        ),
        (task("Is nginx fine?", ran("nginx -t")), "", "verified"),
        (task("hi", answer="Hello."), "", "success"),
        (
            task("Fix it", ran("pytest", "1 failed", fails=True), answer="I could not fix it."),
            "", "failure",
        ),
        (
            task("Fix it", ran("a", "no such file", fails=True), ran("b"), answer="a failed, b ok"),
            "", "success",
        ),
        (task("Go", answer=CLOSING_NOTES["error"]), "", "failure"),
        (task("Go", wrote(), answer=f"So far.\n\n{CLOSING_NOTES['loop']}"), "", "failure"),
        (task("Go", wrote(), answer=CLOSING_NOTES["step_limit"]), "No, wrong", "failure"),
        (task("Go", wrote(), answer=CLOSING_NOTES["cancelled"]), "", "interrupted"),
        (task("Go", wrote(), answer=CLOSING_NOTES["cancelled"]), "I meant b.py", "correction"),
        (task("Go", ran("x", INTERRUPTED, fails=True), answer=""), "", "interrupted"),
        (task("Go", wrote(), ran("pytest")), "No, that's the wrong file.", "correction"),
        (task("Go", wrote(), ran("pytest")), "Great, now the docs.", "verified"),
    ],
)  # fmt: skip
def test_how_a_task_went(one: Task, following: str, expected: Outcome) -> None:
    assert outcome_of(one, following).outcome == expected


FAILED = ran("missing --now", "sh: missing: not found", fails=True)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (task("Go", FAILED, answer="It failed; I could not do it."), "failure"),
        (task("Go", FAILED, answer="ok"), "failure"),
        (task("Go", FAILED, FAILED, answer="Hm."), "failure"),
        (task("Go", ran("false", fails=True), answer="Done."), "failure"),
        (task("Go", ran("make"), FAILED, called("read_file", {"path": "x"})), "failure"),
        (task("Go", ran("ls"), answer="It failed; I could not do it."), "failure"),
        (task("Go", answer="Sorry, I couldn't finish the task."), "failure"),
        (task("Go", ran("x", "[Killed after 5 s.]", fails=True)), "failure"),
        (task("Go", FAILED, ran("missing --now")), "success"),
        (task("Go", FAILED, ran("other")), "success"),
        (task("Is it there?", ran("grep -r x .", fails=True), answer="No, nowhere."), "success"),
        (task("Go", called("terminal", {"command": "rm x"}, "Refused.", fails=True)), "success"),
        (task("Any bugs?", ran("ls"), answer="I could not find any problems."), "success"),
        (task("Go", ran("ls"), answer="I could not do it at first, then it worked."), "success"),
    ],
)
def test_a_last_command_that_failed_or_an_answer_that_says_so_is_no_success(
    one: Task, expected: Outcome
) -> None:
    assert outcome_of(one).outcome == expected


def test_a_judgement_says_what_told_it() -> None:
    fixed = task("Fix it", wrote(), ran("cd app && pytest -q", "2 passed"))
    assert outcome_of(fixed).note == "cd app && pytest -q"
    assert outcome_of(fixed, "No,  that's\nwrong.").note == "No, that's wrong."
    error = ran("make", "cc x.c\nx.c:3: error: expected ';'", fails=True)
    lost = task("Build it", error, answer="The build still fails.")
    assert outcome_of(lost).note == "x.c:3: error: expected ';'"
    assert outcome_of(task("Go", answer=CLOSING_NOTES["error"])).note.startswith("No answer")


def test_tasks_begin_with_prompts_and_steering_is_part_of_them() -> None:
    steered = turn("Fix it", wrote(), [user("No, that's the wrong file")], wrote())
    one, two = tasks_of(stored([*steered, *turn("Now the docs", answer="")]))
    assert (one.prompt, one.steered) == ("Fix it", ("No, that's the wrong file",))
    assert [call.name for call in one.calls] == ["write_file", "write_file"]
    assert (two.prompt, two.is_over, two.answer) == ("Now the docs", False, "")
    assert tasks_of(stored(turn("x")[1:])) == []


def test_calls_are_paired_with_the_results_that_follow_them() -> None:
    one = task("Go", ran("a", "first"), ran("b", "second", fails=True), [])
    assert [(call.command, call.result.split("\n")[0]) for call in one.calls] == [
        ("a", "first"), ("b", "second"),
    ]  # fmt: skip


def test_an_error_is_overcome_when_the_same_tool_succeeds_later() -> None:
    error = ran("make", "x.c:3: error: expected ';'", fails=True)
    assert task("Go", error, ran("make")).is_recovered
    assert not task("Go", error, wrote()).is_recovered
    assert not task("Go", ran("grep x y", "", fails=True), ran("ls")).is_recovered
    assert task("Go", error, error).errors == 2


def test_a_task_knows_the_skills_that_were_read() -> None:
    read = called("skill_load", {"name": "disk-full"}, "…")
    failed = called("skill_load", {"name": "nope"}, "There is no skill.", fails=True)
    assert task("Go", read, failed).skills == {"disk-full"}


def test_a_change_is_seen_in_files_and_commands() -> None:
    assert has_changed(task("Go", wrote()))
    assert has_changed(task("Go", ran("mv a b")))
    assert not has_changed(task("Go", ran("ls"), ran("pytest")))


@given(st.lists(st.sampled_from(["user", "assistant", "call", "tool"]), max_size=12))
def test_any_order_of_messages_is_cut_into_tasks_without_loss(kinds: list[str]) -> None:
    messages: list[Message] = []
    for kind in kinds:
        call, result = called("x", {})
        by_kind = {"user": user("do"), "assistant": turn("x")[-1], "call": call, "tool": result}
        messages.append(by_kind[kind])
    kept = [message for one in tasks_of(stored(messages)) for message in one.messages]
    first = kinds.index("user") if "user" in kinds else len(kinds)
    assert kept == messages[first:]
    assert all(outcome_of(one).outcome for one in tasks_of(stored(messages)))
