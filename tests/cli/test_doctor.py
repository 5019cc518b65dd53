"""`hermes doctor`: what it finds, and the code it ends with."""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hermes_tui.config.paths import Paths
from hermes_tui.config.secrets import write_secret
from tests.cli.conftest import Here
from tests.cli.terminal import hermes
from tests.doubles.openai_server import serve

KEY = "sk-0123456789abcdef"


def findings(out: str) -> dict[str, list[dict[str, Any]]]:
    """What `--json` printed, by name."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in msgspec.json.decode(out):
        found.setdefault(row["name"], []).append(row)
    return found


def only(out: str, name: str) -> tuple[str, str]:
    (row,) = findings(out)[name]
    return row["state"], f"{row['detail']} {row['hint']}"


@pytest.fixture
def paths(home: Path) -> Paths:
    home.mkdir(mode=0o700)
    return Paths(home=home, config_file=home / "config.yaml")


def test_a_fresh_home_is_fine_and_not_made(here: Here, home: Path) -> None:
    done = here("doctor", "--offline")
    assert (done.code, done.err) == (0, "")
    for said in ("✓ python: 3.", "✓ bash: /", "✓ home: ", "✓ disk: ", "✓ keys: none"):
        assert said in done.out
    assert "! model: rehearsal model: no LLM  Run `hermes setup`." in done.out
    assert not home.exists()


def test_sqlite_is_tried_not_assumed(here: Here) -> None:
    state, said = only(here("doctor", "--offline", "--json").out, "sqlite")
    assert ("FTS5" in said) is True
    assert state in {"ok", "warning"}


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("modle: x\n", "configuration", "line 1: unknown key 'modle'. See `hermes config check`."),
        ("terminal: {backend: nothing}\n", "environments", "'nothing', which is not installed"),
        ("terminal: {cwd: /nope}\n", "folder", "'terminal.cwd' names '/nope', and there is no"),
        ("model: openai/gpt-5.4\n", "model", "OPENAI_API_KEY"),
        ("model: opnai/x\n", "model", "Did you mean 'openai'?"),
        ("model: w/x\nproviders: {w: {base_url: 'http://h', api_key: $NOPE}}\n", "model", "$NOPE"),
    ],
)
def test_what_keeps_hermes_from_working_is_a_failure(
    here: Here, paths: Paths, text: str, name: str, said: str
) -> None:
    paths.config_file.write_text(text, "utf-8")
    done = here("doctor", "--offline", "--json")
    assert done.code == 1
    state, line = only(done.out, name)
    assert state == "failure"
    assert said in line


def test_a_home_that_cannot_be_written_is_a_failure(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HERMES_HOME", str(tmp_path / "file"))
    done = here("doctor", "--offline", "--json")
    assert done.code == 1
    assert "is not a folder" in only(done.out, "home")[1]


def test_a_home_others_may_look_into_is_a_warning(here: Here, paths: Paths) -> None:
    paths.home.chmod(0o755)
    state, said = only(here("doctor", "--offline", "--json").out, "home")
    assert (state, f"chmod 700 {paths.home}" in said) == ("warning", True)


def test_keys_are_named_and_never_shown(
    here: Here, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_secret(paths, "OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NOUS_API_KEY", f"{KEY}-2")
    done = here("doctor", "--offline")
    assert "✓ keys: NOUS_API_KEY (environment), OPENAI_API_KEY (.env)" in done.out
    assert KEY not in done.out
    paths.env_file.chmod(0o644)
    done = here("doctor", "--offline")
    assert done.code == 1
    assert f"chmod 600 {paths.env_file}" in done.out


def test_a_key_in_a_file_others_may_read_is_a_warning(here: Here, paths: Paths) -> None:
    paths.config_file.write_text(f"providers: {{w: {{api_key: {KEY}}}}}\n", "utf-8")
    paths.config_file.chmod(0o644)
    done = here("doctor", "--offline")
    assert f"chmod 600 {paths.config_file}" in done.out
    assert KEY not in done.out


def spoilt(database: Path) -> None:
    """Zeros over the pages in the middle."""
    raw = bytearray(database.read_bytes())
    middle = len(raw) // 2 // 8192 * 8192
    raw[middle : middle + 4 * 8192] = bytes(4 * 8192)
    database.write_bytes(raw)


def newer(database: Path) -> None:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA user_version = 99")


def foreign(database: Path) -> None:
    database.unlink()
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")


def no_database(database: Path) -> None:
    database.write_text("not a database, but long enough to be taken for one" * 20, "utf-8")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (newer, "was made by a newer Hermes (schema 99; this one knows "),
        (spoilt, "is damaged."),
        (foreign, "is a database of another program. Set HERMES_HOME"),
        (no_database, "is damaged, or not a database at all."),
    ],
)
def test_a_store_hermes_run_cannot_work_with_is_a_failure(
    here: Here, paths: Paths, harm: Callable[[Path], None], said: str
) -> None:
    here("run", "hi " * 20_000)
    state, line = only(here("doctor", "--offline", "--json").out, "store")
    assert (state, line) == ("ok", f"{paths.database}, 1 session ")
    harm(paths.database)
    done = here("doctor", "--offline", "--json")
    state, line = only(done.out, "store")
    assert (done.code, state) == (1, "failure")
    assert said in line


def test_a_home_of_hermes_agent_is_told(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = tmp_path / "user" / ".hermes"
    foreign.mkdir()
    (foreign / "state.db").touch()
    monkeypatch.delenv("HERMES_HOME")
    done = here("doctor", "--offline")
    assert "! home: ~/.hermes belongs to hermes-agent and is left alone" in done.out
    assert "~/.hermes-tui" in done.out


async def doctor_of(paths: Paths, model: str, base_url: str) -> tuple[int, tuple[str, str]]:
    """The code, and what is said of `model` behind `base_url`."""
    paths.config_file.write_text(
        f"model: {model}\nproviders: {{w: {{base_url: '{base_url}', api_key: $W_KEY}}}}\n", "utf-8"
    )
    done = await hermes("doctor", "--json", env={"W_KEY": KEY})
    assert KEY not in done.out + done.err
    return done.code, only(done.out, "model")


async def test_a_model_that_answers_is_fine(paths: Paths) -> None:
    async with serve() as server:
        server.models.append({"id": "mine"})
        assert await doctor_of(paths, "w/mine", server.url) == (0, ("ok", "w/mine; w answers "))
        code, (state, said) = await doctor_of(paths, "w/other", server.url)
    assert (code, state) == (0, "warning")
    assert "does not list 'other'" in said


async def test_a_server_that_is_not_there_is_a_failure(paths: Paths) -> None:
    code, (state, said) = await doctor_of(paths, "w/mine", "http://127.0.0.1:9/v1")
    assert (code, state) == (1, "failure")
    assert said.startswith("w cannot be reached at http://127.0.0.1:9/v1: ConnectError")
