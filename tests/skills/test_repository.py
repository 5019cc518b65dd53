"""Versions of skills: every change a commit, everything can be taken back. Real git."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hermes_tui.core.errors import HermesError, NotFoundError
from hermes_tui.skills.repository import SkillRepository
from hermes_tui.skills.versions import Change
from tests.skills.repositories import by_hand, change, git, put, three_versions


@pytest.fixture
def repository(home: Path) -> Iterator[SkillRepository]:
    repository = SkillRepository(home / "skills")
    yield repository
    repository.close()


async def test_a_change_is_one_commit_that_says_what_why_and_how_it_went(
    repository: SkillRepository,
) -> None:
    await repository.write(change(action="create"), put("one"))
    version = await repository.write(
        Change(
            skill="bisect", action="refine", reason="It missed merges.\nSkill: other",
            session="20260101-abc", outcome="verified", confidence=(0.43, 0.561),
        ),
        put("two"),
    )  # fmt: skip
    assert git(repository, "log", "-1", "--format=%B").strip().split("\n\n") == [
        "refine bisect: It missed merges. Skill: other",
        "Skill: bisect\nSkill-Version: 2\nAction: refine\n"
        "Reason: It missed merges. Skill: other\nSession-Id: 20260101-abc\n"
        "Outcome: verified\nConfidence: 0.43 -> 0.56",
    ]
    trailers = git(repository, "log", "-1", "--format=%(trailers:key=Skill-Version,valueonly)")
    assert trailers.strip() == "2"
    assert git(repository, "rev-list", "--count", "HEAD").strip() == "2"
    assert git(repository, "rev-parse", "skills/bisect/v2", "HEAD").split() == [version.commit] * 2
    assert (await repository.history("bisect"))[0] == version
    assert version.confidence == (0.43, 0.56)
    assert repository.problem() == ""
    assert git(repository, "status", "--porcelain") == ""


async def test_history_is_the_same_to_one_who_reads_it_anew(repository: SkillRepository) -> None:
    written = await three_versions(repository)
    anew = SkillRepository(repository.folder)
    assert await anew.history("bisect") == written[::-1]
    assert await anew.history("bisect", limit=1) == [written[2]]
    await repository.write(change(), put("four"))
    assert [version.number for version in await anew.history("bisect")] == [4, 3, 2, 1]
    anew.close()


async def test_hand_edits_are_committed_as_the_persons_before_a_change_of_ours(
    repository: SkillRepository,
) -> None:
    (Path.home() / ".gitconfig").write_text("[user]\n\tname = Ada <3\n\temail = ada@example.org\n")
    await repository.write(change(action="create"), put("one\n"))
    by_hand(repository, "bisect/SKILL.md", "one\nby hand\n")
    version = await repository.write(change(), put("one\nby hand\nby us\n"))
    assert version.number == 3
    authors = git(repository, "log", "--format=%an|%ae|%cn").splitlines()
    ours = "Hermes|hermes@localhost|Hermes"
    assert authors == [ours, "Ada 3|ada@example.org|Hermes", ours]
    lines = await repository.blame("bisect")
    assert [(line.number, line.by_user, line.text) for line in lines] == [
        (1, False, "one"), (2, True, "by hand"), (3, False, "by us"),
    ]  # fmt: skip


async def test_adopting_takes_in_new_changed_moved_and_deleted_skills_each_by_itself(
    repository: SkillRepository,
) -> None:
    for skill in ("changed", "deleted", "away"):
        await repository.write(change(skill, "create"), put("one"))
    by_hand(repository, "changed/notes.md", "more")
    by_hand(repository, "new/SKILL.md", "new")
    by_hand(repository, "category/deep/SKILL.md", "new in a category")
    by_hand(repository, "README.md", "no skill")
    (repository.folder / "deleted" / "SKILL.md").unlink()
    (repository.folder / "deleted").rmdir()
    (repository.folder / ".archive").mkdir()
    (repository.folder / "away").rename(repository.folder / ".archive" / "away")

    adopted = {version.skill: version for version in await repository.adopt()}
    assert {skill: version.reason for skill, version in adopted.items()} == {
        "changed": "Changed by hand.",
        "new": "Added by hand.",
        "category/deep": "Added by hand.",
        "deleted": "Deleted by hand.",
        "away": "Archived by hand.",
    }
    assert all(version.by_user for version in adopted.values())
    assert {v.number for v in adopted.values()} == {1, 2}
    assert git(repository, "log", "-1", "--format=%an <%ae>").strip() == "You <you@localhost>"
    assert git(repository, "status", "--porcelain") == "?? README.md\n"
    assert await repository.adopt() == []


async def test_a_skill_deleted_by_hand_can_be_restored_from_history(
    repository: SkillRepository,
) -> None:
    await three_versions(repository)
    for file in ("scripts/run.sh", "SKILL.md"):
        (repository.folder / "bisect" / file).unlink()
    version = await repository.restore("bisect")
    assert (version.number, version.action) == (5, "restore")
    assert (repository.folder / "bisect" / "SKILL.md").read_text() == "one\ntwo\n"
    with pytest.raises(NotFoundError, match=r"Version 4 .* deleted"):
        await repository.roll_back("bisect", 4)


async def test_what_a_person_commits_with_git_counts_as_versions(
    repository: SkillRepository,
) -> None:
    await three_versions(repository)
    by_hand(repository, "bisect/SKILL.md", "committed by hand\n")
    git(repository, "-c", "user.name=A", "-c", "user.email=a@b", "commit", "-qam", "My own words")
    version = await repository.write(change(), put("five\n"))
    assert version.number == 5
    own = (await repository.history("bisect"))[1]
    assert (own.number, own.by_user, own.reason) == (4, True, "My own words")


async def test_only_the_skills_own_folder_is_committed(repository: SkillRepository) -> None:
    await three_versions(repository)
    by_hand(repository, "other/SKILL.md", "staged by hand")
    by_hand(repository, "bisect2/SKILL.md", "a name that begins alike")
    git(repository, "add", "other")
    await repository.write(change(), put("four"))
    assert git(repository, "show", "--name-only", "--format=").split() == ["bisect/SKILL.md"]
    assert git(repository, "status", "--porcelain").splitlines() == [
        "A  other/SKILL.md", "?? bisect2/",
    ]  # fmt: skip
    assert {version.skill for version in await repository.adopt()} == {"other", "bisect2"}


async def test_rolling_back_is_a_new_version_and_removes_files_added_later(
    repository: SkillRepository,
) -> None:
    await three_versions(repository)
    version = await repository.roll_back("bisect", 1, session="s1")
    assert (version.number, version.action, version.by_user) == (4, "rollback", True)
    assert version.reason == "Back to version 1."
    assert not (repository.folder / "bisect" / "scripts").exists()
    assert await repository.files("bisect", 4) == {"SKILL.md": b"one\n"}
    assert await repository.files("bisect", "v3") == {
        "SKILL.md": b"one\ntwo\n", "scripts/run.sh": b"echo three\n",
    }  # fmt: skip


async def test_an_unknown_skill_or_version_is_answered_with_those_there_are(
    repository: SkillRepository,
) -> None:
    versions = await three_versions(repository)
    assert (await repository.roll_back("bisect", versions[1].commit[:10])).number == 4
    with pytest.raises(NotFoundError, match="It has 1 to 4"):
        await repository.roll_back("bisect", 9)
    for reading in (repository.history("bisct"), repository.diff("bisct", 1)):
        with pytest.raises(NotFoundError, match="bisect"):
            await reading
    with pytest.raises(NotFoundError, match=r"Its files: SKILL\.md\."):
        await repository.blame("bisect", "nothing.md")


async def test_a_diff_is_unified_and_can_be_against_the_disk(repository: SkillRepository) -> None:
    await three_versions(repository)
    assert await repository.diff("bisect", 1, 2) == (
        "diff --git a/SKILL.md b/SKILL.md\nindex 5626abf..814f4a4 100644\n"
        "--- a/SKILL.md\n+++ b/SKILL.md\n@@ -1 +1,2 @@\n one\n+two\n"
    )
    by_hand(repository, "bisect/new file.md", "new\n")
    against_disk = await repository.diff("bisect", "v3")
    assert "diff --git a/new file.md b/new file.md\n" in against_disk
    assert "+++ b/new file.md\t\n@@ -0,0 +1 @@\n+new\n" in against_disk
    assert await repository.diff("bisect", 3, 3) == ""


async def test_archiving_and_restoring_keep_one_history(repository: SkillRepository) -> None:
    await three_versions(repository, "git/bisect")
    away = await repository.archive("git/bisect", reason="unused for 90 days")
    assert not (repository.folder / "git").exists()
    assert (repository.folder / ".archive/git/bisect/SKILL.md").read_text() == "one\ntwo\n"
    assert await repository.diff("git/bisect", 3) == ""
    assert [line.number for line in await repository.blame("git/bisect")] == [1, 2]
    back = await repository.restore("git/bisect")
    assert not (repository.folder / ".archive").exists()
    assert (away.number, back.number) == (4, 5)
    actions = [version.action for version in await repository.history("git/bisect")]
    assert actions == ["restore", "archive", "refine", "refine", "create"]
    with pytest.raises(HermesError, match="there already"):
        await repository.restore("git/bisect")
    with pytest.raises(NotFoundError, match="git/bisect"):
        await repository.archive("git/bisct", reason="typing error")


async def test_undo_takes_back_one_change_as_long_as_it_is_the_newest(
    repository: SkillRepository,
) -> None:
    created, refined, added = await three_versions(repository)
    assert await repository.undo(refined) is None
    undone = await repository.undo(added)
    assert undone is not None
    assert not (repository.folder / "bisect" / "scripts").exists()
    assert await repository.undo(added) is None

    other = await repository.write(change("other", "create"), put("one"))
    undone = await repository.undo(other)
    assert undone is not None
    assert undone.action == "archive"
    assert (repository.folder / ".archive/other/SKILL.md").exists()
    assert await repository.undo(undone) is not None
    assert (repository.folder / "other/SKILL.md").exists()

    by_hand(repository, "bisect/SKILL.md", "edited since")
    newest = (await repository.history("bisect", limit=1))[0]
    assert await repository.undo(newest) is None
    assert created.number == 1


async def test_tidying_drops_tags_but_no_version(home: Path) -> None:
    repository = SkillRepository(home / "skills", keep_versions=2)
    for number in range(1, 7):
        await repository.write(change(), put(f"{number}\n"))
    await repository.write(change("node.js tips", "create"), put("a name no tag can have"))
    await repository.tidy()
    assert git(repository, "tag").split() == [
        "skills/bisect/v1", "skills/bisect/v5", "skills/bisect/v6", "skills/node%2Ejs%20tips/v1",
    ]  # fmt: skip
    assert len(await repository.history("bisect")) == 6
    assert (await repository.roll_back("bisect", 3)).number == 7
    assert (repository.folder / "bisect" / "SKILL.md").read_text() == "3\n"
    repository.close()


async def test_exporting_writes_what_is_there_or_an_old_version_to_an_empty_folder(
    repository: SkillRepository, tmp_path: Path
) -> None:
    await three_versions(repository)
    await repository.export("bisect", tmp_path / "now")
    await repository.export("bisect", tmp_path / "old", version=1)
    found = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.glob("*/**/*.*"))
    assert [path for path in found if path.startswith(("now", "old"))] == [
        "now/SKILL.md", "now/scripts/run.sh", "old/SKILL.md",
    ]  # fmt: skip
    with pytest.raises(HermesError, match="not an empty folder"):
        await repository.export("bisect", tmp_path / "old")


async def test_a_write_that_fails_leaves_the_skill_as_it_was(repository: SkillRepository) -> None:
    await three_versions(repository)

    def half(folder: Path) -> None:
        (folder / "SKILL.md").write_text("half")
        (folder / "new.md").write_text("half")
        raise ValueError("out of ideas")

    for skill in ("bisect", "fresh"):
        with pytest.raises(ValueError, match="out of ideas"):
            await repository.write(change(skill), half)
    assert sorted(p.name for p in (repository.folder / "bisect").iterdir()) == [
        "SKILL.md", "scripts",
    ]  # fmt: skip
    assert (repository.folder / "bisect" / "SKILL.md").read_text() == "one\ntwo\n"
    assert not (repository.folder / "fresh").exists()
    assert await repository.adopt() == []
