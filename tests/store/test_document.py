"""What `docs/store.md` tells people to do, done."""

import re
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from hermes_tui.core.messages import assistant, user
from hermes_tui.store.migrations import MIGRATIONS
from hermes_tui.store.store import Store
from tests.store.conftest import begin

DOCUMENT = (Path(__file__).parents[2] / "docs" / "store.md").read_text("utf-8")
RECIPE = DOCUMENT.partition("**Salvaging sessions.**")[2].split("```sh\n")[1].split("```")[0]


async def objects(path: Path) -> set[str]:
    """Names of everything in a store but the full-text indexes."""
    async with Store.open(path):
        pass
    connection = sqlite3.connect(path)
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    return {name for name in names if "_fts" not in name and not name.startswith("sqlite_")}


async def test_the_recipe_for_salvaging_names_everything_that_is_no_index(path: Path) -> None:
    named = re.search(r'"\.dump ([^"]*)"', RECIPE)
    assert named
    assert set(named[1].replace("\\\n", " ").split()) == await objects(path)


async def test_every_table_is_documented(path: Path) -> None:
    schema = DOCUMENT.partition("## Schema")[2].partition("**Text is stored once.**")[0]
    tables = {name for name in await objects(path) if "_by_" not in name and "_in_" not in name}
    assert [name for name in tables - {"deleted_sessions"} if f"`{name}`" not in schema] == []


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="needs the sqlite3 command")
async def test_a_salvaged_store_opens_with_its_messages(path: Path, tmp_path: Path) -> None:
    said = [user("Where is the port set?"), assistant("In serve.py.")]
    async with Store.open(path) as store:
        session = await begin(store)
        for message in said:
            await store.messages.append(session.id, message)
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    path.rename(damaged / "hermes.db")
    script = RECIPE.replace("~/.hermes/hermes.db", f"'{path}'")
    subprocess.run(["sh", "-ec", script], cwd=tmp_path, check=True)
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    connection.close()
    async with Store.open(path) as store:
        stored = await store.messages.of_session(session.id)
        assert [one.message for one in stored] == said
        assert (await store.search.find("port")).total == 1
