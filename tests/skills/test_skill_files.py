"""Folders are read and written exactly, and nothing leaves them."""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes_tui.core.errors import HermesError
from hermes_tui.skills.skill_files import (
    LINK,
    PLAIN,
    PROGRAM,
    Blob,
    Files,
    checked_path,
    is_git_name,
    put_files,
    read_files,
)

NAMES = st.text(st.sampled_from("ab .é\n\\"), min_size=1, max_size=3).filter(
    lambda name: name not in {".", ".."}
)
BLOBS = st.builds(Blob, st.sampled_from([PLAIN, PROGRAM]), st.binary(max_size=20)) | st.builds(
    Blob, st.just(LINK), st.binary(min_size=1, max_size=20).filter(lambda text: b"\0" not in text)
)


@st.composite
def folders(draw: st.DrawFn) -> Files:
    files: Files = {}
    for parts in draw(st.lists(st.lists(NAMES, min_size=1, max_size=3), max_size=6)):
        path = "/".join(parts)
        clashes = any(
            f"{path}/".startswith(f"{p}/") or f"{p}/".startswith(f"{path}/") for p in files
        )
        if not clashes:
            files[path] = draw(BLOBS)
    return files


@settings(max_examples=60, deadline=None)
@given(folders(), folders())
def test_a_folder_becomes_exactly_what_is_wanted_whatever_it_was(old: Files, new: Files) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "skill"
        for files in (old, new):
            put_files(folder, files)
            assert read_files(folder) == files
        assert folder.exists() == bool(new)


@pytest.mark.parametrize("content", [b"", b"text\n", bytes(range(256))])
def test_a_blob_has_the_name_git_gives_it(content: bytes) -> None:
    git = subprocess.run(
        ["git", "hash-object", "--stdin"], input=content, capture_output=True, check=True
    )
    assert Blob(PLAIN, content).id == git.stdout.decode().strip()


@pytest.mark.parametrize(
    "name", [".git", ".GIT", "git~1", ".git ", ".git.", ".git::$INDEX", ".git\\x"]
)
def test_every_spelling_of_git_is_passed_over(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "config").write_text("x")
    (tmp_path / ".gitignore").write_text("x")
    assert is_git_name(name)
    assert set(read_files(tmp_path)) == {".gitignore"}


def test_a_link_is_read_as_its_target_and_never_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/file").write_text("secret")
    (tmp_path / "skill").mkdir()
    (tmp_path / "skill/link").symlink_to(tmp_path / "secret")
    files = read_files(tmp_path / "skill")
    assert files == {"link": Blob(LINK, os.fsencode(tmp_path / "secret"))}
    put_files(tmp_path / "skill", {"link/file": Blob(PLAIN, b"changed")})
    assert (tmp_path / "secret/file").read_text() == "secret"
    assert (tmp_path / "skill/link/file").read_text() == "changed"
    (tmp_path / "whole").symlink_to(tmp_path / "secret")
    assert read_files(tmp_path / "whole") == {}


def test_a_file_that_is_right_is_not_written_again(tmp_path: Path) -> None:
    put_files(tmp_path / "skill", {"a": Blob(PLAIN, b"1"), "b": Blob(PLAIN, b"1")})
    before = (tmp_path / "skill/a").stat()
    put_files(tmp_path / "skill", {"a": Blob(PLAIN, b"1"), "b": Blob(PLAIN, b"2")})
    assert (tmp_path / "skill/a").stat().st_mtime_ns == before.st_mtime_ns
    put_files(tmp_path / "skill", {"a": Blob(PROGRAM, b"1")})
    assert os.access(tmp_path / "skill/a", os.X_OK)


def test_too_much_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10**10)
    with pytest.raises(HermesError, match="too large"):
        read_files(tmp_path)
    deep = tmp_path / "deep"
    (deep / "/".join("d" * 60)).mkdir(parents=True)
    with pytest.raises(HermesError, match="too large"):
        read_files(deep)


@given(st.text())
def test_a_path_is_refused_or_stays_below_the_folder(path: str) -> None:
    try:
        checked_path(path)
    except HermesError:
        return
    parts = path.split("/")
    assert all(part and not part.startswith(".") for part in parts)
    assert "\0" not in path
