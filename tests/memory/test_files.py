import os
from pathlib import Path

import anyio
import pytest

from hermes_tui.core.errors import HermesError, ToolError
from hermes_tui.memory import files as files_module
from hermes_tui.memory.files import MemoryFile, MemoryFiles

ROOT_READS_ALL = os.geteuid() == 0


async def put(files: MemoryFiles, *entries: str) -> MemoryFile:
    async with files.locked():
        return await files.write(files.read("memory"), entries)


async def test_what_is_written_is_read(files: MemoryFiles, tmp_path: Path) -> None:
    await put(files, "One.", "Two,\non two lines.")
    file = files.read("memory")
    assert file.entries == ["One.", "Two,\non two lines."]
    assert (file.size, file.limit, file.problems) == (len("One.\n§\nTwo,\non two lines."), 2200, ())
    path = tmp_path / "memory" / "MEMORY.md"
    assert path.read_text("utf-8") == "One.\n§\nTwo,\non two lines.\n"
    assert path.stat().st_mode & 0o777 == 0o600


async def test_the_version_before_stays_beside_it(files: MemoryFiles, tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "MEMORY.md").write_text("By hand\r\n", "utf-8")
    await put(files, "New.")
    assert (tmp_path / "memory" / "MEMORY.md.bak").read_bytes() == b"By hand\n"[:7] + b"\r\n"


async def test_a_broken_file_is_kept_byte_for_byte_before_it_is_mended(
    files: MemoryFiles, tmp_path: Path
) -> None:
    folder = tmp_path / "memory"
    folder.mkdir()
    broken = b"caf\xe9\n\xc2\xa7\nfine\n"
    (folder / "MEMORY.md").write_bytes(broken)
    file = files.read("memory")
    assert file.entries == ["caf\ufffd", "fine"]
    assert file.problems[0].startswith("MEMORY.md is not all UTF-8")
    await put(files, *file.entries, "more")
    await put(files, "other")
    assert [copy.read_bytes() for copy in folder.glob("MEMORY.md.broken-*")] == [broken]
    assert files.read("memory").problems == ()


async def test_a_folder_in_its_place_is_explained_and_stops_only_that_file(
    files: MemoryFiles, tmp_path: Path
) -> None:
    (tmp_path / "memory" / "MEMORY.md").mkdir(parents=True)
    file = files.read("memory")
    assert (file.entries, file.is_usable) == ([], False)
    assert file.problems[0].endswith("MEMORY.md is a folder, not a file.")
    with pytest.raises(ToolError, match="is a folder"):
        await put(files, "x")
    assert files.read("user").problems == ()


async def test_a_link_stays_one_and_what_it_leads_to_is_changed(
    files: MemoryFiles, tmp_path: Path
) -> None:
    (tmp_path / "memory").mkdir()
    dotfile = tmp_path / "dotfile.md"
    dotfile.write_text("kept\n", "utf-8")
    (tmp_path / "memory" / "MEMORY.md").symlink_to(dotfile)
    assert files.read("memory").entries == ["kept"]
    await put(files, "changed")
    assert (tmp_path / "memory" / "MEMORY.md").is_symlink()
    assert dotfile.read_text("utf-8") == "changed\n"


async def test_a_link_to_nothing_is_explained(files: MemoryFiles, tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "MEMORY.md").symlink_to(tmp_path / "gone")
    assert files.read("memory").problems[0].endswith("is a link to a file that is not there.")
    with pytest.raises(ToolError):
        await put(files, "x")


async def test_a_pipe_or_a_huge_file_is_not_read(files: MemoryFiles, tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    os.mkfifo(tmp_path / "memory" / "MEMORY.md")
    assert "not a regular file" in files.read("memory").problems[0]
    (tmp_path / "memory" / "USER.md").write_bytes(b"x" * 300_000)
    file = files.read("user")
    assert "larger than 64 KiB" in file.problems[0]
    assert not file.is_usable


@pytest.mark.skipif(ROOT_READS_ALL, reason="root may read everything")
async def test_an_unreadable_file_is_explained(files: MemoryFiles, tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "MEMORY.md").touch(mode=0o000)
    assert "cannot be read" in files.read("memory").problems[0]


async def test_over_the_cap_the_prompt_has_what_fits(files: MemoryFiles, tmp_path: Path) -> None:
    entries = [f"{number} " + "x" * 500 for number in range(6)]
    await put(files, *entries)
    file = files.read("memory")
    assert file.entries == entries
    assert file.problems[0].startswith("MEMORY.md has 3,027 of 2,200 characters")
    assert files.for_prompt("memory").entries == entries[:4]


async def test_what_a_killed_writer_left_is_swept(files: MemoryFiles, tmp_path: Path) -> None:
    folder = tmp_path / "memory"
    folder.mkdir()
    left = [folder / ".MEMORY.md.123.tmp", folder / ".USER.md.bak.9.tmp"]
    for path in left:
        path.touch()
    (folder / "mine.tmp").touch()
    await put(files, "x")
    assert [path.exists() for path in left] == [False, False]
    assert (folder / "mine.tmp").exists()


async def test_a_failed_write_changes_nothing(files: MemoryFiles, tmp_path: Path) -> None:
    await put(files, "kept")
    (tmp_path / "memory" / "MEMORY.md.bak").mkdir()
    with pytest.raises(HermesError, match="cannot be written"):
        await put(files, "new")
    assert files.read("memory").entries == ["kept"]
    assert not list((tmp_path / "memory").glob(".*.tmp"))


async def test_a_second_home_waits_for_the_first_and_gives_up(
    files: MemoryFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_module, "LOCK_SECONDS", 0.05)
    async with files.locked():
        with pytest.raises(HermesError, match="Another Hermes has held"):
            async with MemoryFiles(tmp_path / "memory").locked():
                pass
    with anyio.fail_after(1):
        async with MemoryFiles(tmp_path / "memory").locked():
            pass


async def test_a_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "memory").write_text("", "utf-8")
    with pytest.raises(HermesError, match="cannot be used"):
        async with MemoryFiles(tmp_path / "memory").locked():
            pass
