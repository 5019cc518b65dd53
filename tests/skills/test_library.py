import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hermes_tui.core.errors import NotFoundError
from hermes_tui.skills.library import MAX_DEPTH, Library, Root
from hermes_tui.skills.skill import skill_text
from hermes_tui.skills.validation import validate


def put(folder: Path, description: str = "Does it", *, name: str = "") -> Path:
    folder.mkdir(parents=True)
    (folder / "SKILL.md").write_text(skill_text(name or folder.name, description, "Body"), "utf-8")
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "skills"


def library(*folders: Path, cache: Path | None = None) -> Library:
    return Library([Root(folder, "person") for folder in folders], cache=cache)


def test_a_skill_is_found_with_the_folder_it_lies_in(home: Path) -> None:
    put(home / "git" / "bisect")
    put(home / "alone")
    shelf = library(home).load()
    assert [(skill.category, skill.name) for skill in shelf.skills] == [
        ("", "alone"),
        ("git", "bisect"),
    ]


def test_an_earlier_folder_wins_and_the_other_is_named(home: Path, tmp_path: Path) -> None:
    put(home / "bisect", "Mine")
    put(tmp_path / "bundled" / "git" / "bisect", "Theirs")
    shelf = library(home, tmp_path / "bundled").load()
    assert [skill.description for skill in shelf.skills] == ["Mine"]
    assert [skill.description for skill in shelf.hidden] == ["Theirs"]


def test_one_broken_skill_hides_no_other(home: Path) -> None:
    put(home / "good")
    (home / "bad").mkdir()
    (home / "bad" / "SKILL.md").write_text("no head")
    shelf = library(home).load()
    assert [skill.name for skill in shelf.skills] == ["good"]
    assert shelf.broken[0].path == home / "bad"
    assert "does not begin" in shelf.broken[0].problem


def test_links_depth_and_hidden_folders(home: Path, tmp_path: Path) -> None:
    put(tmp_path / "elsewhere" / "linked")
    home.mkdir()
    (home / "linked").symlink_to(tmp_path / "elsewhere" / "linked")
    put(home / ".archive" / "old")
    put(home.joinpath(*["deep"] * (MAX_DEPTH + 1), "lost"))
    put(home / "one" / "references" / "not-a-skill")
    shelf = library(home).load()
    assert shelf.skills == ()
    assert sorted(one.problem.split(".")[0] for one in shelf.broken) == [
        "It is a link",
        "It lies deeper than 5 folders; nothing below is read",
    ]


def test_a_change_on_disk_is_seen_through_the_cache(home: Path, tmp_path: Path) -> None:
    cache = tmp_path / "heads"
    put(home / "a", "Before")
    library(home, cache=cache).load()
    (home / "a" / "SKILL.md").write_text(skill_text("a", "After that", "Body"), "utf-8")
    put(home / "b")
    shelf = library(home, cache=cache).load()
    assert [skill.description for skill in shelf.skills] == ["After that", "Does it"]
    assert library(home, cache=cache).load() == shelf


@pytest.mark.parametrize("content", [b"", b"\x00\x01", b"\x92\x63\x80"])
def test_a_damaged_cache_is_made_anew(home: Path, tmp_path: Path, content: bytes) -> None:
    cache = tmp_path / "heads"
    cache.write_bytes(content)
    put(home / "a")
    assert [skill.name for skill in library(home, cache=cache).load().skills] == ["a"]


def test_a_name_nobody_has_brings_the_nearest(home: Path) -> None:
    put(home / "git-bisect")
    with pytest.raises(NotFoundError, match="Did you mean git-bisect"):
        library(home).load().get("git-bisct")


@pytest.mark.parametrize("put", [os.mkfifo, Path.mkdir])
def test_what_is_no_file_in_place_of_a_text_is_named_and_not_waited_for(
    tmp_path: Path, put: Callable[[Path], None]
) -> None:
    (tmp_path / "pipe").mkdir()
    put(tmp_path / "pipe" / "SKILL.md")
    (broken,) = Library([Root(tmp_path, "person")]).load().broken
    assert "no regular file" in broken.problem
    assert "not a regular file" in validate(broken.path).errors[0]


def test_a_folder_of_that_name_goes_before_one_that_claims_it(home: Path) -> None:
    put(home / "foo", "Claims it", name="pdf")
    put(home / "pdf", "Is it")
    shelf = library(home).load()
    assert [skill.description for skill in shelf.skills] == ["Is it"]
    assert [skill.description for skill in shelf.hidden] == ["Claims it"]


def test_a_file_in_small_letters_is_named(home: Path) -> None:
    (home / "a").mkdir(parents=True)
    (home / "a" / "skill.md").write_text(skill_text("a", "Does it", "Body"))
    assert library(home).load().broken[0].problem == (
        "Its file is called skill.md. Rename it to SKILL.md."
    )
