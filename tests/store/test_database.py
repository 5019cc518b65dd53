import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import anyio
import pytest

from hermes_tui.core.errors import StoreError
from hermes_tui.core.messages import user
from hermes_tui.store.database import APPLICATION_ID, Database
from hermes_tui.store.migrations import MIGRATIONS
from hermes_tui.store.store import Store
from tests.store.conftest import begin


async def test_the_file_is_made_the_way_the_rules_want_it(path: Path) -> None:
    async with Database.open(path) as database:
        # As two processes that start at once do, one finds the other's work half done.
        async with Store.open(path):
            pass

        def settings(connection: sqlite3.Connection) -> list[object]:
            names = ("application_id", "user_version", "journal_mode", "synchronous")
            names += ("foreign_keys", "trusted_schema")
            return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

        expected = [APPLICATION_ID, len(MIGRATIONS), "wal", 2, 1, 0]
        assert await database.write(settings) == expected
        assert await database.read(settings) == expected


async def test_nobody_else_may_read_the_files(path: Path) -> None:
    old_mask = os.umask(0)
    try:
        async with Store.open(path) as store:
            await begin(store)
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(old_mask)
    assert modes == {"hermes.db": 0o600, "hermes.db-wal": 0o600, "hermes.db-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    async with Store.open(path):
        pass
    path.chmod(0o644)
    async with Store.open(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"not a database, but long enough to have a header\n" * 50])
async def test_a_file_that_is_no_database_is_named_and_left_alone(
    path: Path, content: bytes
) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StoreError, match="is damaged, or not a database") as caught:
        async with Store.open(path):
            pass
    assert str(path) in caught.value.message
    assert "docs/store.md" in caught.value.hint
    assert path.read_bytes() == content


async def test_damaged_pages_are_reported_when_they_are_met(path: Path) -> None:
    async with Store.open(path) as store:
        session = await begin(store)
        for number in range(300):
            await store.messages.append(session.id, user(f"{number} " * 100))
    content = bytearray(path.read_bytes())
    for offset in range(8192 * 2, len(content), 8192):
        content[offset : offset + 512] = b"\xff" * 512
    path.write_bytes(content)
    with pytest.raises(StoreError, match="is damaged"):
        async with Store.open(path) as store:
            await store.messages.of_session(session.id)


async def test_another_programs_database_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        async with Store.open(path):
            pass
    assert path.read_bytes() == before


async def test_a_newer_schema_is_refused_not_guessed_at(path: Path) -> None:
    async with Store.open(path):
        pass
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="made by a newer Hermes"):
        async with Store.open(path):
            pass


async def test_a_folder_in_the_place_of_the_file_is_explained(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StoreError, match=r"hermes\.db cannot be opened"):
        async with Store.open(path):
            pass


async def test_a_home_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot be created") as caught:
        async with Store.open(tmp_path / "file" / "hermes.db"):
            pass
    assert "HERMES_HOME" in caught.value.hint


READ_ONLY = """
import os, sys, anyio
from pathlib import Path
from hermes_tui.core.errors import StoreError
from hermes_tui.store.store import Store

async def main():
    if os.geteuid() == 0:  # nothing is read-only for root
        os.setgid(65534)
        os.setuid(65534)
    try:
        async with Store.open(Path(sys.argv[1])):
            print("opened")
    except StoreError as error:
        print(error)

anyio.run(main)
"""


@pytest.mark.parametrize("existing", [True, False])
async def test_a_read_only_home_is_explained(existing: bool) -> None:
    # Not under pytest's own folder, which only its owner may enter.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hermes.db"
        if existing:
            async with Store.open(path):
                pass
            path.chmod(0o444)
        path.parent.chmod(0o555)
        try:
            done = subprocess.run(
                [sys.executable, "-c", READ_ONLY, path], capture_output=True, text=True, timeout=30
            )
        finally:
            path.parent.chmod(0o755)
    assert done.stderr == ""
    assert str(path) in done.stdout
    assert "Make the folder and the file writable for you" in done.stdout


async def test_a_full_disk_is_explained_and_nothing_is_half_written(path: Path) -> None:
    async with Store.open(path) as store:
        session = await begin(store)
        await store.messages.append(session.id, user("before"))
        database = store.messages._database  # pyright: ignore[reportPrivateUsage]

        def limit(connection: sqlite3.Connection) -> None:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages}")

        await database.write(limit)
        with pytest.raises(StoreError, match="the disk is full"):
            await store.messages.append(session.id, user("x" * 100_000))
        [stored] = await store.messages.of_session(session.id)
        assert stored.message.text == "before"
        assert (await store.sessions.get(session.id)).message_count == 1

        await database.write(lambda connection: connection.execute("PRAGMA max_page_count = 99999"))
        await store.messages.append(session.id, user("x" * 100_000))


async def test_writing_stops_when_the_file_was_replaced(path: Path) -> None:
    async with Store.open(path) as store:
        session = await begin(store)
        path.rename(path.with_name("moved.db"))
        with pytest.raises(StoreError, match="moved, deleted or replaced"):
            await store.messages.append(session.id, user("lost?"))
        path.with_name("moved.db").rename(path)
        await store.messages.append(session.id, user("kept"))


async def test_a_write_completes_although_its_caller_is_cancelled(path: Path) -> None:
    async with Store.open(path) as store:
        session = await begin(store)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await store.messages.append(session.id, user("kept"))
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(store.messages.append, session.id, user(str(number)))
            tasks.cancel_scope.cancel()
        stored = [entry.message.text for entry in await store.messages.of_session(session.id)]
    # A task cancelled before it began never asked; no write that was asked for is torn.
    assert stored[0] == "kept"
    assert stored[1:] == [str(number) for number in range(len(stored) - 1)]


async def test_a_cancelled_read_leaves_the_store_usable(path: Path) -> None:
    async with Store.open(path) as store:
        session = await begin(store)
        await store.messages.append(session.id, user("needle"))
        with anyio.CancelScope() as scope:
            scope.cancel()
            await store.search.find("needle")
        assert (await store.search.find("needle")).total == 1


async def test_a_failed_write_changes_nothing(path: Path) -> None:
    async with Store.open(path) as store:
        database = store.messages._database  # pyright: ignore[reportPrivateUsage]

        def fail(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM sessions")
            raise ValueError("half way")

        session = await begin(store)
        with pytest.raises(ValueError, match="half way"):
            await database.write(fail)
        assert (await store.sessions.get(session.id)) == session


async def test_a_store_used_after_it_closed_says_so(path: Path) -> None:
    async with Store.open(path) as store:
        session = await begin(store)
    with pytest.raises(StoreError, match="is closed"):
        await store.messages.append(session.id, user("late"))
    with pytest.raises(StoreError, match="is closed"):
        await store.sessions.newest()
    assert [file.name for file in path.parent.iterdir()] == ["hermes.db"]
