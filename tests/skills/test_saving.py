"""Skills written into a folder that others, people among them, write to as well. Real git."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hermes_tui.core.errors import ConfigError, HermesError, ToolError
from hermes_tui.core.skills import Outcome, Skill
from hermes_tui.skills.library import Library, Root
from hermes_tui.skills.lint import Draft
from hermes_tui.skills.repository import SkillRepository
from hermes_tui.skills.skill import skill_text
from hermes_tui.skills.skills import Skills
from hermes_tui.store.store import Store
from tests.skills.repositories import change
from tests.skills.repositories import put as writes

BODY = "1. Do it.\n\nVerify it.\n"
DESCRIPTION = "Does it well. Use when it has to be done."


@pytest.fixture
async def skills(tmp_path: Path) -> AsyncGenerator[Skills, None]:
    folder = tmp_path / "skills"
    folder.mkdir()
    roots = [Root(folder, "person"), Root(tmp_path / "bundled", "bundled")]
    async with Store.open(tmp_path / "hermes.db") as store:
        skills = Skills(
            Library(roots), lambda: SkillRepository(folder), folder=folder, uses=store.skill_uses
        )
        yield skills
        skills.close()


def draft(name: str = "mine", body: str = BODY, **files: str) -> Draft:
    named = {path.replace("__", "/"): content for path, content in files.items()}
    return Draft(name, DESCRIPTION, body, named)


def put(folder: Path, path: str, *, metadata: dict[str, str] | None = None, **extra: str) -> Path:
    place = folder / path
    place.mkdir(parents=True)
    text = skill_text(place.name, DESCRIPTION, BODY, metadata=metadata, extra=extra)
    (place / "SKILL.md").write_text(text)
    return place


def texts(folder: Path) -> dict[str, str]:
    return {
        file.relative_to(folder).as_posix(): file.read_text()
        for file in folder.rglob("*")
        if file.is_file() and ".git" not in file.parts
    }


@pytest.mark.parametrize("archived", [False, True])
@pytest.mark.parametrize(
    ("there", "wanted"),
    [("git/bisect", "git"), ("a/b/c", "a"), ("git", "git/bisect"), ("a", "a/b/c")],
)
async def test_no_skill_swallows_another(
    skills: Skills, there: str, wanted: str, archived: bool
) -> None:
    put(skills.folder / (".archive" if archived else ""), there)
    before = texts(skills.folder)
    with pytest.raises(HermesError, match=r"lies|archived"):
        await skills.repository.write(change(wanted, "install"), writes("another"))
    with pytest.raises(ConfigError, match=r"way|archived"):
        await skills.check_free(wanted)
    if "/" not in wanted:
        with pytest.raises(ConfigError, match=r"way|archived"):
            await skills.save(draft(wanted), reason="r")
    assert texts(skills.folder) == before


async def test_what_lies_in_a_skills_own_folder_is_no_other_skill(skills: Skills) -> None:
    folder = put(skills.folder, "git")
    put(folder, "examples/bisect")
    put(folder, "assets/template")
    await skills.save(draft("git", BODY + "More.\n"), reason="r")
    assert (folder / "examples/bisect/SKILL.md").exists()
    (folder / "SKILL.md").unlink()
    (folder / "examples/bisect/SKILL.md").unlink()
    await skills.repository.roll_back("git", 1)
    assert (folder / "examples/bisect/SKILL.md").exists()


@pytest.mark.parametrize("what", ["broken", "of another name", "a file", "a dangling link"])
async def test_a_folder_that_is_not_the_skill_is_left_alone(skills: Skills, what: str) -> None:
    place = skills.folder / "mine"
    match what:
        case "broken":
            place.mkdir()
            (place / "SKILL.md").write_text("no head")
        case "of another name":
            place.mkdir()
            (place / "SKILL.md").write_text(skill_text("other", DESCRIPTION, BODY))
        case "a file":
            place.write_text("mine")
        case _:
            place.symlink_to("nowhere")
    before = texts(skills.folder)
    with pytest.raises(ConfigError, match="is in the way"):
        await skills.save(draft(), reason="r")
    assert texts(skills.folder) == before


async def test_a_place_is_free_for_the_skill_that_is_replaced(skills: Skills) -> None:
    put(skills.folder, "git/bisect")
    put(skills.folder / ".archive", "away")
    bisect = (await skills.shelf()).get("bisect")
    await skills.check_free("git/bisect", replacing=bisect)
    await skills.check_free("git/rebase")
    for path, why in (
        ("bisect", "already"), ("git/bisect", "already"), ("away", "archived"), ("A", "called"),
        ("git/../x", "called"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=why):
            await skills.check_free(path)


async def test_files_never_leave_the_skill_through_a_link(skills: Skills, tmp_path: Path) -> None:
    folder = put(skills.folder, "mine")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.sh").write_text("kept")
    (folder / "scripts").symlink_to(outside)
    (folder / "references").mkdir()
    (folder / "references" / "x.md").symlink_to(outside / "x.sh")
    for path in ("scripts/x.sh", "references/x.md"):
        with pytest.raises(ToolError, match="in the way"):
            await skills.save(Draft("mine", DESCRIPTION, BODY, {path: "evil"}), reason="r")
    await skills.save(draft(body=BODY + "More.\n", references__y="y"), reason="r")
    assert texts(outside) == {"x.sh": "kept"}
    assert (folder / "scripts").is_symlink()
    assert (folder / "references" / "y").read_text() == "y"


@pytest.mark.parametrize(
    "path",
    [
        "scripts/a\0b", "scripts/\ud800", "scripts/.git/hooks/x", "scripts/GIT~1/x", "scripts/../x",
        "/scripts/x", "scripts", "src/x", "scripts//x", "scripts/x\n", "scripts\\x", "scripts/.x",
    ],
    ids=ascii,
)  # fmt: skip
async def test_a_path_no_file_may_have_is_refused(skills: Skills, path: str) -> None:
    with pytest.raises(ToolError, match="cannot have a file"):
        await skills.save(Draft("mine", DESCRIPTION, BODY, {path: "x"}), reason="r")
    assert list(skills.folder.iterdir()) == []


@pytest.mark.parametrize("bad", ["\0", "\ud800", "x" * 200_001], ids=["NUL", "half", "long"])
async def test_a_text_no_file_may_hold_is_refused(skills: Skills, bad: str) -> None:
    drafts = [draft(body=BODY + bad), draft(scripts__x=bad), Draft("mine", f"Does it {bad}", BODY)]
    for one in drafts:
        with pytest.raises((ToolError, ConfigError)):
            await skills.save(one, reason="r")
    assert list(skills.folder.iterdir()) == []


async def test_a_file_keeps_its_mode_and_the_head_its_words(skills: Skills) -> None:
    folder = put(
        skills.folder, "mine", metadata={"hermes-pinned": "true", "author": "me"},
        license="MIT", compatibility="Needs git.",
    )  # fmt: skip
    (folder / "scripts").mkdir()
    (folder / "scripts" / "run").write_text("one")
    (folder / "scripts" / "run").chmod(0o755)
    saved = await skills.save(draft(body="1. New.\n", scripts__run="two"), reason="r")
    assert (folder / "scripts" / "run").stat().st_mode & 0o100
    text = (folder / "SKILL.md").read_text()
    assert 'license: "MIT"' in text
    assert 'compatibility: "Needs git."' in text
    assert saved.skill.metadata["author"] == "me"
    assert saved.skill.is_pinned
    assert text.endswith("1. New.\n")


async def test_a_change_made_for_another_text_is_refused_or_made_again(skills: Skills) -> None:
    folder = put(skills.folder, "mine", metadata={"hermes-origin": "agent"})
    file = folder / "SKILL.md"
    file.write_text(file.read_text().replace("1. Do it.", "1. Do it by hand."))
    learnt = draft(body=BODY + "Learnt.\n")
    with pytest.raises(ToolError, match="has changed meanwhile"):
        await skills.save(learnt, reason="r", before=BODY)
    await skills.save(learnt, reason="r", before=BODY, replay=lambda text: text + "Learnt.\n")
    assert file.read_text().endswith("1. Do it by hand.\n\nVerify it.\nLearnt.\n")
    with pytest.raises(ToolError, match="has changed meanwhile"):
        await skills.save(learnt, reason="a new one", before="")


async def test_an_edit_by_hand_before_the_lock_is_held_counts(skills: Skills) -> None:
    put(skills.folder, "mine", metadata={"hermes-origin": "agent"})
    file = skills.folder / "mine" / "SKILL.md"
    replayed: list[str] = []

    def replay(text: str) -> str:
        replayed.append(text)
        if len(replayed) == 1:  # after the draft was looked through, before it is written
            file.write_text(file.read_text().replace("1. Do it.", "1. By hand."))
        return text + "Learnt.\n"

    await skills.save(draft(), reason="r", before="something else", replay=replay)
    assert ["1. By hand." in text for text in replayed] == [False, True]
    assert file.read_text().endswith("1. By hand.\n\nVerify it.\nLearnt.\n")


async def test_whoever_changes_what_came_with_hermes_is_its_author(
    skills: Skills, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        place = put(tmp_path / "bundled", name)
        (place / "link").symlink_to("SKILL.md")
        (place / "references").mkdir()
        (place / "references" / "x.md").write_text("x")
    ours = await skills.save(draft("one"), reason="r")
    theirs = await skills.save(draft("two"), reason="r", by_user=True)
    assert (ours.skill.origin, theirs.skill.origin) == ("agent", "bundled")
    assert sorted(texts(ours.skill.path)) == ["SKILL.md", "references/x.md"]


async def test_a_projects_skill_is_not_copied(tmp_path: Path) -> None:
    folder, project = tmp_path / "skills", tmp_path / "project"
    put(project, "mine")
    skills = Skills(
        Library([Root(folder, "person"), Root(project, "project")]),
        lambda: SkillRepository(folder),
        folder=folder,
    )
    with pytest.raises(ToolError, match="belongs to the project"):
        await skills.save(draft(), reason="r")


@pytest.mark.parametrize("outcome", ["failure", "verified"])
async def test_the_confidence_a_commit_states_is_the_one_that_comes(
    skills: Skills, tmp_path: Path, outcome: Outcome
) -> None:
    put(skills.folder, "mine", metadata={"hermes-origin": "agent"})
    async with Store.open(tmp_path / "hermes.db") as store:
        for session in "abcd":
            await store.skill_uses.record("mine", version=1, session=session, how="loaded")
            (use,) = await store.skill_uses.of_session(session)
            await store.skill_uses.judge(use.id, outcome)
    before = (await skills.standings())["mine"].confidence.mean
    saved = await skills.save(draft(body=BODY + "More.\n"), reason="r")
    after = (await skills.standings())["mine"].confidence.mean
    assert saved.version.confidence == (round(before, 2), round(after, 2))
    assert before != pytest.approx(after, abs=0.05)
    same = await skills.save(draft(body=BODY + "More.\n", scripts__x="x"), reason="r")
    assert same.version.confidence == (round(after, 2), round(after, 2))


async def test_without_a_history_what_was_archived_before_is_kept(
    skills: Skills, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    for number in (1, 2, 3):
        (put(skills.folder, "mine") / "n").write_text(str(number))
        await skills.repository.archive("mine", reason="r")
    kept = texts(skills.folder / ".archive")
    assert [kept["mine/n"], kept["mine-2/n"], kept["mine-3/n"]] == ["3", "1", "2"]


def test_a_stamp_tells_when_a_skill_was_written() -> None:
    written = Skill("s", "", "d", Path("s"), stamp="1780272000000000000-12-7")
    assert written.changed_at == datetime(2026, 6, 1, tzinfo=UTC)
    assert Skill("s", "", "d", Path("s")).changed_at is None
