"""The person's editor."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

from hermes_tui.core.errors import ConfigError


def open_editor(path: Path, *, hint: str = "") -> None:
    """Open `path` in `$VISUAL`, `$EDITOR` or vi, and wait until it is closed.

    Args:
        hint: What to do when the editor ends badly.

    Raises:
        ConfigError: it cannot be started, or ends with another code than 0; or none is set and
            there is no terminal for vi.
    """
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not editor and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError(
            "There is no terminal here for an editor.",
            hint="Run it at a terminal, or set EDITOR to a command that needs none.",
        )
    editor = editor or "vi"
    try:
        done = subprocess.run([*shlex.split(editor), str(path)], check=False)
    except (OSError, ValueError):
        raise ConfigError(
            f"The editor {editor!r} cannot be started.", hint="Set EDITOR to one that is installed."
        ) from None
    if done.returncode != 0:
        raise ConfigError(f"The editor {editor!r} ended with {done.returncode}.", hint=hint)
