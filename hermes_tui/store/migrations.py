"""The schema, as the steps that lead to it.

Append only: a step that has shipped is never edited. `PRAGMA user_version` holds how many
have been applied. The full-text index is not part of it: which kind exists depends on
what SQLite was built with, see `hermes_tui.store.indexes`.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from hermes_tui.core.errors import StoreError
from hermes_tui.store.database import APPLICATION_ID


def _first(connection: sqlite3.Connection) -> None:
    for statement in (
        """
        CREATE TABLE prefixes (
            sha256 TEXT PRIMARY KEY,
            body   TEXT NOT NULL            -- JSON of core.ports.Prefix
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE sessions (
            key           INTEGER PRIMARY KEY,
            id            TEXT NOT NULL UNIQUE,
            title         TEXT NOT NULL,
            cwd           TEXT NOT NULL,
            model         TEXT NOT NULL,
            environment   TEXT NOT NULL,
            source        TEXT NOT NULL,
            created_at    INTEGER NOT NULL, -- times are microseconds since 1970, UTC
            updated_at    INTEGER NOT NULL,
            message_count INTEGER NOT NULL DEFAULT 0,
            deleted_at    INTEGER,
            prefix        TEXT REFERENCES prefixes
        )
        """,
        "CREATE INDEX deleted_sessions ON sessions (deleted_at) WHERE deleted_at IS NOT NULL",
        # AUTOINCREMENT: an id is never used twice, so an index entry left behind points nowhere.
        """
        CREATE TABLE messages (
            id          INTEGER PRIMARY KEY AUTOINCREMENT,
            session     INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
            role        TEXT NOT NULL,
            at          INTEGER NOT NULL,
            text        TEXT NOT NULL,
            layout      TEXT,               -- JSON; NULL: one part, prose
            search_text TEXT                -- only where the index must see something else
        )
        """,
        "CREATE INDEX messages_by_session ON messages (session)",
        # On which days (UTC, since 1970) messages of which block (id / 1024) were stored: a
        # hundredth of the size of an index on `at`, and right even when the clock goes back.
        """
        CREATE TABLE days (day INTEGER, block INTEGER, PRIMARY KEY (day, block))
        WITHOUT ROWID
        """,
        """
        CREATE TABLE tool_calls (
            message  INTEGER NOT NULL REFERENCES messages ON DELETE CASCADE,
            position INTEGER NOT NULL,      -- among the calls of that message, from 0
            call_id  TEXT NOT NULL,
            name     TEXT NOT NULL,
            status   TEXT NOT NULL CHECK (status IN ('called', 'finished', 'failed')),
            result   TEXT,                  -- JSON; NULL again once a tool message carries it
            seconds  REAL,
            PRIMARY KEY (message, position)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE usage (
            session          INTEGER REFERENCES sessions ON DELETE SET NULL,
            at               INTEGER NOT NULL,
            model            TEXT NOT NULL,
            input_tokens     INTEGER NOT NULL,
            output_tokens    INTEGER NOT NULL,
            cached_tokens    INTEGER NOT NULL,
            reasoning_tokens INTEGER NOT NULL,
            cost_usd         REAL,          -- NULL: unknown
            unpriced_calls   INTEGER NOT NULL
        )
        """,
        "CREATE INDEX usage_by_session ON usage (session)",
        # What the index sees. Tool output counts with its beginning and end; the line breaks
        # in a tool call's JSON are the two characters \n, which would glue an n to the next word.
        r"""
        CREATE VIEW message_bodies (rowid, body) AS
        SELECT id, CASE
            WHEN search_text IS NOT NULL THEN search_text
            WHEN role = 'tool' AND length(text) > 4000
                THEN substr(text, 1, 3000) || char(10) || substr(text, -1000)
            WHEN role = 'assistant' AND layout IS NOT NULL
                THEN replace(replace(text, '\n', ' '), '\t', ' ')
            ELSE text END
        FROM messages
        """,
    ):
        connection.execute(statement)


def _memory(connection: sqlite3.Connection) -> None:
    for statement in (
        # How a long history is shortened for the model; the messages themselves stay.
        """
        CREATE TABLE compactions (
            session    INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
            at         INTEGER NOT NULL,
            head       INTEGER NOT NULL,    -- these three count messages of the session,
            tail       INTEGER NOT NULL,    -- see core.history.Compaction
            whole      INTEGER NOT NULL,
            summary    TEXT NOT NULL
        )
        """,
        "CREATE INDEX compactions_by_session ON compactions (session)",
        # What a session was about, once it has ended.
        """
        CREATE TABLE summaries (
            -- AUTOINCREMENT as for messages; a changed summary gets a new id.
            id          INTEGER PRIMARY KEY AUTOINCREMENT,
            session     INTEGER NOT NULL UNIQUE REFERENCES sessions ON DELETE CASCADE,
            at          INTEGER NOT NULL,
            upto        INTEGER NOT NULL,   -- the last message it covers
            method      TEXT NOT NULL,      -- 'extractive', or the model's name
            text        TEXT NOT NULL,      -- as people read it
            search_text TEXT,               -- only where the index must see something else
            body        TEXT NOT NULL       -- JSON of the note
        )
        """,
        """
        CREATE VIEW summary_bodies (rowid, body) AS
        SELECT id, coalesce(search_text, text) FROM summaries
        """,
        "ALTER TABLE sessions ADD COLUMN archived_at INTEGER",
        # The last message that was looked through for what it teaches.
        "ALTER TABLE sessions ADD COLUMN reviewed INTEGER NOT NULL DEFAULT 0",
        # Every item the memory files ever held, so that their caps lose nothing.
        """
        CREATE TABLE memory_items (
            id            INTEGER PRIMARY KEY AUTOINCREMENT,
            target        TEXT NOT NULL CHECK (target IN ('memory', 'user')),
            text          TEXT NOT NULL,
            kind          TEXT NOT NULL,    -- fact, preference, project, environment, task
            origin        TEXT NOT NULL,    -- person, agent, hand, import
            session       TEXT NOT NULL,    -- id, or '' when none; outlives the session
            evidence      TEXT NOT NULL,    -- a quote or a command that bears it out
            learnt_at     INTEGER NOT NULL,
            confirmed_at  INTEGER NOT NULL,
            ended_at      INTEGER,          -- NULL: in the file now
            ending        TEXT,             -- superseded, archived, forgotten
            superseded_by INTEGER REFERENCES memory_items,
            strength      INTEGER NOT NULL DEFAULT 0,
            is_pinned     INTEGER NOT NULL DEFAULT 0
        )
        """,
        "CREATE INDEX memory_items_in_file ON memory_items (target) WHERE ended_at IS NULL",
    ):
        connection.execute(statement)


def _embeddings(connection: sqlite3.Connection) -> None:
    for statement in (
        # What texts mean; of one model each. A text that changes gets a new id, so a vector
        # never outlives what it stands for.
        """
        CREATE TABLE embeddings (
            id     INTEGER PRIMARY KEY,
            kind   TEXT NOT NULL CHECK (kind IN ('summary', 'memory')),
            ref    INTEGER NOT NULL,        -- id in summaries or memory_items
            model  TEXT NOT NULL,           -- 'provider/model'
            dims   INTEGER NOT NULL,        -- 0: the model cannot read this text
            vector BLOB NOT NULL,           -- half floats, little-endian, of length 1
            UNIQUE (kind, ref)
        )
        """,
        """
        CREATE TRIGGER embeddings_by_summary AFTER DELETE ON summaries BEGIN
            DELETE FROM embeddings WHERE kind = 'summary' AND ref = old.id;
        END
        """,
        """
        CREATE TRIGGER embeddings_by_memory AFTER DELETE ON memory_items BEGIN
            DELETE FROM embeddings WHERE kind = 'memory' AND ref = old.id;
        END
        """,
    ):
        connection.execute(statement)


def _skills(connection: sqlite3.Connection) -> None:
    for statement in (
        # What the skills on disk are found by; made anew from them whenever it is lost.
        """
        CREATE TABLE skill_entries (
            id    INTEGER PRIMARY KEY,
            name  TEXT NOT NULL UNIQUE,
            stamp TEXT NOT NULL,            -- changes when the skill does
            size  REAL NOT NULL             -- the sum of its weights
        )
        """,
        """
        CREATE TABLE skill_words (
            word   TEXT NOT NULL,           -- stemmed
            entry  INTEGER NOT NULL REFERENCES skill_entries ON DELETE CASCADE,
            weight REAL NOT NULL,           -- how often, and where, it says that word
            PRIMARY KEY (word, entry)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX skill_words_by_entry ON skill_words (entry)",
        # When a skill came into play, and what came of it.
        """
        CREATE TABLE skill_uses (
            id      INTEGER PRIMARY KEY AUTOINCREMENT,
            skill   TEXT NOT NULL,
            version INTEGER NOT NULL,
            session TEXT NOT NULL,          -- id, or '' when none; outlives the session
            at      INTEGER NOT NULL,
            how     TEXT NOT NULL,          -- loaded, asked, hinted
            outcome TEXT,                   -- NULL: not known yet
            note    TEXT NOT NULL DEFAULT ''
        )
        """,
        "CREATE INDEX skill_uses_by_skill ON skill_uses (skill)",
        "CREATE INDEX open_uses_by_session ON skill_uses (session) WHERE outcome IS NULL",
        "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
        # The last message whose task was looked through for what skills can learn from it; tasks
        # from before there were skills are not.
        "ALTER TABLE sessions ADD COLUMN tasks_reviewed INTEGER NOT NULL DEFAULT 0",
        """
        UPDATE sessions SET tasks_reviewed =
            coalesce((SELECT max(id) FROM messages WHERE session = key), 0)
        """,
    ):
        connection.execute(statement)


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _first,
    _memory,
    _embeddings,
    _skills,
)


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the schema up to date, within the caller's transaction.

    Raises:
        StoreError: the file is of a newer Hermes than this one.
    """
    version = known_version(connection, path)
    for migration in MIGRATIONS[version:]:
        migration(connection)
    if version < len(MIGRATIONS):
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def known_version(connection: sqlite3.Connection, path: Path) -> int:
    """How many of the steps have been applied.

    Raises:
        StoreError: the file is of a newer Hermes than this one.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise StoreError(
            f"{path} was made by a newer Hermes (schema {version}; "
            f"this one knows {len(MIGRATIONS)}).",
            hint="Upgrade Hermes, or set HERMES_HOME to another folder.",
        )
    return version
