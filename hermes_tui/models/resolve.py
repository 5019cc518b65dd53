"""From a model's name to a model that can be asked."""

from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from hermes_tui.core.errors import ConfigError
from hermes_tui.core.ports import Model
from hermes_tui.models.catalog import BARE_NAMES, BY_NAME, PROVIDERS, Provider
from hermes_tui.models.reasoning import Reasoning
from hermes_tui.models.target import Lane, Secret, Target, ToolCallFormat, host_of

REHEARSAL = "rehearsal"
REPLAY = "replay:"
LaneChoice = Literal["auto", "direct", "litellm"]


class ProviderSettings(Struct, frozen=True):
    """What the configuration says under `providers.<name>`."""

    base_url: str | None = None
    api_key: str | None = None
    headers: dict[str, str] = {}
    tool_calls: ToolCallFormat = "native"
    context_window: int | None = None
    """Tokens."""


_NO_SETTINGS = ProviderSettings()
_HOW = "Write it as provider/model, like openrouter/nousresearch/hermes-4-405b; see `hermes model`."


def resolve(
    name: str,
    *,
    providers: Mapping[str, ProviderSettings] | None = None,
    secrets: Mapping[str, str] | None = None,
    lane: LaneChoice = "auto",
    silence_seconds: float | None = None,
    retries: int | None = None,
    reasoning: Reasoning | None = None,
) -> Model:
    """The model called `name`.

    That is `provider/model`, a well-known bare name like `gpt-5.4`, `rehearsal`, or
    `replay:FILE`. Nothing is connected or read yet, but the key must be there.
    `secrets` are the environment's and the .env file's values; `silence_seconds` is
    how long a provider may say nothing, `retries` how often a call is tried again.

    Raises:
        ConfigError: there is no such provider, or its settings make no sense.
        ModelAuthError: a hosted provider's key is missing.
    """
    if name == REHEARSAL:
        from hermes_tui.models.rehearsal import RehearsalModel

        return RehearsalModel()
    if name.startswith(REPLAY):
        from hermes_tui.models.replay import ReplayModel

        return ReplayModel(Path(name.removeprefix(REPLAY)).expanduser())
    from hermes_tui.models.direct import DirectModel, timeouts_for
    from hermes_tui.models.retry import Backoff, RetryingModel

    target = find_target(name, providers=providers, secrets=secrets, lane=lane)
    target = msgspec.structs.replace(target, reasoning=reasoning)
    timeouts = None if silence_seconds is None else timeouts_for(target, silence_seconds)
    backoff = Backoff() if retries is None else Backoff(attempts=retries + 1)
    if target.lane == "direct":
        return RetryingModel(DirectModel(target, timeouts=timeouts), backoff=backoff)
    from hermes_tui.models.litellm_model import LitellmModel

    return RetryingModel(LitellmModel(target, timeouts=timeouts), backoff=backoff)


def find_target(
    name: str,
    *,
    providers: Mapping[str, ProviderSettings] | None = None,
    secrets: Mapping[str, str] | None = None,
    lane: LaneChoice = "auto",
) -> Target:
    """Where and how to call the model; raises what `resolve` raises."""
    providers, secrets = providers or {}, secrets or {}
    provider_name, model = _split(name, providers)
    settings = providers.get(provider_name, _NO_SETTINGS)
    provider = _provider(provider_name, settings, providers)
    base_url = _base_url(provider, settings, secrets)
    key, variable = _key(provider, settings, secrets)
    is_own_base = base_url != provider.base_url
    if not key and provider.key_variables and not (is_own_base or provider.is_local):
        from hermes_tui.models.errors import missing_key

        raise missing_key(provider.title, provider.key_variables)
    chosen = _lane(provider, base_url, lane)
    prefix = "hosted_vllm" if is_own_base and provider.lane == "direct" else provider.litellm_prefix
    is_local = provider.is_local and host_of(base_url) in {"127.0.0.1", "localhost", "[::1]"}
    return Target(
        name=f"{provider_name}/{model}",
        provider=provider_name,
        title=provider.title,
        model=model,
        base_url=base_url,
        lane=chosen,
        litellm_name=f"{prefix}/{model}" if prefix else model,
        api_key=Secret(key),
        key_variable=variable,
        headers=settings.headers,
        extra_body=provider.extra_body,
        tool_calls=settings.tool_calls,
        context_window=settings.context_window,
        price_name=_price_name(provider, model, is_own_base=is_own_base),
        # Ollama's `…cloud` models are served elsewhere, under a plan nobody here knows.
        is_free=is_local and not model.endswith("cloud"),
    )


def default_model_name(
    secrets: Mapping[str, str], providers: Mapping[str, ProviderSettings] | None = None
) -> str:
    """The model to use when nobody chose one: the first provider with a key, else `rehearsal`."""
    providers = providers or {}
    for provider in PROVIDERS:
        settings = providers.get(provider.name, _NO_SETTINGS)
        if provider.is_local or not provider.models:
            continue
        if _base_url(provider, settings, secrets) != provider.base_url:
            continue  # nobody knows which models another server has
        if _key(provider, settings, secrets)[0]:
            return f"{provider.name}/{provider.models[0].model}"
    return REHEARSAL


def _split(name: str, providers: Mapping[str, ProviderSettings]) -> tuple[str, str]:
    provider, slash, model = name.strip().partition("/")
    if slash and provider and model:
        return provider, model
    for start, owner in BARE_NAMES:
        if not slash and provider.lower().startswith(start):
            return owner, provider
    if not slash and (provider in BY_NAME or provider in providers):
        known = BY_NAME.get(provider)
        example = known.models[0].model if known and known.models else "MODEL"
        raise ConfigError(
            f"{name!r} names a provider but no model.",
            hint=f"Write {provider}/{example}, or see `hermes model`.",
        )
    raise ConfigError(f"{name!r} is no model name.", hint=_HOW)


def _provider(
    name: str, settings: ProviderSettings, providers: Mapping[str, ProviderSettings]
) -> Provider:
    if (known := BY_NAME.get(name)) is not None:
        if not known.base_url and not settings.base_url and known.lane == "direct":
            raise ConfigError(
                f"The provider {name!r} has no address.", hint=f"Set `providers.{name}.base_url`."
            )
        return known
    if settings.base_url:
        return Provider(name, name, key_variables=(_variable(name),))
    others = _litellm_providers()
    if name in others:
        return Provider(
            name,
            others[name],
            key_variables=(_variable(name),) if name not in _KEYLESS else (),
            lane="litellm",
            litellm_prefix=name,
            price_prefix=f"{name}/",
        )
    from difflib import get_close_matches  # only to explain a mistake

    known_names = [*BY_NAME, *providers, *others]
    nearest = get_close_matches(name, known_names, n=1, cutoff=0.7)
    raise ConfigError(
        f"There is no model provider {name!r}.",
        hint=f"Did you mean {nearest[0]!r}?" if nearest else _HOW,
    )


# Reached with an account file or a cloud's own log-in, not with one key.
_KEYLESS = frozenset({"bedrock", "vertex_ai", "sagemaker", "azure", "github_copilot"})


def _variable(name: str) -> str:
    return "".join(char if char.isalnum() else "_" for char in name).upper() + "_API_KEY"


def _base_url(provider: Provider, settings: ProviderSettings, secrets: Mapping[str, str]) -> str:
    given = settings.base_url or next(
        (secrets[name] for name in provider.base_variables if secrets.get(name)), ""
    )
    if not given:
        return provider.base_url
    if "://" not in given and provider.is_local:
        # OLLAMA_HOST is written without scheme and port.
        host, _, port = given.partition(":")
        host = "127.0.0.1" if host in {"", "0.0.0.0"} else host  # noqa: S104  never listened on
        return f"http://{host}:{port or provider.port}/v1"
    if not given.startswith(("http://", "https://")):
        raise ConfigError(
            f"The base URL {given!r} of {provider.name!r} is no http address.",
            hint=f"Set `providers.{provider.name}.base_url` to something like http://host:8000/v1.",
        )
    return given.rstrip("/").removesuffix("/chat/completions")


def _key(
    provider: Provider, settings: ProviderSettings, secrets: Mapping[str, str]
) -> tuple[str, str]:
    """The key, and the variable to name when it is missing or wrong."""
    first = provider.key_variables[0] if provider.key_variables else ""
    if settings.api_key:
        return settings.api_key.strip(), f"`providers.{provider.name}.api_key`"
    for name in provider.key_variables:
        if value := secrets.get(name, "").strip():
            return value, name
    return "", first


def _lane(provider: Provider, base_url: str, wanted: LaneChoice) -> Lane:
    if wanted == "auto":
        return provider.lane
    if wanted == "direct" and not base_url:
        raise ConfigError(
            f"{provider.title} has no OpenAI-compatible address, which the direct lane needs.",
            hint="Set `models.lane` to auto.",
        )
    return wanted


def _price_name(provider: Provider, model: str, *, is_own_base: bool) -> str:
    if provider.price_prefix is None or is_own_base:
        return ""
    return f"{provider.price_prefix}{model}"


@cache
def _litellm_providers() -> dict[str, str]:
    """Names and titles of every provider litellm reaches, read without importing it."""

    class Row(Struct):
        display_name: str = ""
        endpoints: dict[str, bool] = {}

    class Table(Struct):
        providers: dict[str, Row]

    spec = find_spec("litellm")
    if spec is None or spec.origin is None:
        return {}
    try:
        path = Path(spec.origin).parent / "provider_endpoints_support_backup.json"
        table = msgspec.json.decode(path.read_bytes(), type=Table)
    except (OSError, msgspec.DecodeError):
        return {}
    return {name: row.display_name.split(" (")[0] or name for name, row in table.providers.items()}
