"""Several processes at the same memory."""

import random
import re
import signal
import subprocess
import sys
from pathlib import Path

from hermes_tui.memory.files import MemoryFiles
from hermes_tui.memory.memory import Memory
from hermes_tui.store.store import Store

WORKERS = 4
EACH = 12

ADDER = """
import sys, anyio
from pathlib import Path
from hermes_tui.core.memory import Source
from hermes_tui.memory.files import MemoryFiles
from hermes_tui.memory.memory import Memory
from hermes_tui.store.store import Store

async def main(home, name, count):
    async with Store.open(Path(home) / "hermes.db") as store:
        memory = Memory(MemoryFiles(Path(home) / "memory"), store.memory_items)
        for number in range(int(count)):
            text = f"The {name} service keeps the figure {number} in its own register."
            change = await memory.add("memory", text, source=Source("agent", name))
            assert change.learnt and not change.notes, change
            print(text, flush=True)

anyio.run(main, *sys.argv[1:])
"""


def start(home: Path, name: str, count: int = EACH) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", ADDER, home, name, str(count)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def test_processes_that_add_at_once_lose_nothing_and_never_meet_a_lock(
    tmp_path: Path,
) -> None:
    adders = [start(tmp_path, f"n{number}") for number in range(WORKERS)]
    for adder in adders:
        _, said = adder.communicate(timeout=50)
        assert (adder.returncode, said) == (0, "")
    async with Store.open(tmp_path / "hermes.db") as store:
        memory = Memory(MemoryFiles(tmp_path / "memory"), store.memory_items)
        items = await memory.items(with_ended=True)
        file = memory.files.read("memory")
    assert len({item.text for item in items}) == len(items) == WORKERS * EACH
    assert {item.origin for item in items} == {"agent"}
    assert {item.ending for item in items} == {None, "archived"}
    assert sorted(file.entries) == sorted(item.text for item in items if item.ended_at is None)
    assert file.size <= file.limit


async def test_killed_at_any_moment_a_writer_leaves_whole_files_and_loses_nothing(
    tmp_path: Path,
) -> None:
    told: list[str] = []
    for number in range(4):
        adder = start(tmp_path, f"n{number}", 10_000)
        assert adder.stdout is not None
        told += [adder.stdout.readline().strip() for _ in range(random.randrange(1, 40))]
        adder.send_signal(signal.SIGKILL)
        rest, _ = adder.communicate(timeout=20)
        told += rest.split("\n")[:-1]
        async with Store.open(tmp_path / "hermes.db") as store:
            memory = Memory(MemoryFiles(tmp_path / "memory"), store.memory_items)
            ever = {item.text for item in await memory.items(with_ended=True)}
            file = memory.files.read("memory")
        assert set(told) <= ever
        assert file.problems == ()
        assert all(re.fullmatch(r"The n\d service .* register\.", one) for one in file.entries)
    assert not list((tmp_path / "memory").glob(".*.tmp"))
