"""From a name to a model, before anything is connected."""

from pathlib import Path

import pytest

from hermes_tui.core.errors import ConfigError, ModelAuthError, ModelUnavailableError
from hermes_tui.models.catalog import PROVIDERS, Provider
from hermes_tui.models.direct import DirectModel
from hermes_tui.models.prices import price_row
from hermes_tui.models.rehearsal import RehearsalModel
from hermes_tui.models.replay import ReplayModel
from hermes_tui.models.resolve import (
    ProviderSettings,
    default_model_name,
    find_target,
    resolve,
)
from hermes_tui.models.target import Target
from hermes_tui.models.wrapped import close_model
from tests.doubles.openai_server import Answer, error, serve
from tests.models.asking import ask, reply_of

KEYS = {
    name: f"key-of-{provider.name}" for provider in PROVIDERS for name in provider.key_variables
}


def target(
    name: str, providers: dict[str, ProviderSettings] | None = None, **secrets: str
) -> Target:
    return find_target(name, providers=providers, secrets=secrets or KEYS)


HOSTED = [one for one in PROVIDERS if not one.is_local and one.models]


@pytest.mark.parametrize("provider", HOSTED, ids=lambda one: one.name)
def test_every_hosted_preset_resolves_with_its_key(provider: Provider) -> None:
    variable = provider.key_variables[0]
    for suggestion in provider.models:
        found = find_target(f"{provider.name}/{suggestion.model}", secrets={variable: "k"})
        assert (found.model, found.api_key, found.key_variable) == (suggestion.model, "k", variable)
        assert found.lane == provider.lane
        assert found.litellm_name.endswith(suggestion.model)


@pytest.mark.parametrize("provider", HOSTED, ids=lambda one: one.name)
def test_a_hosted_preset_without_its_key_names_the_variable(provider: Provider) -> None:
    with pytest.raises(ModelAuthError) as caught:
        resolve(f"{provider.name}/{provider.models[0].model}", secrets={})
    assert provider.key_variables[0] in caught.value.hint


@pytest.mark.parametrize("name", ["ollama", "vllm", "sglang", "llamacpp", "lmstudio"])
def test_servers_on_this_machine_need_no_key_and_cost_nothing(name: str) -> None:
    found = find_target(f"{name}/some-model", secrets={})
    assert found.is_loopback
    assert found.is_free
    assert found.lane == "direct"


@pytest.mark.parametrize(
    ("bare", "provider"),
    [
        ("gpt-5", "openai"),
        ("o3", "openai"),
        ("claude-sonnet-4-6", "anthropic"),
        ("gemini-3.5-flash", "gemini"),
        ("Hermes-4-405B", "nous"),
    ],
)
def test_bare_names_find_their_provider(bare: str, provider: str) -> None:
    found = target(bare)
    assert (found.provider, found.model, found.name) == (provider, bare, f"{provider}/{bare}")


def test_a_model_name_may_have_slashes() -> None:
    found = target("openrouter/nousresearch/hermes-4-405b")
    assert (found.provider, found.model) == ("openrouter", "nousresearch/hermes-4-405b")
    assert found.litellm_name == "openrouter/nousresearch/hermes-4-405b"
    assert found.extra_body == {"usage": {"include": True}}


def test_openai_base_url_and_key_are_honoured() -> None:
    found = target("openai/gpt-5", OPENAI_BASE_URL="http://box:9000/v1/", OPENAI_API_KEY="k")
    assert (found.base_url, found.api_key) == ("http://box:9000/v1", "k")
    assert found.price_name == ""
    assert target("openai/gpt-5", OPENAI_API_KEY="k").price_name == "gpt-5"


def test_another_server_than_openais_own_needs_no_key() -> None:
    assert target("openai/x", OPENAI_BASE_URL="http://127.0.0.1:9/v1").api_key == ""


def test_settings_win_over_the_environment() -> None:
    settings = ProviderSettings(
        base_url="https://proxy.invalid/v1",
        api_key="mine",
        headers={"x-org": "a"},
        tool_calls="text",
        context_window=9000,
    )
    secrets = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://other/v1"}
    found = find_target("openai/m", providers={"openai": settings}, secrets=secrets)
    assert (found.base_url, found.api_key, found.headers) == (
        "https://proxy.invalid/v1",
        "mine",
        {"x-org": "a"},
    )
    assert (found.tool_calls, found.context_window) == ("text", 9000)


def test_a_provider_of_ones_own_needs_only_an_address() -> None:
    mine = {"box": ProviderSettings(base_url="http://box:8000/v1")}
    found = find_target("box/qwen", providers=mine, secrets={"BOX_API_KEY": "k"})
    assert (found.lane, found.base_url, found.api_key) == ("direct", "http://box:8000/v1", "k")


def test_ollama_host_is_understood_as_ollama_writes_it() -> None:
    assert target("ollama/q", OLLAMA_HOST="0.0.0.0:9999").base_url == "http://127.0.0.1:9999/v1"
    assert target("ollama/q", OLLAMA_HOST="box").base_url == "http://box:11434/v1"
    assert not target("ollama/q", OLLAMA_HOST="box").is_free


def test_a_model_ollama_runs_elsewhere_is_not_called_free() -> None:
    assert not target("ollama/gpt-oss:120b-cloud").is_free


def test_anything_litellm_reaches_can_be_named() -> None:
    found = target("groq/llama-4", GROQ_API_KEY="k")
    assert (found.lane, found.litellm_name, found.api_key) == ("litellm", "groq/llama-4", "k")
    with pytest.raises(ModelAuthError, match="GROQ_API_KEY"):
        find_target("groq/llama-4", secrets={})


@pytest.mark.parametrize(
    ("name", "nearest"), [("openruter/x", "openrouter"), ("olama/x", "ollama"), ("boxx/x", "box")]
)
def test_an_unknown_provider_names_the_nearest_one(name: str, nearest: str) -> None:
    mine = {"box": ProviderSettings(base_url="http://box/v1")}
    with pytest.raises(ConfigError) as caught:
        resolve(name, providers=mine, secrets=KEYS)
    assert nearest in caught.value.hint


@pytest.mark.parametrize("name", ["", "nonsense", "openai", "/x", "openai/", "custom/x"])
def test_a_name_that_is_none_is_one_clear_error(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(name, secrets=KEYS)
    assert caught.value.hint


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="no http address"):
        target("openai/x", {"openai": ProviderSettings(base_url="box:80")})


def test_the_lane_can_be_forced() -> None:
    assert find_target("openai/m", secrets=KEYS, lane="litellm").lane == "litellm"
    with pytest.raises(ConfigError, match="direct lane"):
        find_target("anthropic/m", secrets=KEYS, lane="direct")


def test_a_key_is_not_shown_by_repr() -> None:
    assert "key-of" not in repr(target("openai/gpt-5"))


def test_rehearsal_and_replay_are_models_too(tmp_path: Path) -> None:
    assert isinstance(resolve("rehearsal"), RehearsalModel)
    assert isinstance(resolve(f"replay:{tmp_path / 'x'}"), ReplayModel)


def test_without_any_key_the_default_is_the_rehearsal_model() -> None:
    assert default_model_name({}) == "rehearsal"
    assert default_model_name({"OPENAI_API_KEY": ""}) == "rehearsal"


def test_the_default_is_a_model_whose_key_is_there() -> None:
    for name, value in KEYS.items():
        chosen = default_model_name({name: value})
        if chosen != "rehearsal":
            assert find_target(chosen, secrets={name: value}).api_key == value
    assert default_model_name({"OPENROUTER_API_KEY": "k"}).startswith("openrouter/")
    mine = {"anthropic": ProviderSettings(api_key="k")}
    assert default_model_name({}, mine).startswith("anthropic/")


def test_another_server_than_openais_own_gives_no_default() -> None:
    assert (
        default_model_name({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://box/v1"})
        == "rehearsal"
    )


async def test_suggested_models_with_prices_are_in_the_price_map() -> None:
    for provider in PROVIDERS:
        for suggestion in provider.models if provider.price_prefix is not None else ():
            assert await price_row(f"{provider.price_prefix}{suggestion.model}") is not None


async def test_a_resolved_model_answers_within_its_limits() -> None:
    async with serve(Answer(stall_after=0), error(500, "oops")) as server:
        mine = {"box": ProviderSettings(base_url=server.url)}
        model = resolve("box/m", providers=mine, secrets={}, silence_seconds=0.2, retries=0)
        with pytest.raises(ModelUnavailableError, match=r"for 1 seconds"):
            await reply_of(model, ask())
        with pytest.raises(ModelUnavailableError, match="oops"):
            await reply_of(model, ask())
        assert (await reply_of(model, ask())).message.text == "hello"
        assert model.name == "box/m"
        await close_model(model)


async def test_a_direct_model_keeps_its_settings_on_the_wire() -> None:
    async with serve() as server:
        mine = {"box": ProviderSettings(base_url=server.url, headers={"x-a": "1"}, api_key="k")}
        model = DirectModel(find_target("box/m", providers=mine))
        await reply_of(model, ask())
        await model.aclose()
    assert server.headers[0]["x-a"] == "1"
    assert server.headers[0]["authorization"] == "Bearer k"
