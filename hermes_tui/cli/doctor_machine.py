"""What `hermes doctor` finds out about the machine, the terminal and the home."""

import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

from hermes_tui.cli.doctor_finding import Finding
from hermes_tui.cli.doctor_store import store
from hermes_tui.config.paths import Paths, is_there, shown
from hermes_tui.config.schema import Config
from hermes_tui.runtime.environments import environment_choices, is_known
from hermes_tui.runtime.named_settings import FOLDER, problem_with

LOW_BYTES = 1024**3
FULL_BYTES = 64 * 1024**2
"""Less free space than this cannot hold the store and one large output."""

PROGRAMS: tuple[tuple[str, str, str], ...] = (
    ("git", "skills have no history without it", "Install git."),
    ("bash", "the local environment needs it", "Install bash."),
    ("rg", "the slower search of our own is used", "Install ripgrep."),
)


def machine() -> Iterator[Finding]:
    yield _python()
    yield _sqlite()
    for program, loss, hint in PROGRAMS:
        if path := shutil.which(program):
            yield Finding(program, "ok", path)
        else:
            yield Finding(program, "warning", f"not found; {loss}", hint)
    yield _terminal()


def home(paths: Paths) -> Iterator[Finding]:
    if paths.foreign_home is not None:
        yield Finding(
            "home",
            "warning",
            f"{shown(paths.foreign_home)} belongs to hermes-agent and is left alone",
        )
    nearest = next((place for place in (paths.home, *paths.home.parents) if is_there(place)), None)
    if nearest is None or not os.access(nearest, os.W_OK | os.X_OK):
        yield Finding(
            "home",
            "failure",
            f"{shown(paths.home)} cannot be written",
            "Make it writable, or set HERMES_HOME to a folder that is.",
        )
        return
    if nearest != paths.home:
        yield Finding("home", "ok", f"{shown(paths.home)}, made when first needed")
    elif paths.home.stat().st_mode & 0o077:
        yield Finding(
            "home",
            "warning",
            f"others may look into {shown(paths.home)}",
            f"Run: chmod 700 {shown(paths.home)}",
        )
    else:
        yield Finding("home", "ok", shown(paths.home))
    yield _space(nearest)
    if is_there(paths.database):
        yield store(paths.database)


def environments(config: Config) -> Iterator[Finding]:
    wanted = config.terminal.backend
    listed = ", ".join(environment_choices(config)) or "none"
    if is_known(wanted, config):
        yield Finding("environments", "ok", f"{listed}; {wanted} is used")
    else:
        yield Finding(
            "environments",
            "failure",
            f"terminal.backend is {wanted!r}, which is not installed",
            f"Choose one of: {listed}.",
        )
    if error := problem_with(FOLDER, config):
        yield Finding.of("folder", error)


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Finding("python", "ok", f"{version}, {sys.executable}")


def _sqlite() -> Finding:
    with sqlite3.connect(":memory:") as connection:
        kinds = [kind for kind in ("fts5", "fts4") if _has_index(connection, kind)]
    connection.close()
    version = sqlite3.sqlite_version
    if "fts5" in kinds:
        return Finding("sqlite", "ok", f"{version} with FTS5")
    instead = "FTS4, ranked by us" if kinds else "plain search, which is slow"
    return Finding("sqlite", "warning", f"{version} without FTS5; {instead}", "Use another Python.")


def _has_index(connection: sqlite3.Connection, kind: str) -> bool:
    try:
        connection.execute(f"CREATE VIRTUAL TABLE try_{kind} USING {kind}(text)")
    except sqlite3.OperationalError:
        return False
    return True


def _terminal() -> Finding:
    encoding = (sys.stdout.encoding or "").lower()
    if not sys.stdout.isatty():
        return Finding("terminal", "ok", f"none here, {encoding or 'no encoding'}")
    size = shutil.get_terminal_size()
    kind = os.environ.get("TERM", "")
    is_true_colour = os.environ.get("COLORTERM", "") in {"truecolor", "24bit"}
    colours = "16 million colours" if is_true_colour else "256 colours or fewer"
    detail = f"{kind or 'TERM is not set'}, {size.columns} by {size.lines}, {colours}, {encoding}"
    if kind in {"", "dumb"}:
        return Finding("terminal", "warning", detail, "Set TERM, e.g. to xterm-256color.")
    if "utf" not in encoding:
        return Finding("terminal", "warning", detail, "Use a UTF-8 locale, e.g. LANG=C.UTF-8.")
    if size.columns < 80 or size.lines < 24:
        return Finding("terminal", "warning", detail, "Make it 80 by 24 or larger for the screen.")
    return Finding("terminal", "ok", detail)


def _space(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1024**3:,.1f} GiB free"
    if free < FULL_BYTES:
        return Finding("disk", "failure", detail, "Free some space: nothing can be stored.")
    if free < LOW_BYTES:
        return Finding("disk", "warning", detail, "Free some space soon.")
    return Finding("disk", "ok", detail)
