"""Finding execution environments: built-in ones and a third party's come the same way."""

from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from hermes_tui.config.paths import Paths
from hermes_tui.config.schema import Config
from hermes_tui.core.environment import Attendant, Environment, NoAttendant
from hermes_tui.core.errors import ConfigError, PluginError

GROUP = "hermes_tui.environments"
ALIASES = {"apptainer": "singularity"}
"""Other names people know a kind by."""


def environment_kinds() -> list[str]:
    """Names of the installed kinds; nothing is imported."""
    return sorted(_installed())


def environment_choices(config: Config) -> list[str]:
    """What `--env` and the screen offer: the installed kinds and the configured places."""
    return sorted({*environment_kinds(), *config.environments})


def is_known(name: str, config: Config) -> bool:
    """Whether `name` is a configured place, or an installed kind, perhaps with a target."""
    word = name.partition(":")[0]
    return name in config.environments or ALIASES.get(word, word) in _installed()


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
        cwd=config.terminal.cwd or str(cwd),
        pass_env=config.terminal.pass_env,
        state_dir=str(paths.run_dir),
        options=_options(name, kind, config),
        attendant=attendant or NoAttendant(),
    )


def _options(name: str, kind: str, config: Config) -> dict[str, object]:
    """What `terminal.<kind>` says, then what the named place or the target adds."""
    shared: dict[str, object] = getattr(config.terminal, kind, {}) if kind in _SHARED else {}
    if place := config.environments.get(name):
        return {**shared, **{key: value for key, value in place.items() if key != "backend"}}
    target = name.partition(":")[2]
    return {**shared, "target": target} if target else dict(shared)


_SHARED = frozenset({"docker", "ssh", "singularity", "modal", "daytona"})


def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}
