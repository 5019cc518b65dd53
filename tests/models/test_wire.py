"""Histories as OpenAI chat JSON, and replies out of chunks."""

from time import process_time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.core.events import ReasoningDelta, TextDelta
from hermes_tui.core.messages import (
    Diff,
    Message,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
    assistant,
    tool_results,
    user,
)
from hermes_tui.core.ports import Reply, ToolSpec
from hermes_tui.models.assembly import Assembly
from hermes_tui.models.scripted import calls
from hermes_tui.models.wire import (
    CallPiece,
    Choice,
    Chunk,
    Delta,
    FunctionPiece,
    decode_chunk,
    request_body,
    wire_messages,
)
from tests.models.asking import TERMINAL, ask

Json = dict[str, Any]


def assembled(
    *chunks: Json, tools: tuple[ToolSpec, ...] = (TERMINAL,), text_mode: bool = False
) -> tuple[list[TextDelta | ReasoningDelta], Reply]:
    assembly = Assembly(ask(tools=tools), is_text_mode=text_mode)
    deltas = [one for chunk in chunks for one in assembly.add(decode_chunk(encoded(chunk)))]
    rest, reply = assembly.finish()
    return [*deltas, *rest], reply


def encoded(chunk: Json) -> bytes:
    return msgspec.json.encode(chunk)


def delta(reason: str | None = None, **fields: Any) -> Json:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": reason}]}


def piece(**fields: Any) -> Json:
    function = {key: fields.pop(key) for key in ("name", "arguments") if key in fields}
    return delta(tool_calls=[fields | {"function": function}])


def test_the_system_prompt_comes_first_and_user_neighbours_are_merged() -> None:
    assert wire_messages(ask("one", "two", assistant("ok"), "three", system="Be kind.")) == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "one\n\ntwo"},
        {"role": "assistant", "content": "ok"},
        {"role": "user", "content": "three"},
    ]


def test_reasoning_and_displays_are_never_sent() -> None:
    thought = Message("assistant", (Reasoning("SECRET-THOUGHT"), Text("yes")))
    shown = tool_results([ToolResult("call_1", "done", display=Diff("a", "SECRET-DIFF"))])
    only = Message("assistant", (Reasoning("SECRET-THOUGHT"),))
    wire = wire_messages(ask("?", thought, calls(("terminal", "{}")), shown, only))
    assert b"SECRET" not in msgspec.json.encode(wire)
    assert [one["role"] for one in wire] == ["system", "user", "assistant", "assistant", "tool"]


def test_pure_calls_have_null_content_and_each_result_its_own_message() -> None:
    both = calls(("terminal", '{"command":"a"}'), ("terminal", '{"command":"b"}'))
    results = tool_results([ToolResult("call_1", "1"), ToolResult("call_2", "2")])
    wire = wire_messages(ask("go", both, results))
    assert wire[2]["content"] is None
    assert [one["id"] for one in wire[2]["tool_calls"]] == ["call_1", "call_2"]
    assert wire[3:] == [
        {"role": "tool", "tool_call_id": "call_1", "content": "1"},
        {"role": "tool", "tool_call_id": "call_2", "content": "2"},
    ]


@pytest.mark.parametrize("arguments", ['{"command": ', "[]", '"x"', "ls"])
def test_malformed_arguments_travel_inside_an_object(arguments: str) -> None:
    wire = wire_messages(ask("go", calls(("terminal", arguments))))
    sent = wire[2]["tool_calls"][0]["function"]["arguments"]
    assert msgspec.json.decode(sent) == {"malformed": arguments}


def test_signed_thinking_goes_back_only_where_it_is_asked_for() -> None:
    signed = Message("assistant", (Reasoning("hm", "sig"), ToolCall("1", "terminal", "{}")))
    history = ask("go", signed, tool_results([ToolResult("1", "ok")]))
    (kept,) = [one for one in wire_messages(history, keeps_signatures=True) if "tool_calls" in one]
    assert kept["thinking_blocks"] == [{"type": "thinking", "thinking": "hm", "signature": "sig"}]
    assert b"sig" not in msgspec.json.encode(wire_messages(history))


def test_text_mode_puts_tools_calls_and_results_into_prose() -> None:
    request = ask(
        "go",
        calls(("terminal", '{"command": "ls"}')),
        tool_results([ToolResult("call_1", "a.txt")]),
        "and?",
        tools=(TERMINAL,),
    )
    body = request_body(request, model="m", is_text_mode=True)
    assert "tools" not in body
    system, first, answered, last = body["messages"]
    assert "<tools>" in system["content"]
    assert system["content"].startswith("Be brief.")
    assert first == {"role": "user", "content": "go"}
    assert '<tool_call>\n{"name":"terminal","arguments":{"command":"ls"}}' in answered["content"]
    assert last["role"] == "user"
    assert "<tool_response>" in last["content"]
    assert last["content"].endswith("and?")


def test_equal_prefixes_are_equal_bytes() -> None:
    short = msgspec.json.encode(request_body(ask("a", tools=(TERMINAL,)), model="m"))
    longer = ask("a", assistant("b"), "c", tools=(TERMINAL,))
    grown = msgspec.json.encode(request_body(longer, model="m"))
    upto = short.index(b'"content":"a"') + len(b'"content":"a"')
    assert grown.startswith(short[:upto])


def test_calls_by_index_are_told_apart() -> None:
    _, reply = assembled(
        piece(index=0, id="a", name="terminal", arguments=""),
        piece(index=1, id="b", name="terminal", arguments='{"x":'),
        piece(index=0, arguments="{}"),
        piece(index=1, arguments="1}"),
    )
    assert reply.message.tool_calls == (
        ToolCall("a", "terminal", "{}"),
        ToolCall("b", "terminal", '{"x":1}'),
    )


def test_whole_calls_without_index_are_told_apart() -> None:
    _, reply = assembled(
        piece(id="a", name="terminal", arguments='{"x":1}'),
        piece(id="b", name="terminal", arguments={"x": 2}),
    )
    assert [one.arguments for one in reply.message.tool_calls] == ['{"x":1}', '{"x":2}']


def test_whole_calls_all_numbered_zero_are_told_apart() -> None:
    _, reply = assembled(
        piece(index=0, name="terminal", arguments='{"x":1}'),
        piece(index=0, name="terminal", arguments='{"x":2}'),
    )
    assert [one.arguments for one in reply.message.tool_calls] == ['{"x":1}', '{"x":2}']
    assert len({one.id for one in reply.message.tool_calls}) == 2


def test_pieces_without_index_or_id_belong_to_the_last_call() -> None:
    _, reply = assembled(piece(id="a", name="terminal", arguments='{"x"'), piece(arguments=":1}"))
    assert reply.message.tool_calls == (ToolCall("a", "terminal", '{"x":1}'),)


def test_a_name_repeated_with_every_piece_is_one_call() -> None:
    _, reply = assembled(
        piece(index=0, id="a", name="terminal", arguments='{"x"'),
        piece(index=0, id="a", name="terminal", arguments=":1}"),
        piece(index=0, name="terminal", arguments=""),
    )
    assert reply.message.tool_calls == (ToolCall("a", "terminal", '{"x":1}'),)


def test_a_call_without_arguments_has_an_empty_object() -> None:
    _, reply = assembled(piece(index=0, id="a", name="terminal", arguments=""))
    assert reply.message.tool_calls == (ToolCall("a", "terminal", "{}"),)


@given(st.data())
def test_arguments_cut_anywhere_come_together(data: st.DataObject) -> None:
    whole = ['{"command": "echo \\"hi\\" 1"}', '{"command": "né"}']
    chunks: list[Json] = []
    for index, text in enumerate(whole):
        cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
        chunks.append(piece(index=index, id=f"c{index}", name="terminal", arguments=""))
        chunks += [
            piece(index=index, arguments=text[a:b])
            for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)
        ]
    _, reply = assembled(*chunks)
    assert [one.arguments for one in reply.message.tool_calls] == whole


def test_both_names_of_reasoning_are_understood() -> None:
    deltas, reply = assembled(
        delta(reasoning_content="a"), delta(reasoning="b"), delta(content="c")
    )
    assert deltas == [ReasoningDelta("a"), ReasoningDelta("b"), TextDelta("c")]
    assert reply.message.parts == (Reasoning("ab"), Text("c"))


def test_an_answer_that_was_not_streamed_is_understood() -> None:
    whole = {"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}
    assert assembled(whole)[1].message.text == "hi"


def test_content_in_typed_parts_is_understood() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert assembled(delta(content=parts))[1].message.text == "ab"


WRITTEN = '<tool_call>{"name": "terminal", "arguments": {"command": "ls"}}</tool_call>'


def test_a_native_model_that_writes_its_call_is_understood() -> None:
    deltas, reply = assembled(delta(content="Now. " + WRITTEN))
    assert deltas == [TextDelta("Now.")]
    (made,) = reply.message.tool_calls
    assert (made.name, made.arguments) == ("terminal", '{"command":"ls"}')
    assert made.id


def test_a_written_call_beside_native_ones_is_text() -> None:
    _, reply = assembled(
        delta(content=WRITTEN), piece(index=0, id="a", name="terminal", arguments="{}")
    )
    assert [one.id for one in reply.message.tool_calls] == ["a"]
    assert reply.message.text == WRITTEN


def test_a_native_model_writing_about_calls_is_quoted() -> None:
    text = 'Like <tool_call>{"name": "nothing_offered"}</tool_call>'
    deltas, reply = assembled(delta(content=text))
    assert reply.message.tool_calls == ()
    assert reply.message.text == text
    assert "".join(one.text for one in deltas) == text


def test_without_tools_a_written_call_is_text() -> None:
    assert assembled(delta(content=WRITTEN), tools=())[1].message.text == WRITTEN


def test_in_text_mode_a_malformed_call_reaches_the_agent() -> None:
    _, reply = assembled(
        delta(content='<tool_call>{"name": "terminal", </tool_call>'), text_mode=True
    )
    (made,) = reply.message.tool_calls
    assert (made.name, made.arguments) == ("terminal", '{"name": "terminal",')


def test_usage_is_estimated_when_the_server_sends_none() -> None:
    usage = assembled(delta(content="x" * 40))[1].usage
    assert usage.output_tokens == 10
    assert usage.input_tokens > 0
    assert usage.cost_usd is None


def test_deepseek_cache_hits_are_counted() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 1, "prompt_cache_hit_tokens": 4}
    assert assembled({"choices": [], "usage": usage})[1].usage.cached_tokens == 4


def test_messages_equal_in_content_are_encoded_equally() -> None:
    assert wire_messages(ask(user("a"))) == wire_messages(ask("a"))


@pytest.mark.parametrize("name", [None, "terminal"], ids=["bare", "named each time"])
def test_a_call_in_small_pieces_takes_no_more_time_than_its_length(name: str | None) -> None:
    assembly = Assembly(ask(tools=(TERMINAL,)))
    pieces = ['{"command": "', *["wxyz"] * 100_000, '"}']

    def chunk(arguments: str) -> Chunk:
        piece = CallPiece(index=0, function=FunctionPiece(name=name, arguments=arguments))
        return Chunk(choices=[Choice(delta=Delta(tool_calls=[piece]))])

    started = process_time()
    for piece in pieces:
        assembly.add(chunk(piece))
    _, reply = assembly.finish()
    assert process_time() - started < 2
    assert [call.arguments for call in reply.message.tool_calls] == ["".join(pieces)]
