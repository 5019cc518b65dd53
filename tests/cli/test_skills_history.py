"""`hermes skills log`, `diff`, `blame`, `rollback`, `undo`, `archive`, `restore`, `export`."""

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from hermes_tui.skills.skill_files import MAX_FILES
from tests.cli.conftest import Here
from tests.cli.skill_folders import put_skill
from tests.cli.terminal import Typed, hermes


@pytest.fixture
def washed(here: Here, home: Path) -> Path:
    """A skill with two versions, both by hand; the second has a script."""
    put_skill(home, "car-wash", body="The first text.\n")
    here("skills", "log")
    folder = put_skill(home, "car-wash", body="The second text.\n")
    (folder / "scripts").mkdir()
    (folder / "scripts" / "rinse.sh").write_text("echo rinse\n", "utf-8")
    (folder / "scripts" / "rinse.sh").chmod(0o755)
    here("skills", "log")
    return folder


def versions(here: Here, name: str) -> list[str]:
    return [line.split()[0] for line in here("skills", "log", name).out.splitlines()]


def test_edits_by_hand_become_versions_before_the_history_is_read(here: Here, home: Path) -> None:
    put_skill(home, "car-wash")
    put_skill(home, "old-car")
    done = here("skills", "log")
    assert done.err == "Took 2 edits by hand into the history: car-wash and old-car.\n"
    assert sorted(line.split()[:2] for line in done.out.splitlines()) == [
        ["car-wash", "v1"], ["old-car", "v1"]
    ]  # fmt: skip
    assert here("skills", "log").err == ""


def test_a_line_of_the_log_says_when_who_what_and_why(here: Here, washed: Path) -> None:
    done = here("skills", "log", "car-wash")
    newest, oldest = done.out.splitlines()
    assert newest.split()[0] == "v2"
    assert newest.split()[2:4] == ["you", "edit"]
    assert newest.endswith("Changed by hand.")
    assert oldest.endswith("Added by hand.")
    listed = json.loads(here("skills", "log", "--json").out)
    assert [(one["skill"], one["number"], one["by_user"]) for one in listed] == [
        ("car-wash", 2, True), ("car-wash", 1, True)
    ]  # fmt: skip
    limited = here("skills", "log", "--limit", "1")
    assert len(limited.out.splitlines()) == 1
    assert limited.err == "Not shown: 1 older version; pass --limit.\n"


def test_differences_are_shown_between_any_two_versions(here: Here, washed: Path) -> None:
    whole = here("skills", "diff", "car-wash").out
    assert "-The first text.\n+The second text.\n" in whole
    assert "+echo rinse\n" in whole
    assert here("skills", "diff", "car-wash", "1").out == whole
    assert here("skills", "diff", "car-wash", "v1", "v2").out == whole
    assert (
        "-The second text.\n+The first text.\n" in here("skills", "diff", "car-wash", "2", "1").out
    )
    assert here("skills", "diff", "car-wash", "2").err == "They are the same.\n"
    assert here("skills", "diff", "car-wash", "9").code == 1


def test_each_line_is_blamed_on_its_version(here: Here, washed: Path) -> None:
    lines = here("skills", "blame", "car-wash").out.splitlines()
    assert (lines[1].split()[0], lines[-1].split()[0]) == ("v1", "v2")
    assert "echo rinse" in here("skills", "blame", "car-wash", "scripts/rinse.sh").out
    told = json.loads(here("skills", "blame", "car-wash", "--json").out)
    assert (told[-1]["number"], told[-1]["text"]) == (2, "The second text.")
    assert here("skills", "blame", "car-wash", "nothing").code == 1


def test_a_roll_back_shows_what_changes_and_removes_what_came_later(
    here: Here, washed: Path
) -> None:
    done = here("skills", "rollback", "car-wash", "--version", "1")
    assert done.code == 3
    assert "+The first text." in done.out
    assert "Pass --yes to go ahead." in done.err
    assert "second" in (washed / "SKILL.md").read_text("utf-8")
    done = here(
        "skills", "rollback", "car-wash", "--version", "v1", "--yes", "-m", "It was better."
    )
    assert (done.code, done.err) == (0, "v3 of car-wash has what v1 had.\n")
    assert "first" in (washed / "SKILL.md").read_text("utf-8")
    assert not (washed / "scripts").exists()
    assert here("skills", "log", "car-wash").out.splitlines()[0].endswith("It was better.")
    again = here("skills", "rollback", "car-wash", "--version", "1", "--yes")
    assert again.err == "'car-wash' is as it was in v1 already.\n"
    assert here("skills", "rollback", "car-wash", "--version", "8", "--yes").code == 1


@pytest.mark.parametrize(("answer", "code", "text"), [("y", 0, "first"), ("n", 3, "second")])
def test_a_person_is_asked_before_a_roll_back(
    washed: Path, answer: str, code: int, text: str
) -> None:
    with Typed("skills", "rollback", "car-wash", "--version", "1") as terminal:
        terminal.awaits("The first text.")
        terminal.awaits("Make car-wash as it was in v1? [y/N] ")
        terminal.types(f"{answer}\n")
        assert terminal.ends() == code
    assert text in (washed / "SKILL.md").read_text("utf-8")


def test_a_broken_skill_is_rolled_back(here: Here, washed: Path) -> None:
    (washed / "SKILL.md").write_text("no head at all", "utf-8")
    assert here("skills", "show", "car-wash").code == 1
    assert here("skills", "rollback", "car-wash", "--version", "2", "--yes").code == 0
    assert here("skills", "show", "car-wash").code == 0
    assert versions(here, "car-wash") == ["v4", "v3", "v2", "v1"]


def test_the_newest_change_is_taken_back_and_a_created_skill_archived(
    here: Here, washed: Path
) -> None:
    done = here("skills", "undo", "car-wash")
    assert done.err == "Took back v2 of car-wash (edit: Changed by hand.); v3 is without it.\n"
    assert "first" in (washed / "SKILL.md").read_text("utf-8")
    assert not (washed / "scripts").exists()
    here("skills", "new", "tire-change", "-d", "Change a tire; use when one is flat.")
    assert "it is archived now" in here("skills", "undo", "tire-change").err
    assert here("skills", "show", "tire-change").code == 1


def test_an_archived_skill_keeps_its_history_and_comes_back(here: Here, washed: Path) -> None:
    done = here("skills", "archive", "car-wash", "-m", "Sold the car.")
    assert done.err == ("Archived car-wash. Bring it back with: hermes skills restore car-wash\n")
    assert not washed.exists()
    assert here("skills", "archive", "car-wash").code == 1
    assert "Sold the car." in here("skills", "log", "car-wash").out
    assert here("skills", "restore", "car-wash").err == "Restored car-wash, v4.\n"
    assert (washed / "scripts" / "rinse.sh").stat().st_mode & 0o100
    done = here("skills", "restore", "car-wash")
    assert (done.code, "is not archived" in done.err) == (2, True)
    assert here("skills", "restore", "no-such-thing").code == 1


def test_a_deleted_skill_comes_back_as_it_was_or_in_an_older_version(
    here: Here, washed: Path
) -> None:
    shutil.rmtree(washed)
    assert here("skills", "restore", "car-wash").code == 0
    assert (washed / "scripts" / "rinse.sh").exists()
    shutil.rmtree(washed)
    assert here("skills", "rollback", "car-wash", "--version", "1", "--yes").code == 0
    assert "first" in (washed / "SKILL.md").read_text("utf-8")


def test_a_bundled_skill_has_no_history_until_it_is_changed(here: Here) -> None:
    for command in (["log"], ["diff"], ["undo"], ["archive"], ["rollback", "--version", "1"]):
        done = here("skills", command[0], "review-a-diff", *command[1:])
        assert done.code == 1
        assert "`hermes skills edit review-a-diff` makes a copy of your own" in done.err
    assert here("skills", "pin", "review-a-diff").code == 0
    assert versions(here, "review-a-diff") == ["v2", "v1"]
    assert "Another review-a-diff is used instead" in here("skills", "archive", "review-a-diff").err
    assert here("skills", "show", "review-a-diff").code == 0
    assert here("skills", "restore", "review-a-diff").code == 0


def test_a_skill_is_exported_to_a_folder_and_to_a_zip_file(
    here: Here, washed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (washed / "link").symlink_to("/etc/passwd")
    monkeypatch.chdir(tmp_path)
    assert here("skills", "export", "car-wash").err == (
        f"Wrote 2 files of car-wash to {tmp_path / 'car-wash'}.\nLeft out: 1 link.\n"
    )
    assert (tmp_path / "car-wash" / "scripts" / "rinse.sh").stat().st_mode & 0o100
    assert here("skills", "export", "car-wash").code == 2
    (tmp_path / "there").mkdir()
    here("skills", "export", "car-wash", "there", "--version", "1")
    old = tmp_path / "there" / "car-wash"
    assert [file.name for file in old.iterdir()] == ["SKILL.md"]
    assert "first" in (old / "SKILL.md").read_text("utf-8")
    assert here("skills", "export", "car-wash", "car.zip").code == 0
    with zipfile.ZipFile("car.zip") as packed:
        assert packed.namelist() == ["car-wash/SKILL.md", "car-wash/scripts/rinse.sh"]
        assert packed.infolist()[1].external_attr >> 16 & 0o111
    assert here("skills", "export", "review-a-diff", "bundled.zip").code == 0
    assert here("skills", "export", "no-such-thing").code == 1


async def test_without_git_skills_are_listed_and_written_and_the_history_says_why(
    washed: Path, tmp_path: Path
) -> None:
    nowhere = tmp_path / "bin"
    nowhere.mkdir()
    env = {"PATH": str(nowhere)}
    listed = await hermes("skills", "list", env=env)
    assert (listed.code, "car-wash" in listed.out) == (0, True)
    assert (await hermes("skills", "show", "car-wash", env=env)).code == 0
    for command in (["log"], ["diff", "car-wash"], ["undo", "car-wash"], ["blame", "car-wash"]):
        done = await hermes("skills", *command, env=env)
        assert done.code == 1
        assert done.err.startswith("hermes: There is no git on the PATH")
    made = await hermes(
        "skills", "new", "dry-run", "-d", "Try it dry; use before it rains.", env=env
    )
    assert made.code == 0
    assert "! It has no history: There is no git on the PATH" in made.err
    assert (await hermes("skills", "archive", "dry-run", env=env)).code == 0
    assert (await hermes("skills", "restore", "dry-run", env=env)).code == 0


def test_a_damaged_repository_is_named_and_left_alone(here: Here, home: Path, washed: Path) -> None:
    repository = home / "skills" / ".git"
    shutil.rmtree(repository / "objects")
    before = sorted(repository.rglob("*"))
    done = here("skills", "log", "car-wash")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert here("skills", "list").code == 0
    assert here("skills", "export", "car-wash", str(home / "out")).code == 0
    assert set(before) <= set(repository.rglob("*"))


def test_a_skill_too_large_for_versions_says_so(here: Here, home: Path) -> None:
    data = put_skill(home, "big") / "data"
    data.mkdir()
    for number in range(MAX_FILES + 1):
        (data / str(number)).touch()
    for words in (["undo", "big"], ["diff", "big"], ["rollback", "big", "--version", "1", "--yes"]):
        done = here("skills", *words)
        assert done.code == 1
        assert "'big' has no versions: " in done.err
        assert "too large for a skill" in done.err


def test_what_a_change_came_to_is_one_object(
    here: Here, home: Path, washed: Path, tmp_path: Path
) -> None:
    def told(*words: str) -> dict[str, Any]:
        done = here("skills", *words, "--json")
        assert done.code == 0
        return json.loads(done.out)

    shown = told("diff", "car-wash")
    assert (shown["old"], shown["new"]) == ("1", "2")
    assert "+The second text." in shown["diff"]
    back = told("rollback", "car-wash", "--version", "1", "--yes")
    assert (back["version"], back["changed"], back["restored"]) == (3, True, "1")
    assert told("rollback", "car-wash", "--version", "1", "--yes")["changed"] is False
    undone = told("undo", "car-wash")
    assert (undone["took_back"], undone["version"], undone["archived"]) == (3, 4, False)
    assert told("archive", "car-wash") == {"name": "car-wash", "archived": True, "version": 5}
    assert told("restore", "car-wash") == {"name": "car-wash", "archived": False, "version": 6}
    out = told("export", "car-wash", str(tmp_path / "out"))
    assert out["path"] == str(tmp_path / "out")
    assert "SKILL.md" in out["files"]


@pytest.mark.parametrize("name", ["car.tar.gz", "car.tgz", "car.skill", "car.zip"])
def test_an_exported_archive_is_installed_again_and_never_overwritten(
    here: Here, washed: Path, tmp_path: Path, name: str
) -> None:
    target = tmp_path / name
    assert here("skills", "export", "car-wash", str(target)).code == 0
    content = target.read_bytes()
    again = here("skills", "export", "car-wash", str(target))
    assert again.code == 2
    assert "is there already" in again.err
    assert target.read_bytes() == content
    done = here("skills", "install", str(target), "--name", "wheel-wash", "--yes")
    assert done.code == 0, done.err
    assert (washed.parent / "wheel-wash" / "scripts" / "rinse.sh").is_file()


def test_an_archive_of_another_form_is_refused(here: Here, washed: Path, tmp_path: Path) -> None:
    done = here("skills", "export", washed.name, str(tmp_path / "car.tar.xz"))
    assert done.code == 2
    assert ".tar.gz" in done.err
    assert not (tmp_path / "car.tar.xz").exists()
