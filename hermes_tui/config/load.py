"""All layers of configuration made into one `Config`.

`HERMES_*` variable > project `.hermes.yaml` > home `config.yaml` > default; flags of
the command line go before all of them and are the business of front ends. The project's file and
the variables can make Hermes more careful, never less.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import msgspec
from msgspec import Struct

from hermes_tui.config.check import Checked, Layer, Origin, Problem, Setting, check_file, leaf
from hermes_tui.config.keys import (
    Key,
    describe,
    fields_of,
    section_of,
    type_at,
    values_of,
)
from hermes_tui.config.paths import Paths, is_there, shown
from hermes_tui.config.project import combined, find_project_file, refusal
from hermes_tui.config.schema import Config, Section
from hermes_tui.config.yaml_tree import Scalar, scalar_value

VARIABLES: dict[str, Key] = {"HERMES_MODEL": ("model",), "HERMES_MODE": ("agent", "mode")}
"""Environment variables that set something; the mode only to a stricter one."""

DEFAULT = Origin("default")


class Loaded(Struct, frozen=True):
    """The configuration in force, and where each of its values comes from."""

    config: Config
    origins: Mapping[Key, Origin]
    """Of the values somebody set; the others are defaults."""

    def origin(self, key: Key) -> Origin:
        return self.origins.get(key, DEFAULT)


def load_config(
    paths: Paths,
    *,
    environ: Mapping[str, str],
    cwd: Path | None = None,
) -> Config:
    """The settings in force for a person working in `cwd`; see `load_layers`."""
    return load_layers(paths, environ=environ, cwd=cwd).config


def load_layers(
    paths: Paths,
    *,
    environ: Mapping[str, str],
    cwd: Path | None = None,
) -> Loaded:
    """The settings in force for a person working in `cwd`, and where they come from.

    Args:
        cwd: Where to look for a project's file from; None looks nowhere.

    Raises:
        ConfigError: a file or variable is wrong; names it, its line and key.
    """
    layers = _Layers()
    layers.add(_raised(read_settings(paths.config_file, "home")))
    if cwd is not None and (file := find_project_file(cwd)):
        layers.add_tighter(_raised(read_settings(file, "project")))
    layers.add_tighter(_variables(environ), free={("model",)})
    return layers.loaded()


def read_settings(file: Path, layer: Layer) -> Checked:
    """What one file sets, and what is wrong with it; nothing when it is not there.

    Raises:
        ConfigError: it is not readable as YAML at all.
    """
    if not is_there(file):
        return Checked([], [])
    from hermes_tui.config.yaml_reader import read_tree

    return check_file(read_tree(file), source=shown(file), layer=layer)


def project_problems(paths: Paths, file: Path) -> list[Problem]:
    """Everything wrong with a project's file, given the person's own configuration.

    Raises:
        ConfigError: either file is not readable as YAML.
    """
    layers = _Layers()
    layers.add(read_settings(paths.config_file, "home").settings)
    checked = read_settings(file, "project")
    refused = (refusal(setting, layers.value(setting.key)) for setting in checked.settings)
    return [*checked.problems, *(problem for problem in refused if problem)]


def home_with(paths: Paths, key: Key, value: object) -> Config:
    """The person's own settings with one changed; what is wrong in the file is left out.

    Raises:
        ConfigError: the file is not readable as YAML.
    """
    layers = _Layers()
    settings = read_settings(paths.config_file, "home").settings
    layers.add([*settings, Setting(key, value, DEFAULT)])
    return layers.loaded().config


def value_at(config: Config, key: Key) -> object:
    """The value of the setting or section at `key`, which may be a default.

    Raises:
        KeyError: the schema knows it, but it is not set: there is no such name.
    """
    value: object = config
    for name in key:
        if isinstance(value, Section):
            value = getattr(value, name)
        else:
            value = cast("dict[str, object]", value)[name]
    return value


def flattened(config: Config) -> dict[Key, object]:
    """Every setting with its value, in the order of the schema."""
    found: dict[Key, object] = {}

    def visit(value: Any, type_: object, key: Key) -> None:
        if section := section_of(type_):
            for name, field in fields_of(section).items():
                visit(getattr(value, name), field.type, (*key, name))
        elif values := values_of(type_):
            for name, inner in value.items():
                visit(inner, values, (*key, name))
        else:
            found[key] = value

    visit(config, Config, ())
    return found


class _Layers:
    """Values by key while layer is put upon layer."""

    def __init__(self) -> None:
        self._values: dict[Key, object] = {}
        self._origins: dict[Key, Origin] = {}

    def value(self, key: Key) -> object:
        if key in self._values:
            return self._values[key]
        try:
            return value_at(Config(), key)
        except KeyError:
            return None

    def add(self, settings: Iterable[Setting]) -> None:
        for setting in settings:
            self._set(setting, setting.value)

    def add_tighter(self, settings: Iterable[Setting], *, free: Iterable[Key] = ()) -> None:
        """Add settings that may only make Hermes more careful, `free` ones excepted."""
        for setting in settings:
            before = self.value(setting.key)
            if setting.key not in free and (problem := refusal(setting, before)):
                raise problem.error()
            self._set(setting, combined(setting, before))

    def loaded(self) -> Loaded:
        tree: dict[str, Any] = {}
        for key, value in self._values.items():
            place = tree
            for name in key[:-1]:
                place = place.setdefault(name, {})
            place[key[-1]] = value
        return Loaded(msgspec.convert(tree, Config), self._origins)

    def _set(self, setting: Setting, value: object) -> None:
        self._values[setting.key] = value
        self._origins[setting.key] = setting.origin


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """`problems` of one file, the first line first."""
    return sorted(problems, key=lambda problem: problem.origin.line or 0)


def _raised(checked: Checked) -> list[Setting]:
    if not checked.problems:
        return checked.settings
    first, *others = in_order(checked.problems)
    error = first.error()
    if others:
        error.hint += f" `hermes config check` lists {len(others)} more."
    raise error


def _variables(environ: Mapping[str, str]) -> list[Setting]:
    found: list[Setting] = []
    for name, key in VARIABLES.items():
        text, type_, origin = environ.get(name, ""), type_at(key), Origin("variable", f"${name}")
        if not text:
            continue
        try:
            value = leaf(Scalar(scalar_value(text), 0, text), type_)
        except ValueError:
            message = f"it must be {describe(type_)}, not {text!r}."
            raise Problem(message, "Change or unset it.", origin).error() from None
        found.append(Setting(key, value, origin))
    return found
