import multiprocessing
from pathlib import Path

import anyio
import pytest

from hermes_tui.core.errors import ToolError
from hermes_tui.memory.files import MemoryFiles


async def test_an_entry_is_kept_and_can_be_changed_and_removed(tmp_path: Path) -> None:
    files = MemoryFiles(tmp_path / "memory")
    await files.add("user", "Likes tabs.")
    await files.add("user", "Lives in Bern.")
    await files.replace("user", "tabs", "Likes spaces.")
    state = await files.remove("user", "Bern")
    assert state.entries == ["Likes spaces."]
    assert (tmp_path / "memory" / "USER.md").read_text("utf-8") == "Likes spaces.\n"


async def test_the_same_entry_is_not_kept_twice(tmp_path: Path) -> None:
    files = MemoryFiles(tmp_path)
    await files.add("memory", "Uses uv.")
    assert (await files.add("memory", " Uses uv. ")).entries == ["Uses uv."]


async def test_an_entry_over_the_limit_is_refused_with_the_figures(tmp_path: Path) -> None:
    files = MemoryFiles(tmp_path)
    await files.add("user", "x" * 1300)
    with pytest.raises(ToolError, match="would have 1,404 characters; it holds 1,375"):
        await files.add("user", "y" * 101)
    assert files.read("user").size == 1300


async def test_a_text_that_fits_no_entry_lists_the_entries(tmp_path: Path) -> None:
    files = MemoryFiles(tmp_path)
    await files.add("memory", "Uses uv.")
    with pytest.raises(ToolError, match=r"(?s)No entry contains 'pip'.*- Uses uv\."):
        await files.remove("memory", "pip")


async def test_hand_edits_are_kept(tmp_path: Path) -> None:
    files = MemoryFiles(tmp_path)
    (tmp_path / "MEMORY.md").write_text("By hand, on\ntwo lines.\n§\nAnd this\n", "utf-8")
    state = await files.add("memory", "New.")
    assert state.entries == ["By hand, on\ntwo lines.", "And this", "New."]


def _add_many(folder: Path, name: str) -> None:
    async def work() -> None:
        files = MemoryFiles(folder)
        for number in range(20):
            await files.add("memory", f"{name}{number}")

    anyio.run(work)


def test_two_processes_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_add_many, args=(tmp_path, name)) for name in "ab"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    entries = MemoryFiles(tmp_path).read("memory").entries
    assert sorted(entries) == sorted(f"{name}{n}" for name in "ab" for n in range(20))
