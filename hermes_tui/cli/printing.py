"""Lines on stdout and stderr, without anything a terminal would obey."""

import sys
from pathlib import Path
from typing import Any

import msgspec

from hermes_tui.config.files import replace_file
from hermes_tui.core.errors import ConfigError
from hermes_tui.safety.terminal_text import visible


def print_line(text: str) -> None:
    """One line on stdout."""
    sys.stdout.write(visible(text) + "\n")


def print_json(value: Any) -> None:
    """One JSON value on stdout."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


def say(text: str) -> None:
    """One line on stderr, for people only."""
    sys.stderr.write(visible(text) + "\n")


def count(number: int, what: str) -> str:
    """`1 message`, `2 messages`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def write_file(name: str, content: bytes) -> None:
    """Write a file the person named.

    Raises:
        ConfigError: it is a folder.
        HermesError: it cannot be written.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        raise ConfigError(f"{name!r} is a folder.", hint="Name a file in it.")
    replace_file(path, content, mode=0o600)
