"""`hermes skills list`, `show` and `search`, its help, and what completes its names."""

import json
from pathlib import Path

import pytest

from hermes_tui.cli.completion import archived_skills, skill_categories, skill_names
from hermes_tui.cli.skills import SUMMARY, app
from tests.cli.conftest import Here
from tests.cli.skill_folders import put_skill, use


def lines_of(text: str, name: str) -> list[str]:
    return [line for line in text.splitlines() if line.split(maxsplit=1)[0] == name]


def test_a_skill_is_listed_with_what_came_of_it(here: Here, home: Path) -> None:
    put_skill(home, "car-wash", origin="agent")
    use(home, "car-wash", "verified", "failure", "verified")
    here("skills", "log")
    (line,) = lines_of(here("skills", "list").out, "car-wash")
    name, version, origin, state, confidence, uses, day, description = line.split(maxsplit=7)
    assert (name, version, origin, state, uses) == ("car-wash", "v1", "agent", "active", "3")
    assert (confidence, day[:2]) == ("0.54", "20")
    assert description == "Wash the car by hand; use when the car is dirty."
    listed = json.loads(here("skills", "list", "--json").out)
    (row,) = [row for row in listed if row["name"] == "car-wash"]
    assert (row["version"], row["state"], row["uses"]) == (1, "active", 3)
    assert row["confidence"]["low"] < row["confidence"]["mean"] < row["confidence"]["high"]


def test_skills_of_one_category_are_listed_and_others_are_named(here: Here, home: Path) -> None:
    put_skill(home, "garage/car-wash")
    assert lines_of(here("skills", "list", "--category", "garage").out, "car-wash")
    assert len(here("skills", "list", "--category", "garage").out.splitlines()) == 1
    done = here("skills", "list", "--category", "attic")
    assert (done.code, done.out) == (0, "")
    assert "There is: " in done.err
    assert "garage" in done.err


def test_broken_shadowed_and_archived_skills_are_said_and_listed_with_all(
    here: Here, home: Path, tmp_path: Path
) -> None:
    put_skill(home, "car-wash")
    put_skill(home, "old-car")
    (put_skill(home, "bad-one") / "SKILL.md").write_text("no head at all", "utf-8")
    other = tmp_path / "user" / ".agents"
    put_skill(other, "car-wash", description="Of another tool; use it never at all.")
    assert here("skills", "archive", "old-car").code == 0
    done = here("skills", "list")
    assert done.code == 0
    assert "bad-one: It does not begin with a line `---`." in done.err
    assert "shadowed by another of the same name: car-wash." in done.err
    assert "archived: old-car." in done.err
    assert not lines_of(done.out, "old-car")
    everything = here("skills", "list", "--all")
    assert everything.err == ""
    assert [line.split()[3] for line in lines_of(everything.out, "car-wash")] == [
        "active", "hidden"
    ]  # fmt: skip
    assert "archived" in lines_of(everything.out, "old-car")[0]
    assert "broken" in lines_of(everything.out, "bad-one")[0]
    assert "It does not begin with a line" in lines_of(everything.out, "bad-one")[0]


def test_one_is_shown_with_its_gaps_its_commands_and_its_files(here: Here, home: Path) -> None:
    folder = put_skill(home, "car-wash", body="Wash {{car}} with {{soap=foam}}.\n\n!`date`\n")
    (folder / "scripts").mkdir()
    (folder / "scripts" / "rinse.sh").write_text("echo rinse\n", "utf-8")
    (folder / "scripts" / "logo.png").write_bytes(b"\x89PNG\xff")
    done = here("skills", "show", "car-wash")
    assert "  files       scripts/logo.png, scripts/rinse.sh\n" in done.out
    assert "  arguments   car, soap=foam\n" in done.out
    assert "  runs        `date`\n" in done.out
    assert "Wash {{car}}" in done.out
    assert "echo rinse" not in done.out
    with_files = here("skills", "show", "car-wash", "--files").out
    assert "echo rinse" in with_files
    assert "(5 bytes that are no text)" in with_files
    shown = json.loads(here("skills", "show", "car-wash", "--json").out)
    assert (shown["name"], shown["files"]) == ("car-wash", ["scripts/logo.png", "scripts/rinse.sh"])


def test_an_older_version_is_shown_with_its_files(here: Here, home: Path) -> None:
    folder = put_skill(home, "car-wash", body="The first text.\n")
    (folder / "notes.txt").write_text("noted\n", "utf-8")
    here("skills", "log")
    put_skill(home, "car-wash", body="The second text.\n")
    assert "second" in here("skills", "show", "car-wash").out
    for word in ("1", "v1"):
        old = here("skills", "show", "car-wash", "--version", word, "--files")
        assert "The first text." in old.out
        assert "noted" in old.out
    assert json.loads(here("skills", "show", "car-wash", "--version", "1", "--json").out)[
        "files"
    ] == ["notes.txt"]  # fmt: skip
    missing = here("skills", "show", "car-wash", "--version", "7")
    assert (missing.code, "has no version '7'" in missing.err) == (1, True)


def test_what_is_not_there_is_said_with_what_to_do(here: Here, home: Path) -> None:
    put_skill(home, "car-wash")
    (put_skill(home, "bad-one") / "SKILL.md").write_text("no head at all", "utf-8")
    assert here("skills", "show", "car-wsh").err == (
        "hermes: There is no skill 'car-wsh'. Did you mean car-wash?\n"
    )
    assert "Mend it with `hermes skills edit bad-one`." in here("skills", "show", "bad-one").err
    here("skills", "archive", "car-wash")
    done = here("skills", "show", "car-wash")
    assert (done.code, "hermes skills restore car-wash" in done.err) == (1, True)


def test_skills_are_found_by_words(here: Here, home: Path) -> None:
    put_skill(home, "car-wash")
    done = here("skills", "search", "my", "car", "is", "dirty")
    assert done.out.split()[0] == "car-wash"
    found = json.loads(here("skills", "search", "dirty car", "--json").out)
    assert found[0]["name"] == "car-wash"
    nothing = here("skills", "search", "xylophone zither")
    assert (nothing.code, nothing.out) == (1, "")
    assert "fits 'xylophone zither'" in nothing.err


def test_a_terminal_cannot_be_spoken_to_by_a_skill(here: Here, home: Path) -> None:
    put_skill(home, "car-wash", body="A bell \x1b[31m and red.\n")
    assert "\x1b" not in here("skills", "show", "car-wash").out


def test_with_a_damaged_store_skills_are_listed_and_shown(here: Here, home: Path) -> None:
    put_skill(home, "car-wash")
    (home / "hermes.db").write_bytes(b"not a database at all, however long it is" * 100)
    done = here("skills", "list")
    assert (done.code, len(lines_of(done.out, "car-wash"))) == (0, 1)
    assert done.err.startswith("Without the record of uses: ")
    assert here("skills", "show", "car-wash").code == 0
    for command in (["search", "car"], ["analyze"], ["prune"]):
        assert here("skills", *command).code == 1


def test_the_help_names_every_command_and_fits_on_a_screen(here: Here) -> None:
    done = here("skills", "--help")
    named = [name for names, _ in SUMMARY for name in names]
    registered = [
        info.name or (info.callback or print).__name__ for info in app.registered_commands
    ]
    assert sorted(named) == sorted(registered)
    assert all(name in done.out for name in named)
    assert len(done.out.splitlines()) <= 24


def test_names_are_completed_with_what_they_are_for(
    here: Here, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert archived_skills("") == []
    put_skill(home, "garage/car-wash")
    (put_skill(home, "car-broken") / "SKILL.md").write_text("no head at all", "utf-8")
    assert skill_names("car-") == [
        ("car-wash", "Wash the car by hand; use when the car is dirty.")
    ]  # fmt: skip
    assert skill_categories("gar") == ["garage"]
    here("skills", "archive", "car-wash")
    assert [name for name, _ in archived_skills("car")] == ["car-wash"]
    capsys.readouterr()
    (home / "config.yaml").write_text("no: [such", "utf-8")
    assert skill_names("") == []
    assert capsys.readouterr() == ("", "")


def test_doctor_counts_skills_and_names_broken_ones(here: Here, home: Path) -> None:
    put_skill(home, "car-wash")
    here("skills", "log")
    assert "of your own; 1 version in their history" in here("doctor", "--offline").out
    (put_skill(home, "bad-one") / "SKILL.md").write_text("no head at all", "utf-8")
    assert "bad-one" in here("doctor", "--offline").out
    (home / "skills" / "bad-one" / "SKILL.md").unlink()
    (home / "skills" / ".git" / "MERGE_HEAD").write_text("", "utf-8")
    assert "in the middle of a merge" in here("doctor", "--offline").out
