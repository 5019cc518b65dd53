"""Finding execution environments: our own by a table, a third party's by its entry point."""

import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from msgspec.structs import replace

from hermes_tui.config.hidden import holds_secret, referred
from hermes_tui.config.paths import Paths
from hermes_tui.config.schema import Config
from hermes_tui.core.environment import Attendant, Environment, NoAttendant
from hermes_tui.core.errors import ConfigError, HermesError, PluginError

GROUP = "hermes_tui.environments"
"""The entry-point group in which a package names environments it brings."""

BUILT_IN = {
    "daytona": "hermes_environments.cloud.daytona:DaytonaEnvironment",
    "docker": "hermes_environments.docker:DockerEnvironment",
    "local": "hermes_environments.local:LocalEnvironment",
    "modal": "hermes_environments.cloud.modal:ModalEnvironment",
    "singularity": "hermes_environments.singularity:SingularityEnvironment",
    "ssh": "hermes_environments.ssh:SshEnvironment",
}
ALIASES = {"apptainer": "singularity"}
"""Other names people know a kind by."""
FILED = {
    "daytona": {"api_key": "$DAYTONA_API_KEY"},
    "modal": {"token_id": "$MODAL_TOKEN_ID", "token_secret": "$MODAL_TOKEN_SECRET"},
}
"""What a kind's SDK finds among exported variables, and is found in `.env` as well."""


def environment_kinds() -> list[str]:
    """Names of the installed kinds; nothing is imported."""
    return sorted({*BUILT_IN, *_plugins()})


def environment_choices(config: Config) -> list[str]:
    """What `--env` and the screen offer: the installed kinds and the configured places."""
    return sorted({*environment_kinds(), *config.environments})


def is_known(name: str, config: Config) -> bool:
    """Whether `name` is a configured place, or an installed kind, perhaps with a target."""
    word = name.partition(":")[0]
    return name in config.environments or _place_of_class(ALIASES.get(word, word)) is not None


def kind_of(name: str, config: Config) -> str:
    """The kind of the environment called `name`; it need not be installed.

    Raises:
        ConfigError: a place of that name is configured without a `backend`, or has a name
            that cannot be said.
    """
    place = config.environments.get(name)
    if place is None:
        word = name.partition(":")[0]
        return ALIASES.get(word, word)
    if "," in name or not name.strip():
        raise ConfigError(
            f"'environments' has a place called {name!r}, but commas stand between names.",
            hint="Give it a name without one.",
        )
    kind = place.get("backend")
    if not isinstance(kind, str):
        raise ConfigError(
            f"'environments.{name}' needs a 'backend'.",
            hint=f"Add `backend:` with one of: {', '.join(environment_kinds())}.",
        )
    return ALIASES.get(kind, kind)


def build_environment(
    name: str,
    *,
    config: Config,
    paths: Paths,
    cwd: Path,
    attendant: Attendant | None = None,
) -> Environment:
    """The environment called `name`, not opened yet.

    `name` is a place under `environments:` in the configuration, an installed
    kind, or `kind:target` such as `ssh:me@box`.

    Args:
        cwd: Where commands start in an environment that is this machine.
        attendant: Who hears of progress and answers its questions; nobody if None.

    Raises:
        ConfigError: there is none of that name, or its settings are wrong.
        PluginError: its package cannot be imported.
    """
    kind = kind_of(name, config)
    place = _place_of_class(kind)
    if place is None and name in config.environments:
        raise not_installed(("environments", name, "backend"), kind)
    if place is None:
        raise ConfigError(
            f"There is no environment {name!r}.",
            hint=f"Choose one of: {', '.join(environment_choices(config))}, or install a plug-in.",
        )
    options = _filled(_options(name, kind, config), kind, config, paths)
    try:
        module, _, attribute = place.partition(":")
        environment = getattr(import_module(module), attribute)
        return environment(
            name,
            cwd=config.terminal.cwd or str(cwd),
            pass_env=config.terminal.pass_env,
            state_dir=str(paths.run_dir),
            options=options,
            attendant=attendant or NoAttendant(),
        )
    except HermesError:
        raise
    except Exception as error:
        if kind in BUILT_IN and not isinstance(error, ImportError):
            raise
        raise PluginError(
            f"The environment {kind!r} cannot be loaded: {type(error).__name__}: {error}.",
            hint=f"Install what it needs, e.g. hermes-tui[{kind}]."
            if kind in BUILT_IN
            else f"Correct or remove the package that brings {place!r}.",
        ) from error


def left_behind(name: str, *, config: Config, paths: Paths, cwd: Path) -> "Remains":
    """What containers are left of a place that was called `name` and is configured no more."""
    place = replace(config, environments={name: {"backend": "docker"}})
    return cast("Remains", build_environment(name, config=place, paths=paths, cwd=cwd))


class Remains(Protocol):
    """All that was made under one name, whatever its settings were."""

    async def count_all(self) -> int: ...

    async def destroy_all(self) -> int: ...


def not_installed(key: Sequence[str], name: str) -> ConfigError:
    """The error for a setting that names a kind of environment which is not there."""
    return ConfigError(
        f"{'.'.join(key)!r} names {name!r}, which is not installed.",
        hint=f"Choose one of: {', '.join(environment_kinds())}.",
    )


def _options(name: str, kind: str, config: Config) -> dict[str, object]:
    """What `terminal.<kind>` says, then what the named place or the target adds."""
    shared: dict[str, object] = getattr(config.terminal, kind, {}) if kind in BUILT_IN else {}
    if place := config.environments.get(name):
        own: dict[str, object] = {key: value for key, value in place.items() if key != "backend"}
        common, variables = shared.get("env"), own.get("env")
        if isinstance(common, dict) and isinstance(variables, dict):
            own["env"] = {**common, **variables}
        return {**shared, **own}
    target = name.partition(":")[2]
    return {**shared, "target": target} if target else dict(shared)


def _filled(
    options: dict[str, object], kind: str, config: Config, paths: Paths
) -> dict[str, object]:
    """`options` with secrets that are references and not exported taken out of `.env`."""
    usual = FILED.get(kind, {})
    wanted = {
        key: variable
        for key, value in {**usual, **options}.items()
        if isinstance(value, str)
        and holds_secret(("environments", kind, key))
        and (variable := referred(value))
        and not os.environ.get(variable)
    }
    if not wanted:
        return options
    from hermes_tui.config.secrets import Secrets, read_env_file

    secrets = Secrets(os.environ, read_env_file(paths), uses_keyring=config.secrets.keyring)
    found = {key: value for key, name in wanted.items() if (value := secrets.get(name))}
    return {**options, **found}


def _place_of_class(kind: str) -> str | None:
    """Where the class of `kind` is, as `module:name`; None if nothing installed brings it."""
    return BUILT_IN.get(kind) or _plugins().get(kind)


def _plugins() -> Mapping[str, str]:
    # Reading what is installed takes 15 ms, which a start with an environment of our own saves.
    from importlib.metadata import entry_points

    return {entry.name: entry.value for entry in entry_points(group=GROUP)}
