"""How `/reasoning` reaches each provider."""

import anyio
import pytest

from hermes_tui.core.events import Notice
from hermes_tui.core.messages import user
from hermes_tui.core.ports import Model, ModelItem, ModelRequest, Prefix, Reply
from hermes_tui.models.reasoning import Reasoning, direct_fields, litellm_fields
from hermes_tui.models.resolve import ProviderSettings, resolve
from hermes_tui.models.wrapped import close_model
from tests.doubles.openai_server import Answer, error, serve

REQUEST = ModelRequest(Prefix("system", ()), (user("hi"),))


async def asked(model: Model) -> list[ModelItem]:
    with anyio.fail_after(10):
        items = [item async for item in model.stream(REQUEST)]
    await close_model(model)
    return items


@pytest.mark.parametrize(
    ("provider", "fields"),
    [
        ("openrouter", {"reasoning": {"max_tokens": 2000}}),
        ("openai", {"reasoning_effort": "high"}),
        (
            "vllm",
            {
                "chat_template_kwargs": {"enable_thinking": True, "thinking": True},
                "reasoning_effort": "high",
            },
        ),
    ],
)
def test_each_provider_is_asked_in_its_own_words(provider: str, fields: object) -> None:
    assert direct_fields(Reasoning("high", 2000), provider=provider) == fields


def test_off_means_off_and_nothing_means_nothing() -> None:
    assert direct_fields(None, provider="openai") == {}
    assert litellm_fields(None) == {}
    assert direct_fields(Reasoning("off"), provider="openrouter") == {
        "reasoning": {"enabled": False}
    }
    assert litellm_fields(Reasoning("low", 1024)) == {
        "thinking": {"type": "enabled", "budget_tokens": 1024}
    }


async def test_a_server_that_refuses_the_switch_is_asked_again_without_it() -> None:
    refusal = error(400, "Unrecognized request argument supplied: reasoning_effort")
    async with serve(refusal, Answer("fine")) as server:
        model = resolve(
            "openai/mock",
            providers={"openai": ProviderSettings(base_url=server.url, api_key="k")},
            reasoning=Reasoning("low"),
        )
        items = await asked(model)
        assert server.requests[0]["reasoning_effort"] == "low"
        assert "reasoning_effort" not in server.requests[1]
    assert any(isinstance(item, Notice) for item in items)
    assert isinstance(items[-1], Reply)
    assert items[-1].message.text == "fine"
