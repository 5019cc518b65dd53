"""What the subcommands of `hermes config` do."""

import os
import sys
from typing import Any, cast

import msgspec

from hermes_tui.cli.diagnostics import ExitCode, report, say
from hermes_tui.cli.editor import open_editor
from hermes_tui.config.files import replace_file
from hermes_tui.config.hidden import holds_secret, masked, referred
from hermes_tui.config.keys import Key, dotted, split_key
from hermes_tui.config.load import (
    Loaded,
    flattened,
    home_with,
    in_order,
    load_layers,
    project_problems,
    read_settings,
    value_at,
)
from hermes_tui.config.paths import Paths, current_folder, find_paths, is_there, shown
from hermes_tui.config.project import find_project_file
from hermes_tui.core.errors import ConfigError, HermesError, NotFoundError
from hermes_tui.safety.terminal_text import visible

TEMPLATE = """\
# Hermes's settings. `hermes config show` prints all of them with their values;
# docs/configuration.md explains each.
#
# model: openrouter/nousresearch/hermes-4-405b
# agent:
#   mode: ask
"""


def load_here() -> tuple[Paths, Loaded]:
    """The configuration in force in the current folder.

    Raises:
        ConfigError: a file or variable is wrong.
    """
    paths = find_paths(os.environ)
    return paths, load_layers(paths, environ=os.environ, cwd=current_folder())


def show(*, origin: bool, as_json: bool) -> None:
    _, loaded = load_here()
    if not origin:
        values = masked(msgspec.to_builtins(loaded.config), ())
        _print(_json(values) if as_json else _yaml(values))
        return
    rows = [
        {"key": dotted(key), "value": masked(value, key), "origin": str(loaded.origin(key))}
        for key, value in flattened(loaded.config).items()
    ]
    if as_json:
        _print(_json(rows))
        return
    for row in rows:
        _print(f"{row['key']}: {_json(row['value'])}  # {row['origin']}")


def get(text: str, *, as_json: bool) -> None:
    from hermes_tui.config.edit import checked_type

    key = split_key(text)
    checked_type(key)
    _, loaded = load_here()
    try:
        value = masked(msgspec.to_builtins(value_at(loaded.config, key)), key)
    except KeyError:
        value = None
    if as_json:
        _print(_json(value))
    elif value is None:
        raise NotFoundError(f"{dotted(key)!r} is not set.")
    elif isinstance(value, str):
        _print(value)
    elif isinstance(value, dict | list):
        _print(_yaml(cast("object", value)))
    else:
        _print(_json(value))


def change(text: str, value: str) -> None:
    from hermes_tui.cli.config_names import wrong_name
    from hermes_tui.config.edit import parsed_value, set_value

    paths, key = find_paths(os.environ), split_key(text)
    parsed = parsed_value(key, value)
    if error := wrong_name(key, home_with(paths, key, parsed)):
        raise error
    set_value(paths, key, parsed)
    say(f"{dotted(key)} is set in {shown(paths.config_file)}.")
    if holds_secret(key) and not referred(value):
        say("A key is safer in .env: run `hermes setup`, or write $NAME here.")
    _say_if_overruled(paths, key)


def remove(text: str) -> None:
    from hermes_tui.config.edit import unset_value

    paths, key = find_paths(os.environ), split_key(text)
    unset_value(paths, key)
    say(f"{dotted(key)} is no longer set in {shown(paths.config_file)}.")


def check() -> None:
    from hermes_tui.cli.config_names import wrong_names

    paths = find_paths(os.environ)
    problems: list[HermesError] = []
    home = read_settings(paths.config_file, "home")
    problems += [problem.error() for problem in in_order(home.problems)]
    folder = current_folder()
    project = find_project_file(folder) if folder else None
    if project:
        problems += [problem.error() for problem in in_order(project_problems(paths, project))]
    if not problems:
        _, loaded = load_here()
        problems += wrong_names(loaded)
    for error in problems:
        report(error)
    if problems:
        raise SystemExit(ExitCode.USAGE)
    files = [file for file in (paths.config_file, project) if file and is_there(file)]
    if not files:
        _print(f"{shown(paths.config_file)} is not there yet; every setting has its default.")
    for file in files:
        _print(f"{shown(file)} is fine.")


def path() -> None:
    _print(str(find_paths(os.environ).config_file))


def edit() -> None:
    paths = find_paths(os.environ)
    paths.create()
    if not is_there(paths.config_file):
        replace_file(paths.config_file, TEMPLATE.encode(), mode=0o600)
    open_editor(paths.config_file, hint="Check the file with `hermes config check`.")
    check()


def _say_if_overruled(paths: Paths, key: Key) -> None:
    """Warn when the value just written is not the one that counts here."""
    try:
        origin = load_layers(paths, environ=os.environ, cwd=current_folder()).origin(key)
    except ConfigError:
        return
    if origin.layer in {"project", "variable"}:
        say(f"It does not count here: {origin} goes before it.")


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _yaml(value: Any) -> str:
    import yaml

    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=4096).rstrip("\n")


def _print(text: str) -> None:
    sys.stdout.write(visible(text) + "\n")
