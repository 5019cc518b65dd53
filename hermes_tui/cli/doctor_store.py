"""What `hermes doctor` finds out about the store, which it only reads."""

import sqlite3
import time
from pathlib import Path

from hermes_tui.cli.doctor_finding import Finding
from hermes_tui.cli.printing import count
from hermes_tui.config.paths import shown
from hermes_tui.core.errors import StoreError
from hermes_tui.store.database import check_ours, explained
from hermes_tui.store.migrations import known_version

CHECK_SECONDS = 5.0
"""How long to look for damage at most; from memory that is enough for some GB."""
STEPS = 10_000
"""Of SQLite's virtual machine, between two looks at the clock."""
COUNT = "SELECT count(*) FROM sessions WHERE deleted_at IS NULL AND message_count > 0"


def store(database: Path) -> Finding:
    """Whether `hermes run` could open it, and whether it is whole."""
    try:
        connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=2)
        try:
            return _looked_into(connection, database)
        finally:
            connection.close()
    except StoreError as error:
        return Finding.of("store", error)
    except sqlite3.Error as error:
        known = explained(error, database)
        if isinstance(known, StoreError):
            return Finding.of("store", known)
        detail = f"{shown(database)} cannot be read: {error}"
        return Finding("store", "failure", detail, "Put a copy in its place, or move it away.")


def _looked_into(connection: sqlite3.Connection, database: Path) -> Finding:
    check_ours(connection, database)
    if known_version(connection, database) == 0:
        return Finding("store", "ok", f"{shown(database)}, still empty")
    damage = _damage(connection)
    if damage and "for FTS" in damage:  # as SQLite 3.44 and later say of an index
        detail = f"{shown(database)}: the search index is damaged"
        return Finding("store", "warning", detail, "It is built again when it is next used.")
    if damage:
        error = sqlite3.DatabaseError(damage)
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error
    (number,) = connection.execute(COUNT).fetchone()
    looked = "" if damage is not None else f"; {CHECK_SECONDS:.0f} s were too short to see all"
    return Finding("store", "ok", f"{shown(database)}, {count(number, 'session')}{looked}")


def _damage(connection: sqlite3.Connection) -> str | None:
    """The first damage in the file; empty when there is none, None when time was too short."""
    end = time.monotonic() + CHECK_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > end, STEPS)
    try:
        (told,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return None
    finally:
        connection.set_progress_handler(None, 0)
    return "" if told == "ok" else str(told)
