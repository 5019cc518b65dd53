"""What `hermes doctor` finds out about the model and its provider."""

from collections.abc import Iterator
from typing import Any, cast

import anyio
import msgspec

from hermes_tui.cli.doctor_finding import Finding
from hermes_tui.config.schema import Config
from hermes_tui.config.secrets import REFERENCE, Secrets
from hermes_tui.models.catalog import PROVIDERS
from hermes_tui.models.local_servers import find_local_servers
from hermes_tui.models.resolve import REHEARSAL, default_model_name, find_target
from hermes_tui.models.target import Target
from hermes_tui.runtime.models import provider_settings

REACH_SECONDS = 5.0


def key_names(config: Config) -> list[str]:
    """The variables that may hold a provider's key, and those the configuration refers to."""
    names = [name for provider in PROVIDERS for name in provider.key_variables]
    for provider in config.providers.values():
        names.extend(m[1] or m[2] for m in REFERENCE.finditer(provider.api_key or ""))
    return list(dict.fromkeys(names))


def model(config: Config, secrets: Secrets, *, offline: bool) -> Iterator[Finding]:
    """The model that would answer, and whether its provider does.

    Raises:
        HermesError: the model's name or its key is wrong.
    """
    name = config.model or default_model_name(secrets, provider_settings(config))
    if not offline:
        for server in anyio.run(find_local_servers):
            models = ", ".join(one.name for one in server.models[:3]) or "no model loaded"
            yield Finding("local server", "ok", f"{server.provider} at {server.base_url}: {models}")
    if name == REHEARSAL:
        yield Finding("model", "warning", "rehearsal model: no LLM", "Run `hermes setup`.")
        return
    if name.startswith("replay:"):
        yield Finding("model", "ok", name)
        return
    settings = provider_settings(secrets.fill(config, name.partition("/")[0]))
    target = find_target(name, providers=settings, secrets=secrets, lane=config.models.lane)
    if offline or not target.base_url:
        why = "not asked" if offline else "reached through litellm, not asked"
        yield Finding("model", "ok", f"{target.name} ({why})")
    else:
        yield _reached(target)


def _reached(target: Target) -> Finding:
    """Ask the provider for its list of models, which costs nothing."""
    import httpx

    headers = dict(target.headers)
    if target.api_key:
        headers.setdefault("Authorization", f"Bearer {target.api_key}")
    try:
        answer = httpx.get(f"{target.base_url}/models", headers=headers, timeout=REACH_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return Finding(
            "model",
            "failure",
            f"{target.title} cannot be reached at {target.base_url}: {type(error).__name__}",
            "Check the address and the network.",
        )
    if answer.status_code in {401, 403}:
        where = target.key_variable or f"providers.{target.provider}.api_key"
        return Finding(
            "model",
            "failure",
            f"{target.title} rejects the key ({answer.status_code})",
            f"Correct {where}, e.g. with `hermes setup`.",
        )
    listed = _listed(answer.content) if answer.status_code == 200 else None
    if listed and target.model not in listed:
        return Finding(
            "model",
            "warning",
            f"{target.title} answers, but does not list {target.model!r}",
            "See `hermes model`.",
        )
    if answer.status_code >= 500:
        return Finding("model", "warning", f"{target.title} answers with {answer.status_code}")
    return Finding("model", "ok", f"{target.name}; {target.title} answers")


def _listed(content: bytes) -> set[str] | None:
    """The models in an answer of `/models`; None when it is no such list."""
    try:
        rows = msgspec.json.decode(content)["data"]
        return {str(cast("dict[str, Any]", row)["id"]) for row in rows}
    except (msgspec.DecodeError, KeyError, TypeError):
        return None
