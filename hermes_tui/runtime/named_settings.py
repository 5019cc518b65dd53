"""Settings that name something which has to be there: a provider, an environment, a folder."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from hermes_tui.config.check import Origin
from hermes_tui.config.keys import Key, dotted
from hermes_tui.config.load import load_layers
from hermes_tui.config.paths import Paths
from hermes_tui.config.schema import Config
from hermes_tui.core.errors import ConfigError, ModelAuthError
from hermes_tui.runtime.environments import (
    environment_choices,
    is_known,
    kind_of,
    not_installed,
)
from hermes_tui.runtime.models import provider_settings

if TYPE_CHECKING:
    from hermes_tui.runtime.runtime import Overrides

MODEL: Key = ("model",)
BACKEND: Key = ("terminal", "backend")
FOLDER: Key = ("terminal", "cwd")


def load_checked(paths: Paths, *, cwd: Path, given: "Overrides") -> Config:
    """The settings in force in `cwd`; what the command line gave goes before them.

    Raises:
        ConfigError: a file or variable is wrong, or names what is not there; names it,
            its line and key.
    """
    loaded = load_layers(paths, environ=os.environ, cwd=cwd)
    config = loaded.config
    if given.cwd:
        config = replace(config, terminal=replace(config.terminal, cwd=None))
    due = ((MODEL, given.model), (BACKEND, given.environment), (FOLDER, given.environment))
    for key, overruled_by in due:
        is_set = key in loaded.origins and overruled_by is None
        if is_set and (error := problem_with(key, config)):
            raise located(error, loaded.origin(key))
    return config


def located(error: ConfigError, origin: Origin) -> ConfigError:
    """`error` with the place of the setting that is wrong."""
    return ConfigError(f"{origin}: {error.message}", hint=error.hint)


def problem_with(key: Key, config: Config) -> ConfigError | None:
    """What is wrong with what the setting at `key` names in `config`, if anything."""
    match key:
        case ("terminal", "backend"):
            name = config.terminal.backend
            return None if is_known(name, config) else _not_there(key, name, config)
        case ("environments", name, "backend"):
            kind = str(config.environments[name].get("backend", ""))
            # A place cannot be another's kind.
            is_kind = ":" not in kind and is_known(kind, Config())
            return _unsayable(name, config) if is_kind else not_installed(key, kind)
        case ("terminal", "cwd"):
            return _no_folder(key, config)
        case ("model",):
            return _no_model(key, config.model, config)
        case ("compression", "model"):
            return _no_model(key, config.compression.model, config)
        case ("memory", "model"):
            return _no_model(key, config.memory.model, config)
        case _:
            return None


def _not_there(key: Key, name: str, config: Config) -> ConfigError:
    choices = ", ".join(environment_choices(config))
    return ConfigError(not_installed(key, name).message, hint=f"Choose one of: {choices}.")


def _unsayable(name: str, config: Config) -> ConfigError | None:
    try:
        kind_of(name, config)
    except ConfigError as error:
        return error
    return None


def _no_folder(key: Key, config: Config) -> ConfigError | None:
    """Only a folder of this machine can be looked for."""
    folder = config.terminal.cwd
    if folder is None or config.terminal.backend != "local" or Path(folder).expanduser().is_dir():
        return None
    return ConfigError(
        f"{dotted(key)!r} names {folder!r}, and there is no such folder.",
        hint="Create it, or choose another.",
    )


def _no_model(key: Key, name: str | None, config: Config) -> ConfigError | None:
    from hermes_tui.models.resolve import REHEARSAL, REPLAY, find_target

    if name is None or name == REHEARSAL or name.startswith(REPLAY):
        return None
    try:
        find_target(name, providers=provider_settings(config), secrets=os.environ)
    except ModelAuthError:
        return None  # its key may come later
    except ConfigError as error:
        return ConfigError(f"{dotted(key)!r}: {error.message}", hint=error.hint)
    return None
