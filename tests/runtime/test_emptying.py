"""Removing what somebody else's commands left behind."""

import os
import stat
from pathlib import Path

import pytest

from hermes_tui.runtime.emptying import open_up, remove_folder


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder with a file, both as their owner wants them."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "key").write_text("secret")
    (folder / "key").chmod(0o440)
    folder.chmod(0o550)
    return folder


@pytest.fixture
def place(tmp_path: Path, outside: Path) -> Path:
    """A place whose folders are closed in every way, with links to what is outside."""
    root = tmp_path / "place"
    closed = {"read-only": 0o555, "unseen": 0o000, "unsearched": 0o600, "unread": 0o300}
    for name in closed:
        (root / name / "deeper").mkdir(parents=True)
        (root / name / "file").write_text("x")
        (root / name / "to-file").symlink_to(outside / "key")
        (root / name / "to-folder").symlink_to(outside)
    for name, mode in closed.items():
        (root / name / "deeper").chmod(0o000)
        (root / name).chmod(mode)
    root.chmod(0o500)
    return root


def modes(outside: Path) -> tuple[int, int]:
    return stat.S_IMODE(outside.stat().st_mode), stat.S_IMODE((outside / "key").stat().st_mode)


def test_every_folder_is_opened_and_nothing_a_link_leads_to(place: Path, outside: Path) -> None:
    open_up(place)
    folders = [Path(at) for at, _, _ in os.walk(place)]
    assert len(folders) == 9
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
    assert modes(outside) == (0o550, 0o440)


def test_a_closed_place_is_removed_and_what_its_links_lead_to_stays(
    place: Path, outside: Path
) -> None:
    remove_folder(place)
    assert not place.exists()
    assert modes(outside) == (0o550, 0o440)
    assert (outside / "key").read_text() == "secret"


def test_a_place_that_became_a_link_is_left_with_its_target(tmp_path: Path, outside: Path) -> None:
    root = tmp_path / "place"
    root.symlink_to(outside)
    remove_folder(root)
    open_up(root)
    assert modes(outside) == (0o550, 0o440)
    assert (outside / "key").exists()
