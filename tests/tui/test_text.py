import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.content import Content

from hermes_tui.core.messages import ToolCall
from hermes_tui.safety.call_text import call_text
from hermes_tui.tui.dialogs.approval import spelled_out
from hermes_tui.tui.text import cell, count_text, meter, seconds_text, short_path
from hermes_tui.tui.widgets.status import fitted


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (999, "999"), (1_234, "1.2k"), (76_000, "76k"), (2**20, "1.0M")]
)
def test_token_counts_are_short(number: int, text: str) -> None:
    assert count_text(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.44, "0.4 s"), (12.3, "12 s"), (185, "3 m 05 s"), (7_260, "2 h 01 m")]
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("path", "short"),
    [
        ("/home/me", "~"),
        ("/home/me/work/app", "~/work/app"),
        ("/home/meadow", "/home/meadow"),
        ("/srv/a/b/c/d/e/f/deeply/nested/folder", "…/d/e/f/deeply/nested/folder"),
    ],
)
def test_paths_are_shortened_from_the_front(path: str, short: str) -> None:
    assert short_path(path, "/home/me") == short


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"command": "ls -la", "timeout": 3}', "ls -la"),
        ('{"path": "a.py", "content": "…"}', "a.py"),
        ('{"path": ".", "pattern": "TODO"}', "TODO"),
        ('{"action": "add", "target": "user", "text": "I like tabs"}', "I like tabs"),
        ('{"n": 3}', '{"n": 3}'),
        ("{broken", "{broken"),
        ("{}", ""),
        ('{"command": "echo \\u001b[31m"}', "echo [31m"),
    ],
)
def test_a_call_is_named_by_its_most_telling_argument(arguments: str, text: str) -> None:
    assert call_text(ToolCall("1", "t", arguments)) == text


@given(st.floats(0, 2))
def test_a_meter_always_has_its_width(part: float) -> None:
    assert meter(part, 8).cell_length == 8


@given(st.text(max_size=30), st.integers(1, 20))
def test_a_cell_always_has_its_width(text: str, cells: int) -> None:
    assert cell(text, cells).cell_length == cells


@given(
    st.lists(st.tuples(st.integers(0, 5), st.text("abc", max_size=9)), min_size=1),
    st.integers(1, 80),
)
def test_the_status_line_never_overflows(fields: list[tuple[int, str]], width: int) -> None:
    line = fitted([(rank, Content(text)) for rank, text in fields], width)
    assert line.cell_length <= width


def test_less_important_fields_go_first() -> None:
    fields = [(0, Content("state")), (6, Content("tokens")), (1, Content("model"))]
    assert fitted(fields, 13).plain == "state   model"


@given(st.text(max_size=60))
def test_an_action_is_shown_without_anything_hidden(text: str) -> None:
    shown = spelled_out(text)
    assert not any(ord(character) < 32 and character != "\n" for character in shown)
    for word in text.split():
        if word.isascii() and word.isprintable():
            assert word in shown


def test_control_characters_of_an_action_have_a_picture() -> None:
    assert spelled_out("ls\r\x1b[2K\x7f\u202e\x9b") == "ls␍␛[2K␡⟨U+202E⟩⟨U+009B⟩"
