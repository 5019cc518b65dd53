"""Taking over a home of hermes-agent."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Here

SCHEMA = """
CREATE TABLE sessions (id TEXT PRIMARY KEY, title TEXT, cwd TEXT);
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT, role TEXT, content TEXT,
    tool_call_id TEXT, tool_calls TEXT, timestamp REAL, active INTEGER NOT NULL DEFAULT 1
);
"""
CALL = {"id": "c1", "type": "function", "function": {"name": "terminal", "arguments": "{}"}}
CONFIG = """\
_config_version: 12
model: {default: hermes-4, provider: custom, base_url: "http://127.0.0.1:9/v1"}
terminal: {backend: docker, docker_image: "debian:12", timeout: 90, home_mode: auto}
agent: {max_turns: 33}
compression: {enabled: true}
"""


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    home = tmp_path / "theirs"
    (home / "memories").mkdir(parents=True)
    (home / "memories" / "MEMORY.md").write_text("Uses uv.\n§\nTests run with just test.\n")
    (home / "memories" / "USER.md").write_text("Likes short answers.")
    (home / "SOUL.md").write_text("I am Ada.")
    (home / ".env").write_text("OPENAI_API_KEY=sk-abcdefghijkl\nOTHER=x\n")
    (home / "config.yaml").write_text(CONFIG)
    skill = home / "skills" / "ops" / "deploy"
    skill.mkdir(parents=True)
    (skill / "SKILL.md").write_text("---\nname: deploy\ndescription: Deploys.\n---\nRun it.\n")
    with closing(sqlite3.connect(home / "state.db")) as db, db:
        db.executescript(SCHEMA)
        db.execute("INSERT INTO sessions VALUES ('20260101_1', NULL, '/srv')")
        rows = [
            ("user", "Which port is the olive service on?", None, None, 1),
            ("assistant", None, None, json.dumps([CALL]), 1),
            ("tool", "7777", "c1", None, 1),
            ("assistant", '\0json:[{"type": "text", "text": "It is 7777."}]', None, None, 1),
            ("assistant", "an answer that was taken back", None, None, 0),
        ]
        db.executemany(
            "INSERT INTO messages (session_id, role, content, tool_call_id, tool_calls, active, "
            "timestamp) VALUES ('20260101_1', ?, ?, ?, ?, ?, 1767225600)",
            rows,
        )
    return home


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(f): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_everything_that_has_a_place_here_is_taken_and_the_rest_is_named(
    theirs: Path, here: Here
) -> None:
    before = bytes_of(theirs)
    done = here("import", "hermes-agent", str(theirs))
    assert done.code == 0, done.err
    assert "taken: 4 new messages of 1 session" in done.out
    assert "not taken: 1 API key; --with-keys takes them too" in done.out
    assert "without a counterpart: terminal.home_mode, compression.enabled" in done.out
    assert "Uses uv." in here("memory", "show").out
    assert "Likes short answers." in here("memory", "show").out
    assert here("config", "get", "model").out.strip() == "custom/hermes-4"
    assert here("config", "get", "terminal.backend").out.strip() == "docker"
    assert here("config", "get", "agent.max_steps").out.strip() == "33"
    home = Path(os.environ["HERMES_HOME"])
    assert (home / "SOUL.md").read_text() == "I am Ada."
    assert (home / "skills" / "ops" / "deploy" / "SKILL.md").exists()
    assert bytes_of(theirs) == before


def test_its_conversations_are_found_by_search(theirs: Path, here: Here) -> None:
    here("import", "hermes-agent", str(theirs))
    assert "Which port is the olive service on?" in here("sessions", "list").out
    found = here("sessions", "search", "olive service")
    assert found.code == 0
    assert "taken back" not in here("sessions", "search", "answer").out


def test_importing_twice_doubles_nothing(theirs: Path, here: Here) -> None:
    here("import", "hermes-agent", str(theirs))
    again = here("import", "hermes-agent", str(theirs))
    assert again.code == 0
    assert "taken: 0 new messages of 1 session" in again.out
    assert "not taken: the skill deploy: there is one already" in again.out
    assert here("memory", "show").out.count("Uses uv.") == 1


def test_a_dry_run_changes_nothing(theirs: Path, here: Here) -> None:
    home = Path(os.environ["HERMES_HOME"])
    done = here("import", "hermes-agent", str(theirs), "--dry-run")
    assert "would take: 4 messages of 1 session" in done.out
    assert not (home / "SOUL.md").exists()
    assert not (home / "hermes.db").exists()


def test_keys_come_along_only_when_wanted(theirs: Path, here: Here) -> None:
    done = here("import", "hermes-agent", str(theirs), "--with-keys")
    assert "taken: OPENAI_API_KEY" in done.out
    assert "sk-abc" not in done.out + done.err
    written = Path(os.environ["HERMES_HOME"], ".env").read_text()
    assert "sk-abcdefghijkl" in written
    assert "OTHER" not in written


def test_a_skill_with_links_stays_behind(theirs: Path, here: Here) -> None:
    (theirs / "skills" / "ops" / "deploy" / "link").symlink_to("/etc/passwd")
    done = here("import", "hermes-agent", str(theirs))
    assert "not taken: the skill deploy: it holds links" in done.out


def test_a_damaged_database_is_named_and_the_rest_is_taken(theirs: Path, here: Here) -> None:
    (theirs / "state.db").write_bytes(b"SQLite format 3\0" + b"\1" * 4000)
    done = here("import", "hermes-agent", str(theirs))
    assert done.code == 0
    assert "not taken: the rest of its sessions" in done.out
    assert "Uses uv." in here("memory", "show").out


@pytest.mark.parametrize("name", ["nowhere", "plain"])
def test_another_folder_is_refused(name: str, tmp_path: Path, here: Here) -> None:
    (tmp_path / "plain").mkdir()
    done = here("import", "hermes-agent", str(tmp_path / name))
    assert done.code != 0
    assert name in done.err
    assert "Traceback" not in done.err


def test_one_damaged_row_costs_that_message_only(theirs: Path, here: Here) -> None:
    with closing(sqlite3.connect(theirs / "state.db")) as db, db:
        db.execute("UPDATE messages SET tool_calls = '{oops' WHERE id = 2")
    done = here("import", "hermes-agent", str(theirs))
    assert done.code == 0, done.err
    assert "not taken: 1 message that cannot be read" in done.out
    assert "1 result of no call kept as text" in done.out
    assert "taken: 3 new messages of 1 session" in done.out


def test_a_session_deleted_here_stays_deleted(theirs: Path, here: Here) -> None:
    here("import", "hermes-agent", str(theirs))
    (session,) = json.loads(here("sessions", "list", "--json").out)
    here("sessions", "delete", session["id"])
    assert "1 session deleted here" in here("import", "hermes-agent", str(theirs)).out
    assert json.loads(here("sessions", "list", "--json").out) == []
    assert here("sessions", "restore", session["id"][:5]).code == 0
    assert len(json.loads(here("sessions", "list", "--json").out)) == 1


def test_archived_sessions_are_listed_exported_and_restored_by_a_prefix(
    theirs: Path, here: Here
) -> None:
    here("import", "hermes-agent", str(theirs))
    (session,) = json.loads(here("sessions", "list", "--json").out)
    with closing(sqlite3.connect(Path(os.environ["HERMES_HOME"]) / "hermes.db")) as db, db:
        db.execute("UPDATE sessions SET archived_at = 1")
    assert json.loads(here("sessions", "list", "--json").out) == []
    assert session["id"] in here("sessions", "list", "--archived").out
    assert session["id"] in here("sessions", "export").out
    assert here("sessions", "restore", session["id"][:4]).code == 0
    assert here("sessions", "list", "--archived").out == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("model: [1, 2\nterminal: x: y\n", "It is no YAML, line 2: "),
        ("when: 2026-13-45\n", "It is no YAML, as a whole: "),
        ("\x01", "It is no YAML, as a whole: "),
    ],
)
def test_a_broken_configuration_costs_one_line_and_nothing_else(
    theirs: Path, here: Here, content: str, said: str
) -> None:
    (theirs / "config.yaml").write_text(content)
    for options in ([], ["--dry-run"]):
        done = here("import", "hermes-agent", str(theirs), *options)
        (line,) = (line for line in done.out.splitlines() if "config.yaml:" in line)
        assert (done.code, line.startswith(f"  not taken: config.yaml: {said}")) == (0, True)
        assert "1 API key; --with-keys takes them too" in done.out


def test_a_dry_run_ends_as_the_import_would(theirs: Path, here: Here) -> None:
    (theirs / "state.db").write_bytes(b"SQLite format 3\0" + b"\1" * 4000)
    (theirs / ".env").write_text("no line of it")
    dry = here("import", "hermes-agent", str(theirs), "--dry-run")
    real = here("import", "hermes-agent", str(theirs))
    assert dry.code == real.code == 0

    def left(text: str) -> list[str]:
        return [line for line in text.splitlines() if "not taken" in line]

    assert left(dry.out) == left(real.out)
    assert any("the rest of its sessions" in line for line in left(dry.out))


def test_what_messages_hold_besides_text_is_named(theirs: Path, here: Here) -> None:
    with closing(sqlite3.connect(theirs / "state.db")) as db, db:
        content = '\0json:[{"type": "image_url", "image_url": {}}]'
        db.execute("UPDATE messages SET content = ? WHERE id = 1", (content,))
    for options in (["--dry-run"], []):
        done = here("import", "hermes-agent", str(theirs), *options)
        assert "not taken: what its messages hold besides text: 1 (image)" in done.out
