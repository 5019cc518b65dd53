"""The direct lane's own promises."""

import subprocess
import sys

import anyio
import msgspec
import pytest

from hermes_tui.core.errors import ModelError, ModelUnavailableError, RateLimitedError
from hermes_tui.core.messages import Message, Reasoning, Text
from hermes_tui.models.direct import DirectModel, Timeouts, timeouts_for
from hermes_tui.models.target import Target
from tests.doubles.openai_server import Answer, call, chunks_of, error, serve
from tests.models.asking import TERMINAL, ask, items_of, notices_in, reply_of, text_in


def target(url: str, **fields: object) -> Target:
    base = Target("box/m", "box", "box", "m", url)
    return msgspec.structs.replace(base, **fields)


async def test_one_connection_serves_call_after_call() -> None:
    async with serve() as server:
        model = DirectModel(target(server.url))
        for _ in range(3):
            await reply_of(model, ask())
        await model.aclose()
    assert (len(server.requests), server.connections) == (3, 1)


@pytest.mark.parametrize(
    ("url", "first"),
    [("http://127.0.0.1:11434/v1", 600), ("http://localhost:1/v1", 600), ("https://a.b/v1", 120)],
)
def test_a_model_on_this_machine_has_longer_until_its_first_word(url: str, first: float) -> None:
    assert timeouts_for(target(url), 120) == Timeouts(first=first, idle=120)


async def test_a_server_without_tool_calls_is_asked_again_in_text() -> None:
    refusal = error(400, "registry.local/m does not support tools")
    written = 'Now. <tool_call>{"name": "terminal", "arguments": {"command": "ls"}}</tool_call>'
    async with serve(refusal, Answer(written), Answer("done")) as server:
        model = DirectModel(target(server.url))
        items = await items_of(model, ask("go", tools=(TERMINAL,)))
        await reply_of(model, ask("go on", tools=(TERMINAL,)))
        await model.aclose()
    assert notices_in(items) == ["box takes no tool calls; asking for them as text."]
    assert text_in(items) == "Now."
    assert ["tools" in one for one in server.requests] == [True, False, False]
    assert "<tools>" in server.requests[1]["messages"][0]["content"]


async def test_a_server_that_refuses_stream_options_is_asked_without() -> None:
    async with serve(
        error(400, "Unknown field: stream_options"), Answer("ok", usage=None)
    ) as server:
        model = DirectModel(target(server.url))
        items = await items_of(model, ask())
        await model.aclose()
    assert text_in(items) == "ok"
    assert "stream_options" not in server.requests[1]


async def test_text_mode_from_the_configuration_sends_no_tools() -> None:
    async with serve() as server:
        model = DirectModel(target(server.url, tool_calls="text"))
        await reply_of(model, ask("go", tools=(TERMINAL,)))
        await model.aclose()
    assert "tools" not in server.requests[0]


async def test_a_provider_gets_the_fields_it_wants() -> None:
    async with serve() as server:
        model = DirectModel(target(server.url, extra_body={"usage": {"include": True}}))
        await reply_of(model, ask())
        await model.aclose()
    assert server.requests[0]["usage"] == {"include": True}


async def test_an_error_in_the_middle_of_a_stream_is_that_error() -> None:
    chunks = chunks_of(Answer("half an answer"))[:3]
    broken = {"error": {"code": 429, "message": "Rate limit reached, try again in 4s"}}
    async with serve(Answer(chunks=(*chunks, broken))) as server:
        model = DirectModel(target(server.url))
        with pytest.raises(RateLimitedError) as caught:
            await reply_of(model, ask())
        await model.aclose()
    assert caught.value.retry_after == 4


async def test_a_server_that_ignores_streaming_is_understood() -> None:
    whole = {"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}
    pretty = msgspec.json.format(msgspec.json.encode(whole), indent=2).decode()
    async with serve(Answer(body=pretty)) as server:
        model = DirectModel(target(server.url))
        reply = await reply_of(model, ask())
        await model.aclose()
    assert reply.message == Message("assistant", (Text("hi"),))


@pytest.mark.parametrize(
    ("text", "content_type"),
    [
        ("<html>Welcome</html>", "text/html"),
        ('{"hello": "world"}', "application/json"),
        ("data: what?\n\n", "text/event-stream"),
        ('data: {"choices": "none"}\n\n', "text/event-stream"),
    ],
)
async def test_what_is_no_chat_completion_is_one_clear_error(text: str, content_type: str) -> None:
    async with serve(Answer(body=text, content_type=content_type)) as server:
        model = DirectModel(target(server.url))
        with pytest.raises(ModelUnavailableError, match="no chat completion") as caught:
            await reply_of(model, ask())
        await model.aclose()
    assert "/v1" in caught.value.hint


async def test_an_answer_without_a_word_is_cut_off() -> None:
    async with serve(Answer(body="\n", content_type="text/event-stream")) as server:
        model = DirectModel(target(server.url))
        with pytest.raises(ModelUnavailableError, match="was cut"):
            await reply_of(model, ask())
        await model.aclose()


async def test_windows_line_ends_comments_and_a_missing_done_are_fine() -> None:
    chunks = [msgspec.json.encode(one).decode() for one in chunks_of(Answer("hi"))]
    stream = ": ping\r\n\r\n" + "".join(f"data:{one}\r\n\r\n" for one in chunks)
    async with serve(Answer(body=stream, content_type="text/event-stream")) as server:
        model = DirectModel(target(server.url))
        assert (await reply_of(model, ask())).message.text == "hi"
        await model.aclose()


async def test_an_answer_filtered_to_nothing_is_refused() -> None:
    async with serve(Answer("", finish_reason="content_filter")) as server:
        model = DirectModel(target(server.url))
        with pytest.raises(ModelError, match="policy"):
            await reply_of(model, ask())
        await model.aclose()


async def test_calls_on_this_machine_are_free_and_elsewhere_unpriced() -> None:
    async with serve() as server:
        own = DirectModel(target(server.url, is_free=True))
        other = DirectModel(target(server.url))
        free, unknown = await reply_of(own, ask()), await reply_of(other, ask())
        await own.aclose()
        await other.aclose()
    assert (free.usage.cost_usd, unknown.usage.cost_usd) == (0.0, None)


async def test_a_known_model_is_priced_and_its_window_learnt() -> None:
    async with serve(Answer(usage={"prompt_tokens": 1000, "completion_tokens": 100})) as server:
        model = DirectModel(target(server.url, price_name="gpt-4o"))
        assert model.context_window is None
        usage = (await reply_of(model, ask())).usage
        await model.aclose()
    assert usage.cost_usd == pytest.approx(1000 * 2.5e-6 + 100 * 1e-5)
    assert model.context_window == 128_000


async def test_thinking_without_an_answer_is_kept_as_thinking() -> None:
    async with serve(Answer("<think>hm")) as server:
        model = DirectModel(target(server.url))
        reply = await reply_of(model, ask())
        await model.aclose()
    assert reply.message.parts == (Reasoning("hm"),)


async def test_many_calls_side_by_side_do_not_mix() -> None:
    async with serve(default=lambda sent: Answer(sent["messages"][-1]["content"] * 20)) as server:
        model = DirectModel(target(server.url))
        texts: dict[str, str] = {}

        async def one(word: str) -> None:
            texts[word] = (await reply_of(model, ask(word))).message.text

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(one, f"w{number}.")
        await model.aclose()
    assert texts == {word: word * 20 for word in texts}
    assert len(texts) == 20


def test_the_lane_loads_neither_httpx_nor_certificates_before_its_first_call() -> None:
    probe = (
        "import sys, hermes_tui.models.direct, hermes_tui.models.resolve; "
        "print([name for name in ('httpx', 'httpcore', 'litellm', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_httpx_is_loaded_without_its_command_line_client() -> None:
    probe = (
        "import sys; from hermes_tui.models.direct import load_httpx; load_httpx().AsyncClient; "
        "print([name for name in ('rich', 'click', 'pygments') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_the_double_answers_tool_calls_one_by_one() -> None:
    from tests.doubles.openai_server import echoes

    async with serve(default=echoes(1)) as server:
        model = DirectModel(target(server.url))
        first = await reply_of(model, ask("go", tools=(TERMINAL,)))
        last = await reply_of(model, ask("go", first.message, tools=(TERMINAL,)))
        await model.aclose()
    assert (
        first.message.tool_calls[0].arguments
        == call(("terminal", '{"command": "echo 1"}')).calls[0][1]
    )
    assert last.message.text == "done"
