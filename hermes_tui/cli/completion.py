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


def skill_names(incomplete: str) -> list[tuple[str, str]]:
    """Skills whose name begins with `incomplete`, with what they are for."""
    return [(name, told) for name, _, told in _skills() if name.startswith(incomplete)]


def skill_categories(incomplete: str) -> list[str]:
    """Categories of skills that begin with `incomplete`."""
    return sorted({category for _, category, _ in _skills() if category.startswith(incomplete)})


def archived_skills(incomplete: str) -> list[tuple[str, str]]:
    """Archived skills whose name begins with `incomplete`, with what they are for."""
    return [(name, told) for name, _, told in _skills(archived=True) if name.startswith(incomplete)]


def _skills(*, archived: bool = False) -> list[tuple[str, str, str]]:
    """Name, category and description of the skills in use, or of those put away."""
    from hermes_tui.config.load import load_config
    from hermes_tui.config.paths import current_folder, find_paths
    from hermes_tui.core.errors import HermesError
    from hermes_tui.safety.terminal_text import visible_line
    from hermes_tui.skills.library import Library, list_skills
    from hermes_tui.skills.roots import trusted_roots
    from hermes_tui.skills.skill_files import ARCHIVE

    try:
        paths = find_paths(os.environ)
        config = load_config(paths, environ=os.environ, cwd=current_folder())
    except HermesError:
        return []  # nothing may be printed while a line is edited
    if archived:
        found = list_skills(paths.skills_dir / ARCHIVE)
    else:
        folders = config.skills.folders
        places = trusted_roots(paths, folders=folders, folder=current_folder())
        found = list(Library(places, cache=paths.run_dir / "skills.heads").load().skills)
    return [(one.name, one.category, visible_line(one.description, limit=60)) for one in found]


def setting_keys(incomplete: str) -> list[tuple[str, str]]:
    """Settings whose key begins with `incomplete`, with their meaning."""
    from hermes_tui.config.keys import dotted
    from hermes_tui.config.reference import entries

    named = [(dotted(entry.key), entry.meaning) for entry in entries()]
    return [(key, meaning) for key, meaning in named if key.startswith(incomplete)]


def modes(incomplete: str) -> list[str]:
    """Approval modes that begin with `incomplete`."""
    from hermes_tui.config.schema import MODES

    return [mode for mode in MODES if mode.startswith(incomplete)]


def reasoning_levels(incomplete: str) -> list[str]:
    """Levels of reasoning that begin with `incomplete`."""
    return [level for level in ("off", "low", "high") if level.startswith(incomplete)]


def model_names(incomplete: str) -> list[tuple[str, str]]:
    """Suggested models whose name begins with `incomplete`, with what each is good for."""
    from hermes_tui.models.catalog import PROVIDERS

    known = [("rehearsal", "no LLM: try everything offline")]
    for provider in PROVIDERS:
        known += [(f"{provider.name}/{one.model}", one.use) for one in provider.models]
    return [(name, use) for name, use in known if name.startswith(incomplete)]


def environment_names(incomplete: str) -> list[str]:
    """Installed kinds and configured places whose name begins with `incomplete`."""
    from hermes_tui.config.load import load_config
    from hermes_tui.config.paths import current_folder, find_paths
    from hermes_tui.config.schema import Config
    from hermes_tui.core.errors import HermesError
    from hermes_tui.runtime.environments import environment_choices

    try:
        config = load_config(find_paths(os.environ), environ=os.environ, cwd=current_folder())
    except HermesError:
        config = Config()  # nothing may be printed while a line is edited
    return [name for name in environment_choices(config) if name.startswith(incomplete)]


def setting_values(ctx: typer.Context, incomplete: str) -> list[str]:
    """What may stand under the key given before, where that is a choice."""
    from hermes_tui.config.keys import choices_of, split_key, type_at

    key = split_key(str(ctx.params.get("key") or ""))
    match key:
        case ("model",) | ("compression" | "memory", "model"):
            return [name for name, _ in model_names(incomplete)]
        case ("terminal", "backend") | ("environments", _, "backend"):
            return environment_names(incomplete)
        case ("tui", "theme"):
            from hermes_tui.tui.themes import theme_names

            known = theme_names()
        case _:
            known = choices_of(type_at(key))
    return [value for value in known if value.startswith(incomplete)]
