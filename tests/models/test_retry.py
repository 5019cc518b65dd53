"""Asking again, visibly and within bounds."""

import pytest

from hermes_tui.core.errors import (
    ModelAuthError,
    ModelError,
    ModelUnavailableError,
    QuotaExceededError,
    RateLimitedError,
)
from hermes_tui.core.events import Notice
from hermes_tui.core.messages import Message
from hermes_tui.core.ports import Reply
from hermes_tui.core.usage import Usage
from hermes_tui.models.direct import DirectModel
from hermes_tui.models.retry import Backoff, RetryingModel
from hermes_tui.models.scripted import ScriptedModel, says
from hermes_tui.models.target import Target
from tests.doubles.openai_server import Answer, error, serve
from tests.models.asking import ask, items_of, notices_in, reply_of, text_in

BUSY = ModelUnavailableError("The provider is busy.")


class Clock:
    """Keeps the waits it was asked for, and waits for none."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


def retrying(*lines: Message | ModelError, clock: Clock, jitter: float = 1.0) -> RetryingModel:
    return RetryingModel(ScriptedModel(*lines), sleep=clock.sleep, jitter=lambda: jitter)


async def test_a_transient_error_is_announced_and_asked_again() -> None:
    clock = Clock()
    items = await items_of(retrying(BUSY, says("hello"), clock=clock), ask())
    assert notices_in(items) == ["The provider is busy; retrying in 1.0 s (attempt 2 of 4)."]
    assert items[0] == Notice(notices_in(items)[0], "warning")
    assert text_in(items) == "hello"


async def test_waits_grow_until_the_attempts_are_used_up() -> None:
    clock = Clock()
    model = retrying(BUSY, BUSY, BUSY, BUSY, says("too late"), clock=clock)
    with pytest.raises(ModelUnavailableError):
        await items_of(model, ask())
    assert clock.waits == [1.0, 2.0, 4.0]


async def test_the_providers_own_wait_is_honoured() -> None:
    clock = Clock()
    limited = RateLimitedError("Slow down.", retry_after=7)
    items = await items_of(retrying(limited, says("ok"), clock=clock, jitter=0), ask())
    assert clock.waits == [7]
    assert notices_in(items) == ["Slow down; retrying in 7 s (attempt 2 of 4)."]


async def test_a_wait_too_long_to_sit_out_is_raised() -> None:
    clock = Clock()
    with pytest.raises(RateLimitedError):
        await items_of(retrying(RateLimitedError("No.", retry_after=3600), clock=clock), ask())
    assert clock.waits == []


@pytest.mark.parametrize("failure", [ModelAuthError("No key."), QuotaExceededError("Broke.")])
async def test_what_waiting_does_not_help_is_raised_at_once(failure: ModelError) -> None:
    clock = Clock()
    with pytest.raises(type(failure)):
        await items_of(retrying(failure, says("never"), clock=clock), ask())
    assert clock.waits == []


async def test_an_answer_that_broke_off_is_not_begun_again() -> None:
    clock = Clock()
    async with serve(Answer("a long answer", cut_after=3), Answer("again")) as server:
        inner = DirectModel(Target("box/m", "box", "box", "m", server.url))
        model = RetryingModel(inner, sleep=clock.sleep)
        with pytest.raises(ModelUnavailableError):
            await items_of(model, ask())
        await model.aclose()
    assert (clock.waits, len(server.requests)) == ([], 1)


async def test_a_real_rate_limit_is_waited_out() -> None:
    clock = Clock()
    limited = error(429, "Rate limit", headers={"retry-after": "2"})
    async with serve(limited, Answer("ok")) as server:
        inner = DirectModel(Target("box/m", "box", "box", "m", server.url))
        model = RetryingModel(inner, sleep=clock.sleep, jitter=lambda: 0.0)
        assert (await reply_of(model, ask())).message.text == "ok"
        await model.aclose()
    assert clock.waits == [2]


async def test_a_notice_of_the_inner_model_does_not_end_the_retries() -> None:
    clock = Clock()
    lines = ScriptedModel((Notice("note"), says("a")), name="box/m", context_window=9)
    model = RetryingModel(lines, sleep=clock.sleep)
    items = await items_of(model, ask())
    assert items[0] == Notice("note")
    assert (model.name, model.context_window) == ("box/m", 9)


def test_jitter_keeps_a_wait_between_half_and_whole() -> None:
    backoff = Backoff(first=10)
    assert backoff.delay(1, None, 0.0) == 5
    assert backoff.delay(1, None, 1.0) == 10


async def test_a_script_at_its_end_says_so() -> None:
    model = ScriptedModel(Reply(says("only"), Usage(input_tokens=3)))
    assert (await reply_of(model, ask())).usage.input_tokens == 3
    with pytest.raises(ModelError, match="no replies left"):
        await reply_of(model, ask())
    assert len(model.requests) == 2
