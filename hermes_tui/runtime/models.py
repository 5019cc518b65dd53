"""Which models there are to choose from, and making the chosen one."""

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from hermes_tui.config.schema import Config
from hermes_tui.config.secrets import Secrets
from hermes_tui.core.errors import ConfigError
from hermes_tui.core.ports import Model
from hermes_tui.models.catalog import PROVIDERS
from hermes_tui.models.reasoning import Level, Reasoning
from hermes_tui.models.resolve import (
    REHEARSAL,
    REPLAY,
    ProviderSettings,
    default_model_name,
    find_target,
    resolve,
)


class ModelChoice(Struct, frozen=True):
    """A model one may switch to."""

    name: str
    summary: str
    """What it is good for, and what is missing to use it."""
    is_ready: bool
    """Its key is there, or it needs none."""


def build_model(
    name: str | None,
    *,
    config: Config,
    secrets: Secrets,
    reasoning: Level | None = None,
    record: str | None = None,
) -> Model:
    """The model asked for: by name, else the configured one, else the first with a key.

    Raises:
        ConfigError: there is no such provider.
        ModelAuthError: it needs a key that is not there.
    """
    chosen = name or current_model_name(config, secrets)
    model = resolve(
        chosen,
        providers=provider_settings(secrets.fill(config, chosen.partition("/")[0])),
        secrets=secrets,
        lane=config.models.lane,
        silence_seconds=config.models.timeout_seconds,
        retries=config.models.retries,
        reasoning=Reasoning(reasoning, config.agent.reasoning_tokens) if reasoning else None,
    )
    if record:
        from hermes_tui.models.replay import RecordingModel

        path = Path(record).expanduser()
        if not path.absolute().parent.is_dir():
            raise ConfigError(
                f"--record {record} cannot be written: its folder is not there.",
                hint="Name a file in a folder that is.",
            )
        return RecordingModel(model, path, secrets=secrets.hidden.values())
    return model


def warm_up(name: str, *, config: Config, secrets: Secrets) -> None:
    """Begin importing litellm in the background, if that is what the model will need."""
    if name == REHEARSAL or name.startswith(REPLAY):
        return
    target = find_target(
        name,
        providers=provider_settings(secrets.fill(config, name.partition("/")[0])),
        secrets=secrets,
        lane=config.models.lane,
    )
    if target.lane == "litellm":
        from hermes_tui.models import litellm_model

        litellm_model.warm()


def current_model_name(config: Config, secrets: Mapping[str, str]) -> str:
    """The model that answers when a command line names none."""
    return config.model or default_model_name(secrets, provider_settings(config))


def model_choices(secrets: Mapping[str, str], config: Config) -> list[ModelChoice]:
    """Suggested models of every known provider, those that can answer now first."""
    choices = [ModelChoice(REHEARSAL, "built in, no LLM: try every pane offline", is_ready=True)]
    settings = provider_settings(config)
    for provider in PROVIDERS:
        own = settings.get(provider.name)
        has_key = bool(own and own.api_key) or any(secrets.get(k) for k in provider.key_variables)
        is_ready = has_key or not provider.key_variables
        lack = "to run here" if provider.is_local else next(iter(provider.key_variables), "")
        missing = "" if is_ready else f"; needs {lack}"
        choices.extend(
            ModelChoice(
                f"{provider.name}/{suggestion.model}", f"{suggestion.use}{missing}", is_ready
            )
            for suggestion in provider.models
        )
    return sorted(choices, key=lambda choice: not choice.is_ready)


async def served_here() -> list[ModelChoice]:
    """Models of the servers that run on this machine; looking takes 0.3 s at most."""
    from hermes_tui.models.local_servers import find_local_servers, title_of

    return [
        ModelChoice(
            f"{server.provider}/{model.name}",
            f"on this machine, {title_of(server)}"
            + (f", {model.size_bytes / 1e9:.1f} GB" if model.size_bytes else ""),
            is_ready=True,
        )
        for server in await find_local_servers()
        for model in server.models
    ]


def provider_settings(config: Config) -> dict[str, ProviderSettings]:
    """`providers:` of the configuration as the models layer wants it."""
    return {
        name: ProviderSettings(
            base_url=given.base_url,
            api_key=given.api_key,
            headers=given.headers,
            tool_calls=given.tool_calls or "native",
            context_window=given.context_window,
        )
        for name, given in config.providers.items()
    }
