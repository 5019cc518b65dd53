"""The person's editor."""

import os
import shlex
import subprocess
from pathlib import Path

from hermes_tui.core.errors import ConfigError


def open_editor(path: Path, *, hint: str = "") -> None:
    """Open `path` in `$VISUAL`, `$EDITOR` or vi, and wait until it is closed.

    Args:
        hint: What to do when the editor ends badly.

    Raises:
        ConfigError: it cannot be started, or ends with another code than 0.
    """
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        done = subprocess.run([*shlex.split(editor), str(path)], check=False)
    except (OSError, ValueError):
        raise ConfigError(
            f"The editor {editor!r} cannot be started.", hint="Set EDITOR to one that is installed."
        ) from None
    if done.returncode != 0:
        raise ConfigError(f"The editor {editor!r} ended with {done.returncode}.", hint=hint)
