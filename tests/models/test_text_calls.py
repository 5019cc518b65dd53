"""Tool calls and thinking written into text, however it is cut up."""

from time import process_time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.core.messages import ToolCall, ToolResult
from hermes_tui.models.text_calls import (
    CallBlock,
    Said,
    Segment,
    TextParser,
    Thought,
    WrittenCall,
    call_as_text,
    instructions,
    result_as_text,
    written_calls,
)
from tests.models.asking import TERMINAL


def parsed(*pieces: str, finds_calls: bool = True) -> list[Segment]:
    """Segments of the pieces, with neighbours of one kind joined."""
    parser = TextParser(finds_calls=finds_calls)
    found = [segment for piece in pieces for segment in parser.feed(piece)]
    joined: list[Segment] = []
    for segment in [*found, *parser.finish()]:
        last = joined[-1] if joined else None
        if isinstance(segment, Said) and isinstance(last, Said):
            joined[-1] = Said(last.text + segment.text)
        elif isinstance(segment, Thought) and isinstance(last, Thought):
            joined[-1] = Thought(last.text + segment.text)
        else:
            joined.append(segment)
    return joined


def said(segments: list[Segment]) -> str:
    return "".join(one.text for one in segments if isinstance(one, Said))


def call(inner: str, raw: str) -> CallBlock:
    return CallBlock(inner, raw)


LS = '{"name": "terminal", "arguments": {"command": "ls"}}'


def test_plain_text_passes_at_once() -> None:
    parser = TextParser(finds_calls=True)
    assert parser.feed("Hello there") == [Said("Hello there")]
    assert parser.feed(", you") == [Said(", you")]


def test_thinking_and_answer_are_told_apart() -> None:
    assert parsed("<think>\nTwo files.\n</think>\n\nYes.") == [Thought("Two files."), Said("Yes.")]


def test_thinking_that_is_never_closed_stays_thinking() -> None:
    assert parsed("<think>and then") == [Thought("and then")]


def test_a_call_is_taken_out_of_the_text_around_it() -> None:
    found = parsed(f"I look.\n<tool_call>\n{LS}\n</tool_call>\nDone.")
    assert found == [
        Said("I look."),
        call(LS, f"\n<tool_call>\n{LS}\n</tool_call>"),
        Said("\n\nDone."),
    ]


def test_a_closing_tag_inside_a_json_string_does_not_close() -> None:
    inner = r'{"name": "write_file", "arguments": {"content": "a</tool_call>\"b</tool_call>"}}'
    found = parsed(f"<tool_call>{inner}</tool_call>ok")
    assert isinstance(found[0], CallBlock)
    assert found[0].inner == inner
    arguments = msgspec.json.decode(written_calls(inner)[0].arguments)
    assert arguments == {"content": 'a</tool_call>"b</tool_call>'}


def test_a_call_cut_off_before_its_closing_tag_still_counts() -> None:
    assert parsed(f"<tool_call>{LS}") == [call(LS, f"<tool_call>{LS}")]


def test_an_unpaired_quote_does_not_swallow_what_follows() -> None:
    found = parsed('<tool_call>{"name": "x" "}</tool_call>and more')
    assert isinstance(found[0], CallBlock)
    assert said(found) == "and more"


def test_tags_in_backticks_are_prose() -> None:
    text = "Write `<think>` or `<tool_call>` there."
    assert parsed(text) == [Said(text)]


def test_calls_are_prose_when_no_tools_are_offered() -> None:
    text = f"<tool_call>{LS}</tool_call>"
    assert parsed(text, finds_calls=False) == [Said(text)]


def test_a_call_inside_thinking_is_thinking() -> None:
    assert parsed(f"<think>maybe <tool_call>{LS}</tool_call></think>no") == [
        Thought(f"maybe <tool_call>{LS}</tool_call>"),
        Said("no"),
    ]


FRAGMENTS = st.sampled_from(
    [
        "<think>", "</think>", "<tool_call>", "</tool_call>", "<", "</", "<t", "tool_call>", "`",
        '"', "\\", "{", "}", LS, "word", " ", "\n", "é", '{"name": "x", "arguments": {}}',
        '"</tool_call>"', "\\\"",
    ]
)  # fmt: skip


@given(st.lists(FRAGMENTS, max_size=14), st.data())
def test_any_cutting_gives_the_same_as_the_whole(fragments: list[str], data: st.DataObject) -> None:
    text = "".join(fragments)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert parsed(*pieces) == parsed(text)
    assert parsed(*text) == parsed(text)


@given(st.lists(FRAGMENTS, max_size=14))
def test_no_word_is_ever_lost(fragments: list[str]) -> None:
    """What is no tag and no white space comes out once, in order."""
    text = "".join(fragments)
    shown = "".join(one.raw if isinstance(one, CallBlock) else one.text for one in parsed(text))
    for tag in ("<think>", "</think>"):
        text, shown = text.replace(tag, ""), shown.replace(tag, "")
    assert "".join(shown.split()) == "".join(text.split())


@given(st.dictionaries(st.text(), st.text()))
def test_any_arguments_survive_being_written_and_read(arguments: dict[str, str]) -> None:
    text = call_as_text(ToolCall("1", "terminal", msgspec.json.encode(arguments).decode()))
    (found,) = parsed(text)
    assert isinstance(found, CallBlock)
    (one,) = written_calls(found.inner)
    assert (one.name, msgspec.json.decode(one.arguments)) == ("terminal", arguments)


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        (LS, [WrittenCall("terminal", '{"command":"ls"}')]),
        ('{"name": "a"}', [WrittenCall("a", "{}")]),
        ('{"name": "a", "parameters": {"x": 1}}', [WrittenCall("a", '{"x":1}')]),
        ('{"name": "a", "arguments": "{\\"x\\": 1}"}', [WrittenCall("a", '{"x": 1}')]),
        ('```json\n{"name": "a"}\n```', [WrittenCall("a", "{}")]),
        ('[{"name": "a"}, {"name": "b"}]', [WrittenCall("a", "{}"), WrittenCall("b", "{}")]),
        (
            '{"name": "a", "arguments": {"x": }}',
            [WrittenCall("a", '{"name": "a", "arguments": {"x": }}')],
        ),
        ("ls -la", [WrittenCall("tool_call", "ls -la")]),
    ],
)
def test_blocks_are_read_as_models_write_them(inner: str, expected: list[WrittenCall]) -> None:
    assert written_calls(inner) == expected


def test_the_instructions_carry_every_schema() -> None:
    text = instructions([TERMINAL])
    line = next(one for one in text.splitlines() if one.startswith('{"type":"function"'))
    assert msgspec.json.decode(line)["function"]["parameters"] == TERMINAL.parameters


def test_a_malformed_call_is_shown_back_as_it_was() -> None:
    assert call_as_text(ToolCall("1", "a", '{"x": ')) == '<tool_call>\n{"x": \n</tool_call>'


def test_results_come_back_in_their_tag() -> None:
    text = result_as_text(ToolResult("1", "a\nb"), "terminal")
    assert text == '<tool_response>\n{"name":"terminal","content":"a\\nb"}\n</tool_response>'


@pytest.mark.parametrize(
    "piece", ["wxyz", "    ", "<<<<", '\\"\\"'], ids=["text", "space", "tags", "quotes"]
)
@pytest.mark.parametrize("start", ["", "<think>a", '<tool_call>{"arguments": {"content": "'])
def test_small_pieces_take_no_more_time_than_their_length(start: str, piece: str) -> None:
    parser = TextParser(finds_calls=True)
    parser.feed(start)
    started = process_time()
    for _ in range(100_000):
        parser.feed(piece)
    parser.finish()
    assert process_time() - started < 2
