"""What is kept of a command's output."""

import os
import stat
import time
from pathlib import Path

import pytest
from hermes_environments.capture import ALL_SPILL_BYTES, BATCH_BYTES, SPILL_BYTES, Capture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hermes_tui.core.environment import Output


def kept(output: Output) -> bytes:
    assert output.path is not None
    return Path(output.path).read_bytes()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    chunks=st.lists(st.binary(max_size=40), max_size=20),
    head=st.integers(0, 30),
    tail=st.integers(0, 30),
    cap=st.integers(1, 300),
)
async def test_both_ends_and_the_file_agree_with_what_was_written(
    chunks: list[bytes], head: int, tail: int, cap: int, tmp_path: Path
) -> None:
    capture = Capture(tmp_path, head_bytes=head, tail_bytes=tail, spill_bytes=cap)
    whole = b"".join(chunks)

    for chunk in chunks:
        await capture.add(chunk)
    output = await capture.output()

    assert output.total_bytes == len(whole)
    assert output.head == whole[:head]
    assert output.tail == whole[head:][-tail:] if tail else output.tail == b""
    assert output.is_complete == (len(whole) <= head + tail)
    assert (output.path is None) == output.is_complete
    if output.path:
        assert kept(output) == whole[:cap]


async def test_a_batch_and_more_is_in_the_file_once_the_output_is_asked_for(
    tmp_path: Path,
) -> None:
    capture = Capture(tmp_path)
    whole = os.urandom(BATCH_BYTES * 2 + 12_345)

    for at in range(0, len(whole), 65_536):
        await capture.add(whole[at : at + 65_536])
    output = await capture.output()

    assert kept(output) == whole


async def test_short_output_touches_no_disk(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "output")
    await capture.add(b"x" * 131_072)

    assert (await capture.output()).path is None
    assert not (tmp_path / "output").exists()


async def test_the_file_and_its_folder_are_for_this_user_only(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "run" / "output", head_bytes=1, tail_bytes=1)
    await capture.add(b"abc")
    await capture.close()

    (path,) = (tmp_path / "run" / "output").iterdir()
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent, tmp_path / "run")]
    assert modes == [0o600, 0o700, 0o700]


async def test_a_folder_that_cannot_be_made_costs_the_file_and_not_the_output(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    capture = Capture(tmp_path / "file" / "output", head_bytes=2, tail_bytes=2)
    await capture.add(b"abc")
    await capture.add(b"defgh")
    output = await capture.output()

    assert (output.head, output.tail, output.total_bytes) == (b"ab", b"gh", 8)
    assert output.path is None


async def test_a_file_that_vanished_is_not_offered(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "output", head_bytes=1, tail_bytes=1)
    await capture.add(b"abc")
    for path in (tmp_path / "output").iterdir():
        path.unlink()
    await capture.add(b"def")
    output = await capture.output()

    assert output.path is None
    assert output.total_bytes == 6


@pytest.mark.parametrize(("age_days", "is_kept"), [(1, True), (30, False)])
async def test_old_files_go_when_a_new_one_is_made(
    tmp_path: Path, age_days: int, is_kept: bool
) -> None:
    old = tmp_path / "earlier.txt"
    old.write_bytes(b"")
    then = time.time() - age_days * 86_400
    os.utime(old, (then, then))

    capture = Capture(tmp_path, head_bytes=1, tail_bytes=1)
    await capture.add(b"abc")
    await capture.close()

    assert old.exists() == is_kept


def old_files(folder: Path, count: int, size: int) -> list[Path]:
    """Files of earlier commands, the oldest first; they take no room on the disk."""
    folder.mkdir(exist_ok=True)
    now = time.time()
    found: list[Path] = []
    for number in range(count):
        path = folder / f"{number:016x}.txt"
        with path.open("wb") as file:
            file.truncate(size)
        os.utime(path, (now - 1000 + number, now - 1000 + number))
        found.append(path)
    return found


async def overflowing(folder: Path) -> Capture:
    capture = Capture(folder, head_bytes=1, tail_bytes=1)
    await capture.add(b"too long")
    return capture


async def test_the_oldest_files_make_room_for_a_new_one(tmp_path: Path) -> None:
    files = old_files(tmp_path, 5, SPILL_BYTES)
    capture = await overflowing(tmp_path)
    kept_size = sum(path.stat().st_size for path in files if path.exists())
    assert [path.exists() for path in files] == [False, False, True, True, True]
    assert kept_size + SPILL_BYTES <= ALL_SPILL_BYTES
    await capture.close()


async def test_a_file_a_command_still_writes_to_is_not_removed(tmp_path: Path) -> None:
    first = await overflowing(tmp_path)
    (mine,) = tmp_path.glob("*.txt")
    os.utime(mine, (0, 0))
    files = old_files(tmp_path, 4, SPILL_BYTES)

    second = await overflowing(tmp_path)
    assert [path.exists() for path in files] == [False, False, True, True]
    output = await first.output()
    assert kept(output) == b"too long"
    await second.close()

    os.utime(mine, (0, 0))
    third = await overflowing(tmp_path)
    assert not mine.exists()
    await third.close()
