from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.core.messages import (
    Message,
    Text,
    ToolCall,
    ToolResult,
    assistant,
    tool_results,
    user,
)
from hermes_tui.learning.extractive import ITEMS, extract

SESSION = [
    user("Please move the billing service to another port. It clashes with the wiki."),
    assistant("Let me look at the configuration of the billing service first."),
    Message("assistant", (Text(""), ToolCall("a", "read_file", '{"path": "wiki.yaml"}'))),
    tool_results([ToolResult("a", "decided: nonsense that a tool printed")]),
    Message("assistant", (ToolCall("b", "write_file", '{"path": "billing.yaml", "content": ""}'),)),
    tool_results([ToolResult("b", "ok")]),
    assistant(
        "We decided that the billing service listens on port 9090.\n"
        "```\nport = decided\n```\n"
        "- The root cause was a port hard-coded in billing.yaml.\n"
        "- The firewall still needs to be opened."
    ),
    user("Thanks!"),
]


def test_a_note_has_what_was_asked_decided_solved_and_left_open() -> None:
    note = extract(SESSION)
    assert note.summary.startswith("Please move the billing service to another port.")
    assert note.decisions == ("We decided that the billing service listens on port 9090.",)
    assert note.problems == ("The root cause was a port hard-coded in billing.yaml.",)
    assert note.open_items == ("The firewall still needs to be opened.",)
    assert note.files == ("billing.yaml", "wiki.yaml")
    assert set(note.topics[:3]) == {"billing", "port", "service"}


def test_the_question_a_session_ends_with_is_open() -> None:
    assert extract([user("Go."), assistant("Shall I push it?")]).open_items == ("Shall I push it?",)


def test_the_same_session_gives_the_same_note() -> None:
    assert extract(SESSION) == extract(list(SESSION))


def test_an_empty_session_gives_an_empty_note() -> None:
    assert extract([]).text == ""
    assert extract([tool_results([ToolResult("a", "x")])]).summary == ""


@given(st.lists(st.builds(user, st.text()) | st.builds(assistant, st.text("decided. ?later \n`-"))))
def test_a_note_can_be_made_of_anything(messages: list[Message]) -> None:
    note = extract(messages)
    for items in (note.decisions, note.problems, note.open_items):
        assert len(items) <= ITEMS
        assert all(item and "\n" not in item for item in items)
