"""Replacing small files whole or not at all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hermes_tui.config.files import read_regular, replace_file
from hermes_tui.core.errors import HermesError

WRITER = """
import sys
from pathlib import Path
from hermes_tui.config.files import replace_file
path = Path(sys.argv[1])
print("ready", flush=True)
while True:
    for letter in (b"a", b"b"):
        replace_file(path, letter * 200_000, mode=0o600)
"""


def test_a_reader_never_sees_half_a_file_even_when_the_writer_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    replace_file(path, b"a" * 200_000, mode=0o600)
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        with writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            for _ in range(100):
                content = path.read_bytes()
                assert len(content) == 200_000
                assert len(set(content)) == 1
            writer.kill()
        assert len(path.read_bytes()) == 200_000


def test_the_mode_is_the_one_asked_for_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        replace_file(tmp_path / "a", b"x", mode=0o600)
        replace_file(tmp_path / "b", b"x", mode=0o644)
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
    assert read_regular(tmp_path / "b", max_bytes=9).mode == 0o644


def test_a_folder_that_cannot_be_written_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "file" / "config.yaml"
    (tmp_path / "file").touch()
    with pytest.raises(HermesError, match=r"cannot be written: Not a directory\.") as caught:
        replace_file(path, b"x", mode=0o600)
    assert "nothing was changed" in caught.value.hint
    with pytest.raises(HermesError, match="cannot be written"):
        replace_file(tmp_path / "none" / "config.yaml", b"x", mode=0o600)


def test_a_full_disk_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "folder" / "config.yaml"
    path.parent.mkdir()
    path.write_bytes(b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(HermesError, match="No space left on device"):
        replace_file(path, b"new", mode=0o600)
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]
