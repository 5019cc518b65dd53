"""What `hermes setup` asks, and what it writes once everything is known."""

import getpass
import os
import sys
from collections.abc import Mapping, Sequence

import anyio
from msgspec import Struct

from hermes_tui.cli.config_commands import load_here
from hermes_tui.cli.diagnostics import say
from hermes_tui.config.edit import parsed_value, set_value
from hermes_tui.config.paths import Paths, shown
from hermes_tui.config.schema import Config
from hermes_tui.config.secrets import Secrets, load_secrets, write_secret
from hermes_tui.core.errors import ConfigError
from hermes_tui.models.catalog import BY_NAME, PROVIDERS, Provider
from hermes_tui.models.local_servers import LocalServer, find_local_servers, title_of
from hermes_tui.models.resolve import REHEARSAL, ProviderSettings, find_target
from hermes_tui.models.target import Target
from hermes_tui.runtime.models import provider_settings

MAX_KEY_CHARS = 16 * 1024
OTHER = "custom"
"""The choice of a server nobody knows by name."""


class Choice(Struct, frozen=True):
    """A provider one may choose."""

    name: str
    text: str
    models: tuple[str, ...] = ()
    """To choose from, the first one being the default."""


class Plan(Struct, frozen=True):
    """What is going to be written."""

    provider: str
    model: str
    """Without its provider."""
    key: str = ""
    base_url: str = ""
    """Of a server without a name of its own in the catalog, or elsewhere than usual."""

    @property
    def key_variable(self) -> str:
        known = BY_NAME.get(self.provider)
        if known and known.key_variables:
            return known.key_variables[0]
        letters = (char if char.isalnum() else "_" for char in self.provider.upper())
        return f"{''.join(letters)}_API_KEY"


def from_options(provider: str, model: str, base_url: str, *, has_key: bool) -> None:
    """Set up without a question; what the options leave out has its default.

    Raises:
        ConfigError: they do not make a whole, or name what does not exist.
    """
    paths, config, secrets = _current()
    if model == REHEARSAL or provider == REHEARSAL:
        _use_rehearsal(paths)
        return
    if not provider:
        provider, _, model = model.partition("/")
    model = model.removeprefix(f"{provider}/") or _default_model(provider, base_url, config)
    key = _key_from_stdin() if has_key else ""
    plan = Plan(provider, model, key, base_url)
    _check(plan, config, secrets)
    _write(paths, plan, secrets)


def ask() -> None:
    """Ask for everything, then write it; an interruption before that changes nothing.

    Raises:
        ConfigError: nobody can be asked.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConfigError(
            "`hermes setup` asks questions, which needs a terminal.",
            hint="Pass --provider, --model and, if it needs one, --api-key-stdin.",
        )
    paths, config, secrets = _current()
    servers = anyio.run(find_local_servers)
    say("Which provider answers?")
    choice = _choose(_choices(servers, secrets))
    if choice.name == REHEARSAL:
        _use_rehearsal(paths)
        return
    plan = _ask_rest(choice, secrets)
    _check(plan, config, secrets)
    _write(paths, plan, secrets)


def _ask_rest(choice: Choice, secrets: Secrets) -> Plan:
    name, base_url = choice.name, ""
    if name == OTHER:
        base_url = _line("Address of its API, e.g. http://127.0.0.1:8000/v1: ")
        name = _line("A short name for it [mine]: ") or "mine"
    key = _ask_key(Plan(name, "", base_url=base_url), secrets)
    if choice.models:
        say("Which model?")
        model = _choose([Choice(one, one) for one in choice.models], is_free=True).name
    else:
        model = _line("Which model, as the server calls it? ")
    return Plan(name, model, key, base_url)


def _choices(servers: Sequence[LocalServer], secrets: Mapping[str, str]) -> list[Choice]:
    """Servers that run here first, then hosted ones, those with a key before the others."""
    found = [
        Choice(
            server.provider,
            f"{title_of(server)}, running here with {len(server.models)} models",
            tuple(one.name for one in server.models),
        )
        for server in servers
    ]
    hosted = [provider for provider in PROVIDERS if not provider.is_local and provider.models]
    hosted.sort(key=lambda provider: not _has_key(provider, secrets))
    found += [
        Choice(
            provider.name,
            provider.title + (", key found" if _has_key(provider, secrets) else ""),
            tuple(one.model for one in provider.models),
        )
        for provider in hosted
    ]
    found.append(Choice(OTHER, "Another OpenAI-compatible server"))
    found.append(Choice(REHEARSAL, "None: the built-in rehearsal model, which is no LLM"))
    return found


def _has_key(provider: Provider, secrets: Mapping[str, str]) -> bool:
    return any(secrets.get(name) for name in provider.key_variables)


def _choose(choices: Sequence[Choice], *, is_free: bool = False) -> Choice:
    """One of `choices`, by number or name; with `is_free` also any other word."""
    for number, choice in enumerate(choices, 1):
        say(f"  {number:>2}. {choice.text}")
    while True:
        answer = _line("Number or name [1]: ") or "1"
        if answer.isdecimal() and 1 <= int(answer) <= len(choices):
            return choices[int(answer) - 1]
        for choice in choices:
            if choice.name.lower() == answer.lower():
                return choice
        if is_free and not answer.isdecimal():
            return Choice(answer, answer)
        names = "" if is_free else f", or a name: {', '.join(choice.name for choice in choices)}"
        say(f"Give a number from 1 to {len(choices)}{names}.")


def _ask_key(plan: Plan, secrets: Mapping[str, str]) -> str:
    """The key typed; empty to keep the one that is there, or to go without."""
    known = BY_NAME.get(plan.provider)
    if known and known.is_local:
        return ""
    present = _has_key(known, secrets) if known else plan.key_variable in secrets
    kept = "Enter keeps the one found" if present else "Enter goes without"
    try:
        return getpass.getpass(
            f"Key ({plan.key_variable}; not shown; {kept}): ", sys.stderr
        ).strip()
    except EOFError:
        raise KeyboardInterrupt from None


def _line(prompt: str) -> str:
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise KeyboardInterrupt
    return line.strip()


def _key_from_stdin() -> str:
    try:
        key = sys.stdin.read(MAX_KEY_CHARS).strip()
    except UnicodeDecodeError:
        key = ""
    if not key:
        raise ConfigError(
            "There is no key on standard input.", hint="Pipe it in: … | hermes setup …"
        )
    return key


def _default_model(provider: str, base_url: str, config: Config) -> str:
    known = BY_NAME.get(provider)
    if known and known.is_local:
        servers = [one for one in anyio.run(find_local_servers) if one.provider == provider]
        if servers and servers[0].models:
            return servers[0].models[0].name
        raise ConfigError(
            f"{known.title} is not running here, or has no model.",
            hint="Start it, or pass --model.",
        )
    if known and known.models:
        return known.models[0].model
    _find(
        Plan(provider, "any", base_url=base_url), config, {}
    )  # the better error, when there is no such provider
    raise ConfigError(f"Nobody knows which model of {provider!r} to use.", hint="Pass --model.")


def _current() -> tuple[Paths, Config, Secrets]:
    paths, loaded = load_here()
    return paths, loaded.config, load_secrets(paths, dict(os.environ), loaded.config)


def _check(plan: Plan, config: Config, secrets: Secrets) -> None:
    """Refuse a provider that does not exist, before anything is written."""
    if not plan.model:
        raise ConfigError("No model was named.", hint="Write it as the provider calls it.")
    if plan.base_url:
        parsed_value(("providers", plan.provider, "base_url"), plan.base_url)
    _find(plan, config, secrets)


def _find(plan: Plan, config: Config, secrets: Mapping[str, str]) -> Target:
    """How the plan's model would be called, as if its key were there."""
    settings = provider_settings(config)
    if plan.base_url:
        settings[plan.provider] = ProviderSettings(base_url=plan.base_url)
    return find_target(
        f"{plan.provider}/{plan.model}",
        providers=settings,
        secrets={**secrets, plan.key_variable: plan.key or "not asked for here"},
    )


def _write(paths: Paths, plan: Plan, secrets: Mapping[str, str]) -> None:
    if plan.key:
        write_secret(paths, plan.key_variable, plan.key)
        say(f"The key is in {shown(paths.env_file)}, which only you can read.")
        if secrets.get(plan.key_variable, plan.key) != plan.key and os.environ.get(
            plan.key_variable
        ):
            say(f"The environment's {plan.key_variable} goes before it; unset that one.")
    if plan.base_url:
        set_value(paths, ("providers", plan.provider, "base_url"), plan.base_url)
        if plan.key and plan.provider not in BY_NAME:
            set_value(paths, ("providers", plan.provider, "api_key"), f"${plan.key_variable}")
    set_value(paths, ("model",), f"{plan.provider}/{plan.model}")
    say(f"{plan.provider}/{plan.model} answers from now on. Check it with `hermes doctor`.")
    known = BY_NAME.get(plan.provider)
    names = known.key_variables if known else (plan.key_variable,)
    is_open = plan.base_url or (known and known.is_local)
    if not is_open and not plan.key and not any(secrets.get(name) for name in names):
        say(f"It has no key yet: export {plan.key_variable}, or run `hermes setup` again.")


def _use_rehearsal(paths: Paths) -> None:
    set_value(paths, ("model",), REHEARSAL)
    say("The rehearsal model answers from now on: no LLM, only a way to try everything.")
