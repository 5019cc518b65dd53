"""Finding execution environments: our own by a table, a third party's by its entry point."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from hermes_tui.config.paths import Paths
from hermes_tui.config.schema import Config
from hermes_tui.core.environment import Attendant, Environment, NoAttendant
from hermes_tui.core.errors import ConfigError, PluginError

GROUP = "hermes_tui.environments"
"""The entry-point group in which a package names environments it brings."""

BUILT_IN = {
    "daytona": "hermes_environments.daytona:DaytonaEnvironment",
    "docker": "hermes_environments.docker:DockerEnvironment",
    "local": "hermes_environments.local:LocalEnvironment",
    "modal": "hermes_environments.modal:ModalEnvironment",
    "singularity": "hermes_environments.singularity:SingularityEnvironment",
    "ssh": "hermes_environments.ssh:SshEnvironment",
}
ALIASES = {"apptainer": "singularity"}
"""Other names people know a kind by."""


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
        ConfigError: a place of that name is configured without a `backend`.
    """
    place = config.environments.get(name)
    if place is None:
        word = name.partition(":")[0]
        return ALIASES.get(word, word)
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
    if place is None:
        raise ConfigError(
            f"There is no environment {name!r}.",
            hint=f"Choose one of: {', '.join(environment_choices(config))}, or install a plug-in.",
        )
    try:
        module, _, attribute = place.partition(":")
        environment = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise PluginError(
            f"The environment {kind!r} cannot be loaded: {error}.",
            hint=f"Install what it needs, e.g. hermes-tui[{kind}].",
        ) from error
    return environment(
        name,
        cwd=config.terminal.cwd or str(cwd),
        pass_env=config.terminal.pass_env,
        state_dir=str(paths.run_dir),
        options=_options(name, kind, config),
        attendant=attendant or NoAttendant(),
    )


def _options(name: str, kind: str, config: Config) -> dict[str, object]:
    """What `terminal.<kind>` says, then what the named place or the target adds."""
    shared: dict[str, object] = getattr(config.terminal, kind, {}) if kind in BUILT_IN else {}
    if place := config.environments.get(name):
        return {**shared, **{key: value for key, value in place.items() if key != "backend"}}
    target = name.partition(":")[2]
    return {**shared, "target": target} if target else dict(shared)


def _place_of_class(kind: str) -> str | None:
    """Where the class of `kind` is, as `module:name`; None if nothing installed brings it."""
    return BUILT_IN.get(kind) or _plugins().get(kind)


def _plugins() -> Mapping[str, str]:
    # Reading what is installed takes 15 ms, which a start with an environment of our own saves.
    from importlib.metadata import entry_points

    return {entry.name: entry.value for entry in entry_points(group=GROUP)}
