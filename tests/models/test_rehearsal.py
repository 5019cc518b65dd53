"""The rehearsal model: what it understands, and what it says."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.core.events import TextDelta
from hermes_tui.core.messages import Message, ToolCall, ToolResult, assistant, tool_results, user
from hermes_tui.models.rehearsal import LABEL, RehearsalModel
from hermes_tui.models.rehearsal.answers import names_in
from hermes_tui.models.rehearsal.model import answer
from hermes_tui.models.rehearsal.phrases import EXAMPLES
from hermes_tui.models.rehearsal.understand import steps_in
from tests.models.asking import ask, items_of, spec, text_in

TOOLS = (
    spec("terminal", "command", "background"),
    spec("process", "action", "id"),
    spec("read_file", "path", "offset", "limit"),
    spec("write_file", "path", "content"),
    spec("edit_file", "path", "old", "new"),
    spec("search_files", "pattern", "path", "glob"),
    spec("list_files", "path", "pattern", "sort", "limit", "depth"),
    spec("memory", "action", "target", "text", "old"),
    spec("session_search", "query"),
    spec("todo", "items"),
    spec("clarify", "question"),
)
LISTING = """\
       9,000  2026-11-20 12:00  big.bin
         120  2026-11-20 12:00  docs/a file.md
[2 of 7 files; narrow the search or raise limit.]"""


def say(*messages: Message | str, tools: Any = TOOLS) -> Message:
    return answer(ask(*messages, tools=tools))


def called(message: Message) -> tuple[str, dict[str, Any]]:
    (call,) = message.tool_calls
    return call.name, msgspec.json.decode(call.arguments)


def result(message: Message, content: str, *, is_error: bool = False) -> Message:
    (call,) = message.tool_calls
    return tool_results([ToolResult(call.id, content, is_error=is_error)])


CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("run `pytest -q`", "terminal", {"command": "pytest -q"}),
    ("run ls -la", "terminal", {"command": "ls -la"}),
    ('Please run "git status" for me.', "terminal", {"command": "git status"}),
    ("git log --oneline", "terminal", {"command": "git log --oneline"}),
    ("run echo a && echo b", "terminal", {"command": "echo a && echo b"}),
    ("run `sleep 9` in the background", "terminal", {"command": "sleep 9", "background": True}),
    ("list the five largest files here", "list_files",
     {"path": ".", "sort": "size", "limit": 5, "depth": 1}),
    ("list files in src", "list_files", {"path": "src"}),
    ("what are the 3 newest files in docs?", "list_files",
     {"path": "docs", "sort": "modified", "limit": 3}),
    ("list the python files in hermes_tui", "list_files",
     {"path": "hermes_tui", "pattern": "*.py"}),
    ("find files named *.py", "list_files", {"path": ".", "pattern": "*.py"}),
    ("what's in src?", "list_files", {"path": "src"}),
    ("read README.md", "read_file", {"path": "README.md"}),
    ("show me src/main.rs", "read_file", {"path": "src/main.rs"}),
    ("read the first 10 lines of a.txt", "read_file", {"path": "a.txt", "limit": 10}),
    ("write hello to notes.txt", "write_file", {"path": "notes.txt", "content": "hello\n"}),
    ('write "a; then b" to notes.txt', "write_file",
     {"path": "notes.txt", "content": "a; then b\n"}),
    ("create a file called a.txt with hello there", "write_file",
     {"path": "a.txt", "content": "hello there\n"}),
    ("replace foo with bar in x.py", "edit_file", {"path": "x.py", "old": "foo", "new": "bar"}),
    ("in x.py change `a = 1` to `a = 2`", "edit_file",
     {"path": "x.py", "old": "a = 1", "new": "a = 2"}),
    ("search for TODO in src", "search_files", {"pattern": "TODO", "path": "src"}),
    ('search for "f(x)"', "search_files", {"pattern": r"f\(x\)", "path": "."}),
    ("remember that I prefer tabs", "memory",
     {"action": "add", "target": "user", "text": "I prefer tabs"}),
    ("remember that the box is called mars", "memory",
     {"action": "add", "target": "memory", "text": "the box is called mars"}),
    ("forget that I prefer tabs", "memory",
     {"action": "remove", "target": "user", "old": "I prefer tabs"}),
    ("what did we say about backups?", "session_search", {"query": "backups"}),
    ("search my sessions for docker", "session_search", {"query": "docker"}),
    ("list background commands", "process", {"action": "list"}),
    ("kill job j1", "process", {"action": "kill", "id": "j1"}),
    ("ask me which colour to take", "clarify", {"question": "Which colour to take?"}),
]  # fmt: skip


@pytest.mark.parametrize(("request_", "tool", "arguments"), CASES, ids=[one[0] for one in CASES])
def test_a_plain_request_becomes_a_tool_call(
    request_: str, tool: str, arguments: dict[str, Any]
) -> None:
    assert called(say(request_)) == (tool, arguments)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_it_gives_is_understood(example: str) -> None:
    assert all(step.talk != "unknown" for step in steps_in(example))


def test_the_names_of_listed_files_are_written_down_in_a_second_step() -> None:
    history: list[Message | str] = [
        "list the five largest files here, then write their names to top.txt"
    ]
    first = say(*history)
    assert called(first)[0] == "list_files"
    assert first.text == "First, I list the five largest files here."
    history += [first, result(first, LISTING)]
    second = say(*history)
    assert called(second) == (
        "write_file",
        {"path": "top.txt", "content": "big.bin\ndocs/a file.md\n"},
    )
    history += [second, result(second, "Created top.txt (2 lines).")]
    last = say(*history)
    assert last.tool_calls == ()
    assert "`big.bin` (9,000 bytes)" in last.text
    assert "Created top.txt (2 lines)." in last.text


def test_their_names_may_be_those_of_an_earlier_turn() -> None:
    first = say("list files")
    history = ["list files", first, result(first, LISTING), assistant("Two files.")]
    assert called(say(*history, "write their names to top.txt"))[1]["content"].startswith("big.bin")


def test_the_result_of_a_search_can_be_saved() -> None:
    request_ = "search for TODO in src, then save the result to hits.txt"
    first = say(request_)
    found = result(first, "src/a.py:3:# TODO one\n[1 of 2 matches; narrow the search.]")
    assert called(say(request_, first, found))[1]["content"] == "src/a.py:3:# TODO one\n"


def test_without_an_earlier_result_there_is_nothing_to_write() -> None:
    message = say("write their names to top.txt")
    assert message.tool_calls == ()
    assert "no earlier result" in message.text


def test_a_failed_command_stops_the_rest_and_its_exit_code_is_told() -> None:
    request_ = "run `make`, then write hello to a.txt"
    first = say(request_)
    last = say(request_, first, result(first, "boom\n[Exit code 2.]", is_error=True))
    assert last.tool_calls == ()
    assert "exit code 2" in last.text
    assert "boom" in last.text
    assert "did not write `hello` to `a.txt`" in last.text


def test_a_failed_command_is_summarised_when_that_was_asked_for() -> None:
    request_ = "run `make` and summarise what it printed"
    first = say(request_)
    last = say(request_, first, result(first, "boom\n[Exit code 2.]", is_error=True))
    assert "begins with `boom`; the exit code was 2" in last.text


def test_a_command_that_prints_about_exit_codes_has_its_own() -> None:
    first = say("run ./report")
    last = say("run ./report", first, result(first, "[Exit code 9.]\nall fine"))
    assert "ended with exit code 0" in last.text


def test_a_denied_call_is_reported_as_such() -> None:
    first = say("run `rm -rf build`")
    last = say("run `rm -rf build`", first, result(first, "The person said no.", is_error=True))
    assert last.text == "I could not run `rm -rf build`: The person said no."


def test_what_a_command_printed_is_shown_and_summarised() -> None:
    request_ = "run `seq 40` and summarise what it printed"
    first = say(request_)
    printed = "\n".join(str(one) for one in range(1, 41))
    last = say(request_, first, result(first, printed))
    assert "exit code 0 and printed 40 lines; the first 12" in last.text
    assert "begins with `1` and ends with `40`" in last.text


def test_piped_text_is_summarised() -> None:
    message = say("summarise this\n\nalpha beta\ngamma\ndelta")
    assert "3 lines, 4 words" in message.text
    assert "`alpha beta`" in message.text


def test_a_tool_that_is_not_there_is_not_called() -> None:
    message = say("save this as a skill called nightly-check")
    assert message.tool_calls == ()
    assert "has no `skill_save` tool" in message.text


def test_a_skill_is_saved_where_the_tool_is_there() -> None:
    tools = (*TOOLS, spec("skill_save", "name", "description", "reason", "body"))
    name, arguments = called(say("save a skill called Nightly-Check: run the tests", tools=tools))
    assert (name, arguments["name"], arguments["body"]) == (
        "skill_save",
        "nightly-check",
        "run the tests",
    )


def test_only_arguments_the_tool_knows_are_passed() -> None:
    narrow = (spec("list_files", "path"),)
    assert called(say("list the five largest files here", tools=narrow)) == (
        "list_files",
        {"path": "."},
    )


@pytest.mark.parametrize("text", ["hi", "Hello!", "help", "what can you do?", "who are you?"])
def test_it_says_what_it_is_when_greeted(text: str) -> None:
    assert LABEL in say(text).text


@pytest.mark.parametrize(
    "text", ["tell me a joke", "make me a sandwich", "delete all files", "is python good?"]
)
def test_what_it_does_not_understand_it_does_not_do(text: str) -> None:
    message = say(text)
    assert message.tool_calls == ()
    assert LABEL in message.text
    assert "list the five largest files here" in message.text


def test_steps_before_one_it_does_not_understand_are_done_and_reported() -> None:
    first = say("list files, then dance")
    assert called(first)[0] == "list_files"
    last = say("list files, then dance", first, result(first, LISTING))
    assert "`big.bin`" in last.text
    assert "I do not understand 'dance'" in last.text


def test_a_later_prompt_is_a_new_request() -> None:
    first = say("list files")
    history = ["list files", first, result(first, LISTING), assistant("Two files."), "run pwd"]
    assert called(say(*history)) == ("terminal", {"command": "pwd"})


def test_call_ids_differ_within_a_history() -> None:
    first = say("run pwd")
    second = say("run pwd", first, result(first, "/x"), assistant("Done."), "run ls")
    assert first.tool_calls[0].id != second.tool_calls[0].id


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (LISTING, ["big.bin", "docs/a file.md"]),
        ("a.py:1:x\na.py:9:y\nb.py:2:z", ["a.py", "b.py"]),
        ("total 8\n-rw-r--r-- 1 me me 3 Nov 20 12:00 c.txt", ["c.txt"]),
        ("one.txt\ntwo.txt\n[Working directory: /x.]", ["one.txt", "two.txt"]),
        ("[No output; exit code 0.]", []),
    ],
)
def test_names_are_found_in_the_results_of_several_tools(content: str, names: list[str]) -> None:
    assert names_in(content) == names


async def test_it_streams_words_and_reports_usage_that_costs_nothing() -> None:
    items = await items_of(RehearsalModel(word_seconds=0), ask("hello"))
    assert len([one for one in items if isinstance(one, TextDelta)]) > 20
    last = items[-1]
    assert not isinstance(last, TextDelta)
    assert text_in(items) == answer(ask("hello")).text
    assert RehearsalModel().name == "rehearsal"


@given(st.text(max_size=80), st.text(max_size=40))
def test_whatever_is_said_and_whatever_comes_back_it_answers(request_: str, content: str) -> None:
    history: list[Message] = [user(request_)]
    for _ in range(12):
        message = say(*history)
        assert message.text or message.tool_calls
        if not message.tool_calls:
            return
        history += [message, result(message, content)]
    raise AssertionError("It never came to an end.")


WORDS = st.sampled_from(
    ["list", "files", "then", "run", "`ls`", "write", "it", "to", "a.txt", ",", ";", "and", "their",
     "names", "here", "read", "search", "for", "TODO", "in", "src", "summarise", "remember", "that"]
)  # fmt: skip


@given(st.lists(WORDS, max_size=12), st.booleans())
def test_any_mix_of_known_words_comes_to_an_end(mixed: list[str], is_error: bool) -> None:
    history: list[Message] = [user(" ".join(mixed))]
    for _ in range(14):
        message = say(*history)
        if not message.tool_calls:
            return
        history += [message, result(message, LISTING, is_error=is_error)]
    raise AssertionError("It never came to an end.")


def test_the_same_history_gives_the_same_answer() -> None:
    history = [user("list files"), Message("assistant", (ToolCall("x", "list_files", "{}"),))]
    assert say(*history) == say(*history)


def test_a_command_with_a_backtick_in_it_stays_readable() -> None:
    assert say("run `echo one two/three").text == "I will run `` `echo one two/three ``."
