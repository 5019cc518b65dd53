"""What every environment promises about reading and writing files."""

import os
import stat
from pathlib import Path

import pytest
from hermes_environments.base import BaseEnvironment
from hermes_environments.worker import quote

from hermes_tui.core.environment import Environment
from hermes_tui.core.errors import ToolError

NAMES = ["plain", "with space", "it's", '"$x`', "-n", "new\nline", "ünï", "a/b/c", "*", "\\"]


@pytest.mark.parametrize("name", NAMES)
async def test_bytes_come_back_as_they_were_written_whatever_the_name(
    environment: Environment, workspace: Path, name: str
) -> None:
    data = bytes(range(256)) + b"\n\n"

    await environment.write_file(name, data)

    assert await environment.read_file(name) == data
    assert (workspace / name).read_bytes() == data


async def test_paths_are_taken_from_the_working_directory_or_home(
    environment: Environment, workspace: Path, tmp_path: Path
) -> None:
    await environment.run("mkdir d; cd d", timeout=20)
    await environment.write_file("here", b"1")
    await environment.write_file("../there", b"2")
    await environment.write_file("~/at home", b"3")

    assert (workspace / "d/here").read_bytes() == b"1"
    assert (workspace / "there").read_bytes() == b"2"
    assert (tmp_path / "user/at home").read_bytes() == b"3"
    assert await environment.read_file("~/at home") == b"3"
    assert await environment.read_file(str(workspace / "there")) == b"2"


async def test_a_range_of_a_file_is_read(environment: Environment) -> None:
    await environment.write_file("digits", b"0123456789")

    assert await environment.read_file("digits", offset=3) == b"3456789"
    assert await environment.read_file("digits", limit=3) == b"012"
    assert await environment.read_file("digits", offset=3, limit=4) == b"3456"
    assert await environment.read_file("digits", offset=8, limit=9) == b"89"
    assert await environment.read_file("digits", offset=10) == b""


async def test_large_and_empty_files_pass(environment: Environment) -> None:
    data = os.urandom(3_000_000)
    await environment.write_file("large", data)
    await environment.write_file("empty", b"")

    assert await environment.read_file("large") == data
    assert await environment.read_file("empty") == b""


async def test_a_replaced_file_keeps_its_mode_and_a_new_one_follows_the_umask(
    environment: Environment, workspace: Path
) -> None:
    (workspace / "script").write_bytes(b"old")
    (workspace / "script").chmod(0o750)
    umask = os.umask(0)
    os.umask(umask)

    await environment.write_file("script", b"new")
    await environment.write_file("fresh", b"new")

    assert stat.S_IMODE((workspace / "script").stat().st_mode) == 0o750
    assert stat.S_IMODE((workspace / "fresh").stat().st_mode) == 0o666 & ~umask


async def test_a_link_stays_a_link_and_its_target_is_written(
    environment: Environment, workspace: Path
) -> None:
    (workspace / "real").mkdir()
    (workspace / "real/target").write_bytes(b"old")
    (workspace / "link").symlink_to("real/target")
    (workspace / "dangling").symlink_to("real/later")

    await environment.write_file("link", b"new")
    await environment.write_file("dangling", b"too")

    assert (workspace / "link").is_symlink()
    assert (workspace / "dangling").is_symlink()
    assert (workspace / "real/target").read_bytes() == b"new"
    assert (workspace / "real/later").read_bytes() == b"too"


async def test_a_file_is_replaced_and_never_half_written(
    environment: Environment, workspace: Path
) -> None:
    (workspace / "file").write_bytes(b"old")
    reader = os.open(workspace / "file", os.O_RDONLY)

    await environment.write_file("file", b"new")

    assert os.read(reader, 9) == b"old"
    os.close(reader)
    assert os.listdir(workspace) == ["file"]  # noqa: PTH208


async def test_what_is_no_file_is_refused_with_the_reason(
    environment: Environment, workspace: Path
) -> None:
    (workspace / "folder").mkdir()
    os.mkfifo(workspace / "fifo")
    (workspace / "loop").symlink_to("loop")

    for path, reason in {
        "missing": "There is no file",
        "folder": "is a folder",
        "fifo": "not a regular file",
        "/dev/zero": "not a regular file",
        "plain/below": "There is no file",
    }.items():
        (workspace / "plain").write_bytes(b"")
        with pytest.raises(ToolError, match=reason) as refusal:
            await environment.read_file(path)
        assert refusal.value.hint
    for path, reason in {
        "folder": "is a folder",
        "fifo": "not a regular file",
        "/dev/null": "not a regular file",
        "plain/below": "(There is no file|may not be written)",
        "loop": "may not be written",
        "/proc/no/such": "(There is no file|may not be written)",
    }.items():
        with pytest.raises(ToolError, match=reason):
            await environment.write_file(path, b"data")
    assert stat.S_ISCHR(os.lstat("/dev/null").st_mode)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
async def test_permissions_are_respected(environment: Environment, workspace: Path) -> None:
    (workspace / "secret").write_bytes(b"x")
    (workspace / "secret").chmod(0)
    (workspace / "closed").mkdir(mode=0o500)

    with pytest.raises(ToolError, match="may not be read"):
        await environment.read_file("secret")
    with pytest.raises(ToolError, match="may not be written"):
        await environment.write_file("closed/file", b"x")


async def test_a_nul_byte_in_a_path_is_refused(environment: Environment) -> None:
    with pytest.raises(ToolError):
        await environment.read_file("a\0b")
    with pytest.raises(ToolError):
        await environment.write_file("a\0b", b"")


async def test_reading_a_file_leaves_no_copy_on_this_machine(environment: BaseEnvironment) -> None:
    kept = environment._folder / "output"
    before = sorted(kept.glob("*"))
    await environment.write_file("large", bytes(3_000_000))

    code, printed = await environment.shell(b"cat " + quote(f"{environment.cwd}/large".encode()))

    assert (code, len(printed)) == (0, 3_000_000)
    assert sorted(kept.glob("*")) == before
