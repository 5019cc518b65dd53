"""What both lanes promise, against one local server."""

import gc
import logging
import os
from collections.abc import Callable
from contextlib import aclosing

import anyio
import pytest

from hermes_tui.core.errors import (
    ContentRefusedError,
    ContextOverflowError,
    ModelAuthError,
    ModelError,
    ModelNotFoundError,
    ModelUnavailableError,
    QuotaExceededError,
    RateLimitedError,
)
from hermes_tui.core.events import TextDelta
from hermes_tui.core.messages import Reasoning, Text, ToolCall, ToolResult, tool_results, user
from hermes_tui.core.ports import Model
from hermes_tui.models.direct import DirectModel, Timeouts
from hermes_tui.models.litellm_model import LOGGERS, LitellmModel, load, warm
from hermes_tui.models.scripted import calls
from hermes_tui.models.target import Lane, Secret, Target
from hermes_tui.models.wrapped import close_model
from tests.doubles.openai_server import Answer, OpenAIServer, call, error, serve
from tests.models.asking import TERMINAL, ask, items_of, parts_in, reasoning_in, reply_of, text_in

# litellm and the libraries below it warn about themselves.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

KEY = "sk-double-0123456789abcdef"
Connect = Callable[[OpenAIServer], Model]
SHORT = Timeouts(connect=2, first=0.4, idle=0.4)


@pytest.fixture(params=["direct", "litellm"])
def lane(request: pytest.FixtureRequest) -> Lane:
    return request.param


@pytest.fixture
def connect(lane: Lane) -> Callable[..., Model]:
    def connect(server: OpenAIServer, timeouts: Timeouts | None = None) -> Model:
        target = target_of(server.url, lane)
        if lane == "direct":
            return DirectModel(target, timeouts=timeouts)
        return LitellmModel(target, timeouts=timeouts)

    return connect


def target_of(url: str, lane: Lane) -> Target:
    return Target(
        name="openai/double",
        provider="openai",
        title="OpenAI",
        model="double",
        base_url=url,
        lane=lane,
        litellm_name="hosted_vllm/double",
        api_key=Secret(KEY),
        key_variable="OPENAI_API_KEY",
        headers={"x-team": "red"},
    )


async def test_text_streams_in_pieces_and_comes_whole_in_the_reply(connect: Connect) -> None:
    async with serve(Answer("Hello, good world.")) as server:
        model = connect(server)
        items = await items_of(model, ask("hi"))
        await close_model(model)
    assert text_in(items) == "Hello, good world."
    assert len([one for one in items if isinstance(one, TextDelta)]) > 3
    assert parts_in(items) == (Text("Hello, good world."),)


async def test_key_headers_and_history_reach_the_server(connect: Connect) -> None:
    history = (
        user("first"),
        calls(("terminal", '{"command": "ls"}')),
        tool_results([ToolResult("call_1", "a.txt")]),
        user("second"),
    )
    async with serve() as server:
        model = connect(server)
        await reply_of(model, ask(*history, tools=(TERMINAL,)))
        await close_model(model)
    sent, headers = server.requests[0], server.headers[0]
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["x-team"] == "red"
    assert [message["role"] for message in sent["messages"]] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]
    assert sent["messages"][2]["tool_calls"][0]["function"]["arguments"] == '{"command": "ls"}'
    assert sent["tools"][0]["function"]["name"] == "terminal"
    assert sent["stream_options"] == {"include_usage": True}


async def test_parallel_tool_calls_are_put_together_from_pieces(connect: Connect) -> None:
    wanted = (("terminal", '{"command": "ls -la"}'), ("terminal", '{"command": "pwd"}'))
    async with serve(call(*wanted)) as server:
        model = connect(server)
        reply = await reply_of(model, ask("go", tools=(TERMINAL,)))
        await close_model(model)
    assert [(one.name, one.arguments) for one in reply.message.tool_calls] == list(wanted)
    assert len({one.id for one in reply.message.tool_calls}) == 2


async def test_reasoning_is_apart_from_the_answer(connect: Connect) -> None:
    async with serve(Answer("42", reasoning="six times seven")) as server:
        model = connect(server)
        items = await items_of(model, ask("?"))
        await close_model(model)
    assert (reasoning_in(items), text_in(items)) == ("six times seven", "42")
    assert parts_in(items) == (Reasoning("six times seven"), Text("42"))


async def test_think_tags_are_reasoning_too(connect: Connect) -> None:
    async with serve(Answer("<think>hm</think>\n\nYes.", piece_chars=3)) as server:
        model = connect(server)
        items = await items_of(model, ask("?"))
        await close_model(model)
    assert (reasoning_in(items), text_in(items)) == ("hm", "Yes.")


async def test_usage_counts_cached_and_reasoning_tokens(connect: Connect) -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "total_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 64},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    async with serve(Answer(usage=usage)) as server:
        model = connect(server)
        told = (await reply_of(model, ask())).usage
        await close_model(model)
    assert (told.input_tokens, told.output_tokens) == (100, 20)
    assert (told.cached_tokens, told.reasoning_tokens) == (64, 5)


async def test_a_cost_the_provider_states_is_believed(connect: Connect) -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "cost": 0.0125}
    async with serve(Answer(usage=usage)) as server:
        model = connect(server)
        told = (await reply_of(model, ask())).usage
        await close_model(model)
    assert (told.cost_usd, told.unpriced_calls) == (0.0125, 0)


async def test_a_cost_nobody_knows_is_none_and_counted(connect: Connect) -> None:
    async with serve() as server:
        model = connect(server)
        told = (await reply_of(model, ask())).usage
        await close_model(model)
    assert (told.cost_usd, told.unpriced_calls) == (None, 1)


async def test_an_answer_cut_at_the_output_limit_is_marked(connect: Connect) -> None:
    async with serve(Answer("and so", finish_reason="length")) as server:
        model = connect(server)
        reply = await reply_of(model, ask())
        await close_model(model)
    assert reply.is_truncated


REFUSALS: list[tuple[Answer, type[ModelError]]] = [
    (error(429, "Rate limit reached"), RateLimitedError),
    (error(429, "You exceeded your current quota", code="insufficient_quota"), QuotaExceededError),
    (error(402, "Insufficient credits"), QuotaExceededError),
    (error(401, "Incorrect API key provided", code="invalid_api_key"), ModelAuthError),
    (error(403, "Forbidden"), ModelAuthError),
    (error(404, "The model `double` does not exist", code="model_not_found"), ModelNotFoundError),
    (
        error(
            400,
            "This model's maximum context length is 8192 tokens, you asked for 9000.",
            code="context_length_exceeded",
        ),
        ContextOverflowError,
    ),
    (
        error(400, "Rejected by the safety system", code="content_policy_violation"),
        ContentRefusedError,
    ),
    (error(500, "Internal error"), ModelUnavailableError),
    (error(503, "Overloaded"), ModelUnavailableError),
]


@pytest.mark.parametrize(
    ("answer", "kind"), REFUSALS, ids=lambda one: one.__name__ if isinstance(one, type) else None
)
async def test_each_refusal_is_the_right_error(
    connect: Connect, answer: Answer, kind: type[ModelError]
) -> None:
    async with serve(answer) as server:
        model = connect(server)
        with pytest.raises(ModelError) as caught:
            await reply_of(model, ask())
        await close_model(model)
    assert type(caught.value) is kind
    assert caught.value.hint
    assert len(server.requests) == 1
    assert KEY not in str(caught.value)


async def test_a_rejected_key_names_the_variable_and_never_the_key(connect: Connect) -> None:
    async with serve(error(401, f"Incorrect API key provided: {KEY}.")) as server:
        model = connect(server)
        with pytest.raises(ModelAuthError) as caught:
            await reply_of(model, ask())
        await close_model(model)
    assert "OPENAI_API_KEY" in caught.value.hint
    assert KEY not in str(caught.value)


async def test_retry_after_is_read_from_the_headers(connect: Connect) -> None:
    async with serve(error(429, "slow down", headers={"retry-after": "7"})) as server:
        model = connect(server)
        with pytest.raises(RateLimitedError) as caught:
            await reply_of(model, ask())
        await close_model(model)
    assert caught.value.retry_after == 7


async def test_a_cut_connection_is_no_answer(connect: Connect) -> None:
    async with serve(Answer("a long answer", cut_after=3)) as server:
        model = connect(server)
        with pytest.raises(ModelUnavailableError):
            await reply_of(model, ask())
        await close_model(model)


async def test_silence_before_the_answer_times_out(connect: Callable[..., Model]) -> None:
    async with serve(Answer(stall_after=0)) as server:
        model = connect(server, SHORT)
        with anyio.fail_after(15), pytest.raises(ModelUnavailableError, match=r"0\.4 seconds"):
            await reply_of(model, ask())
        await close_model(model)


async def test_silence_in_the_middle_of_an_answer_times_out(connect: Callable[..., Model]) -> None:
    async with serve(Answer("a long answer", stall_after=3)) as server:
        model = connect(server, SHORT)
        with anyio.fail_after(15), pytest.raises(ModelUnavailableError, match=r"0\.4 seconds"):
            await reply_of(model, ask())
        await close_model(model)


async def test_an_unreachable_server_is_named_with_its_address(lane: Lane) -> None:
    async with serve() as server:
        url = server.url
    target = target_of(url, lane)
    model = DirectModel(target) if lane == "direct" else LitellmModel(target)
    with pytest.raises(ModelUnavailableError) as caught:
        await reply_of(model, ask())
    await close_model(model)
    assert url in caught.value.message


async def test_cancelling_closes_the_socket(connect: Connect) -> None:
    async with serve(Answer("a long answer", stall_after=3)) as server:
        model = connect(server)
        with anyio.fail_after(15):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(items_of, model, ask())
                await server.stalled.wait()
                tasks.cancel_scope.cancel()
            await server.gone.wait()
        await close_model(model)


async def test_leaving_the_stream_closes_the_socket(connect: Connect) -> None:
    async with serve(Answer("a long answer", stall_after=3)) as server:
        model = connect(server)
        with anyio.fail_after(15):
            async with aclosing(model.stream(ask())) as stream:
                assert isinstance(await anext(stream), TextDelta)
            await server.gone.wait()
        await close_model(model)


async def test_a_call_id_already_in_the_history_is_made_unique(connect: Connect) -> None:
    first = call(("terminal", '{"command": "ls"}'))
    async with serve(first, first) as server:
        model = connect(server)
        reply = await reply_of(model, ask("go", tools=(TERMINAL,)))
        made = reply.message.tool_calls[0]
        history = ("go", reply.message, tool_results([ToolResult(made.id, "ok")]))
        again = await reply_of(model, ask(*history, tools=(TERMINAL,)))
        await close_model(model)
    assert isinstance(again.message.tool_calls[0], ToolCall)
    assert again.message.tool_calls[0].id != made.id


def test_litellm_is_loaded_quietly_and_leaves_the_collector_running() -> None:
    litellm = load()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
    assert (litellm.suppress_debug_info, litellm.drop_params) == (True, True)
    assert litellm.cache is None
    for name in LOGGERS:
        logger = logging.getLogger(name)
        assert not logger.propagate
        assert logging.StreamHandler not in {type(one) for one in logger.handlers}


async def test_no_key_is_left_in_the_environment(connect: Connect) -> None:
    async with serve() as server:
        model = connect(server)
        await reply_of(model, ask())
        await close_model(model)
    assert KEY not in os.environ.values()


def test_warming_up_needs_no_waiting() -> None:
    thread = warm()
    assert thread.daemon
    thread.join(timeout=30)
    assert load() is load()


async def test_litellm_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    async with serve(error(500, "boom"), Answer("ok")) as server:
        model = LitellmModel(target_of(server.url, "litellm"))
        with pytest.raises(ModelUnavailableError):
            await reply_of(model, ask())
        await reply_of(model, ask())
        await close_model(model)
    assert capfd.readouterr() == ("", "")
