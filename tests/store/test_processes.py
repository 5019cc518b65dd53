"""Several processes on one file, one of them dying."""

import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from hermes_tui.core.messages import user
from hermes_tui.store.store import Store
from tests.store.conftest import begin

WRITER = """
import sys, anyio
from pathlib import Path
from hermes_tui.core.messages import user
from hermes_tui.store.store import Store

async def main(path, session, count):
    async with Store.open(Path(path)) as store:
        for number in range(int(count)):
            await store.messages.append(session, user(f"needle {number} " + "word " * 50))
            print(number, flush=True)

anyio.run(main, *sys.argv[1:])
"""


def start_writer(path: Path, session: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, path, session, str(count)],
        stdout=subprocess.PIPE,
        text=True,
    )


def check(path: Path) -> None:
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.execute(
        "INSERT INTO messages_fts5 (messages_fts5, rank) VALUES ('integrity-check', 1)"
    )
    connection.close()


async def test_killed_at_any_moment_a_writer_loses_nothing_it_was_told_is_stored(
    path: Path,
) -> None:
    for _ in range(4):
        async with Store.open(path) as store:
            session = await begin(store)
        writer = start_writer(path, session.id, 100_000)
        assert writer.stdout is not None
        for _ in range(random.randrange(1, 60)):
            writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read().split()
        writer.stdout.close()
        assert writer.wait(timeout=10) == -signal.SIGKILL

        check(path)
        async with Store.open(path) as store:
            stored = await store.messages.of_session(session.id)
            numbers = [int(entry.message.text.split()[1]) for entry in stored]
            assert numbers == list(range(len(numbers)))
            if rest:
                acknowledged = int(rest[-1]) + 1
                assert acknowledged <= len(numbers) <= acknowledged + 1
            assert (await store.sessions.get(session.id)).message_count == len(numbers)
            found = await store.search.find("needle", session=session.id)
            assert found.total == len(numbers)


async def test_two_processes_write_while_a_third_reads(path: Path) -> None:
    async with Store.open(path) as store:
        sessions = [await begin(store) for _ in range(3)]
        writers = [start_writer(path, session.id, 60) for session in sessions[:2]]
        with anyio.fail_after(30):
            for number in range(60):
                await store.messages.append(sessions[2].id, user(f"needle {number}"))
                await store.search.find("needle")
        for writer in writers:
            _, _ = writer.communicate(timeout=30)
            assert writer.returncode == 0
        for session in sessions:
            stored = await store.messages.of_session(session.id)
            numbers = [int(entry.message.text.split()[1]) for entry in stored]
            assert numbers == list(range(60))
        assert (await store.search.find("needle")).total == 180
    check(path)


async def test_processes_that_start_together_make_one_store(path: Path) -> None:
    code = (
        "import sys, anyio; from pathlib import Path; from hermes_tui.store.store import Store\n"
        "from hermes_tui.core.messages import user\n"
        "async def main():\n"
        "    async with Store.open(Path(sys.argv[1])) as s:\n"
        "        made = await s.sessions.create(cwd='', model='', environment='', source='run')\n"
        "        await s.messages.append(made.id, user('hello'))\n"
        "anyio.run(main)"
    )
    starts = [subprocess.Popen([sys.executable, "-c", code, path]) for _ in range(4)]
    assert [start.wait(timeout=30) for start in starts] == [0] * 4
    async with Store.open(path) as store:
        assert len(await store.sessions.newest()) == 4


AUDITED = """
import os, sys, anyio
from datetime import UTC, datetime
from pathlib import Path
from hermes_tui.core.messages import *
from hermes_tui.core.ports import Prefix
from hermes_tui.core.usage import Usage
from hermes_tui.store.store import Store

opened = []

def hook(event, arguments):
    if event in ("open", "os.open", "shutil.copyfile") and ".db" in str(arguments[0]):
        opened.append((event, arguments[0]))

sys.addaudithook(hook)

async def use(path, fts):
    async with Store.open(path, fts=fts) as store:
        session = await store.sessions.create(cwd="/", model="m", environment="e", source="run")
        await store.sessions.set_prefix(session.id, Prefix("s", ()))
        await store.sessions.prefix(session.id)
        journal = store.journal(session.id)
        await journal.append(user("hello"))
        await journal.append(Message("assistant", (ToolCall("c", "t", "{}"),)))
        await journal.record_result(ToolResult("c", "done"), 0.1)
        await journal.record_usage(Usage(1), "m")
        await journal.append(tool_results(await store.messages.unanswered(session.id)))
        await store.messages.of_session(session.id)
        assert (await store.search.find("hello")).total
        await store.usage.by_day(datetime.now(UTC))
        await store.sessions.rename(session.id, "t")
        await store.sessions.newest()
        await store.sessions.delete(session.id)

path = Path(sys.argv[1])
for fts in ("fts5", "fts4", "like"):
    anyio.run(use, path, fts)
assert not opened, opened
path.open("rb").close()
assert len(opened) == 1, "the hook sees nothing"
print("clean")
"""


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="audit hooks are CPython's")
def test_python_never_opens_the_database_file_itself(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", AUDITED, path], capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    assert done.stdout == "clean\n"
