"""Finding execution environments: built-in ones and a third party's come the same way."""

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from hermes_tui.config.paths import Paths
from hermes_tui.config.schema import Config
from hermes_tui.core.environment import Environment
from hermes_tui.core.errors import ConfigError, PluginError

GROUP = "hermes_tui.environments"


def environment_kinds() -> list[str]:
    """Names of the installed kinds; nothing is imported."""
    return sorted(_installed())


def environment_choices(config: Config) -> list[str]:
    """What `--env` and the screen offer: the installed kinds and the configured places."""
    return sorted({*environment_kinds(), *config.environments})


def build_environment(name: str, *, config: Config, paths: Paths, cwd: Path) -> Environment:
    """The environment called `name`, not opened yet.

    `name` is a place under `environments:` in the configuration, an installed
    kind, or `kind:target` such as `ssh:me@box`.

    Raises:
        ConfigError: there is none of that name.
        PluginError: its package cannot be imported.
    """
    kind, _, target = name.partition(":")
    options: Mapping[str, object] = {"target": target} if target else {}
    folder = config.terminal.cwd
    if place := config.environments.get(name):
        kind, options = place.backend, place.options
    entry = _installed().get(kind)
    if entry is None:
        raise ConfigError(
            f"There is no environment {name!r}.",
            hint=f"Choose one of: {', '.join(environment_choices(config))}, or install a plug-in.",
        )
    try:
        environment = entry.load()
    except ImportError as error:
        raise PluginError(
            f"The environment {kind!r} cannot be loaded: {error}.",
            hint=f"Install what it needs, e.g. hermes-tui[{kind}].",
        ) from error
    return environment(
        name,
        cwd=folder or str(cwd),
        pass_env=config.terminal.pass_env,
        state_dir=str(paths.run_dir),
        options=options,
    )


def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}
