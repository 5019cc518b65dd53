"""`hermes completion`: scripts that make a shell complete our commands."""

import os
import sys
from typing import Annotated

import typer

COMPLETE_VARIABLE = "_HERMES_COMPLETE"
"""How the scripts ask: set to `complete_bash`, `complete_zsh` or `complete_fish`."""

BASH = """\
_hermes_complete() {
    local IFS=$'\\n'
    COMPREPLY=($(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" \\
        _HERMES_COMPLETE=complete_bash hermes 2>/dev/null))
}
complete -o default -F _hermes_complete hermes
"""

ZSH = """\
#compdef hermes
_hermes_complete() {
    eval "$(_TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" \\
        _HERMES_COMPLETE=complete_zsh hermes 2>/dev/null)"
}
compdef _hermes_complete hermes
"""

FISH = """\
function _hermes_complete
    _HERMES_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=$argv[1] \\
        _TYPER_COMPLETE_ARGS=(commandline -cp) hermes 2>/dev/null
end
complete --command hermes --no-files --condition "_hermes_complete is-args" \\
    --arguments "(_hermes_complete get-args)"
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}
SHOWN_SESSIONS = 50

app = typer.Typer(rich_markup_mode=None, add_completion=False)


def _shells(incomplete: str) -> list[str]:
    return [shell for shell in SCRIPTS if shell.startswith(incomplete)]


@app.command()
def completion(
    shell: Annotated[
        str, typer.Argument(help="bash, zsh or fish; yours if empty.", autocompletion=_shells)
    ] = "",
) -> None:
    """Print a completion script. For bash, put this into ~/.bashrc: eval "$(hermes completion)"."""
    from hermes_tui.cli.diagnostics import fail
    from hermes_tui.core.errors import ConfigError

    name = shell or os.environ.get("SHELL", "").rpartition("/")[2]
    if name not in SCRIPTS:
        fail(ConfigError(f"There is no completion for {name!r}.", hint="Name bash, zsh or fish."))
    sys.stdout.write(SCRIPTS[name])


def session_ids(incomplete: str) -> list[tuple[str, str]]:
    """Stored sessions whose id begins with `incomplete`, the last used first, with titles."""
    import sqlite3

    from hermes_tui.config.paths import find_paths
    from hermes_tui.core.errors import HermesError
    from hermes_tui.safety.terminal_text import visible_line

    query = """
        SELECT id, title FROM sessions
        WHERE deleted_at IS NULL AND message_count > 0 AND substr(id, 1, ?) = ?
        ORDER BY updated_at DESC LIMIT ?
    """
    try:
        database = find_paths(os.environ).database
        connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=0.2)
        try:
            parameters = (len(incomplete), incomplete, SHOWN_SESSIONS)
            rows: list[tuple[str, str]] = connection.execute(query, parameters).fetchall()
        finally:
            connection.close()
    except (HermesError, sqlite3.Error):
        return []  # nothing may be printed while a line is edited
    return [(id_, visible_line(title, limit=60) or "(untitled)") for id_, title in rows]


def memory_items(incomplete: str) -> list[tuple[str, str]]:
    """Numbers of memory items that begin with `incomplete`, the newest first, with their text."""
    import sqlite3

    from hermes_tui.config.paths import find_paths
    from hermes_tui.core.errors import HermesError
    from hermes_tui.safety.terminal_text import visible_line

    query = """
        SELECT id, text FROM memory_items
        WHERE substr(id, 1, ?) = ? ORDER BY id DESC LIMIT ?
    """
    try:
        database = find_paths(os.environ).database
        connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=0.2)
        try:
            parameters = (len(incomplete), incomplete, SHOWN_SESSIONS)
            rows: list[tuple[int, str]] = connection.execute(query, parameters).fetchall()
        finally:
            connection.close()
    except (HermesError, sqlite3.Error):
        return []  # nothing may be printed while a line is edited
    return [(str(id_), visible_line(text, limit=60)) for id_, text in rows]


def setting_keys(incomplete: str) -> list[tuple[str, str]]:
    """Settings whose key begins with `incomplete`, with their meaning."""
    from hermes_tui.config.keys import dotted
    from hermes_tui.config.reference import entries

    named = [(dotted(entry.key), entry.meaning) for entry in entries()]
    return [(key, meaning) for key, meaning in named if key.startswith(incomplete)]
