"""Without git, or with a repository in a bad way, skills are still written and nothing is lost."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hermes_tui.core.errors import HermesError
from hermes_tui.skills.repository import SkillRepository
from tests.skills.repositories import by_hand, change, git, put, three_versions


@pytest.fixture
def repository(home: Path) -> Iterator[SkillRepository]:
    repository = SkillRepository(home / "skills")
    yield repository
    repository.close()


def _detach(folder: Path) -> None:
    subprocess.run(["git", "-C", str(folder), "checkout", "-q", "--detach", "HEAD~1"], check=True)


def _rebase(folder: Path) -> None:
    (folder / ".git/rebase-merge").mkdir()


def _merge(folder: Path) -> None:
    (folder / ".git/MERGE_HEAD").write_text("0" * 40 + "\n")


def _worktree(folder: Path) -> None:
    shutil.rmtree(folder / ".git")
    (folder / ".git").write_text("gitdir: /nowhere\n")


def _empty_branch(folder: Path) -> None:
    (folder / ".git/refs/heads/main").write_text("")


def _lost_object(folder: Path) -> None:
    tip = (folder / ".git/refs/heads/main").read_text()
    (folder / ".git/objects" / tip[:2] / tip[2:].strip()).write_bytes(b"")


def _lost_tree(folder: Path) -> None:
    tree = subprocess.run(
        ["git", "-C", str(folder), "rev-parse", "HEAD:bisect"], capture_output=True, text=True
    ).stdout.strip()
    (folder / ".git/objects" / tree[:2] / tree[2:]).unlink()


def _bad_configuration(folder: Path) -> None:
    (folder / ".git/config").write_text("[core\n")


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "detached": (_detach, "detached HEAD"),
    "rebase": (_rebase, "a rebase"),
    "merge": (_merge, "a merge"),
    "worktree": (_worktree, "repository kept elsewhere"),
    "empty branch": (_empty_branch, "refs/heads/main cannot be read"),
    "lost commit": (_lost_object, "cannot be read"),
    "lost tree": (_lost_tree, "ree "),
    "configuration": (_bad_configuration, "cannot be read|bad config"),
}


@pytest.mark.parametrize(("spoil", "said"), BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("is_open", [True, False], ids=["running", "opened anew"])
async def test_a_repository_in_a_bad_way_is_named_and_left_as_it_is(
    repository: SkillRepository, spoil: Callable[[Path], None], said: str, is_open: bool
) -> None:
    await three_versions(repository)
    if not is_open:
        repository.close()
        repository = SkillRepository(repository.folder)
    spoil(repository.folder)
    before = _snapshot(repository.folder / ".git")
    version = await repository.write(change(), put("written all the same\n"))
    assert (repository.folder / "bisect/SKILL.md").read_text() == "written all the same\n"
    assert await repository.adopt() == []
    if said:
        assert (version.number, version.commit) == (0, "")
        assert re.search(said, repository.problem())
        assert repository.problem().count("\n") == 0
        with pytest.raises(HermesError, match=r"history|cannot be read|bad config|ree "):
            await repository.roll_back("bisect", 1)
        # A process that had read it before the damage may still know it.
        assert len(await repository.history("bisect")) in {0, 3}
        # A commit that failed may leave an object nothing refers to.
        assert before.items() <= _snapshot(repository.folder / ".git").items()
    repository.close()


def _snapshot(git_folder: Path) -> dict[Path, bytes]:
    return {
        path: path.read_bytes()
        for path in [git_folder, *git_folder.rglob("*")]
        if path.is_file() and path.name != "index"
    }


async def test_history_goes_on_once_the_obstacle_is_gone(repository: SkillRepository) -> None:
    await three_versions(repository)
    _rebase(repository.folder)
    await repository.write(change(), put("while it lasted\n"))
    await repository.archive("bisect", reason="works on disk too")
    await repository.restore("bisect")
    (repository.folder / ".git/rebase-merge").rmdir()
    assert repository.problem() == ""
    version = await repository.write(change(), put("afterwards\n"))
    assert version.number == 5
    assert await repository.files("bisect", 4) == {
        "SKILL.md": b"while it lasted\n", "scripts/run.sh": b"echo three\n",
    }  # fmt: skip


async def test_a_head_detached_at_the_newest_commit_is_put_back_on_its_branch(
    repository: SkillRepository,
) -> None:
    await three_versions(repository)
    git(repository, "checkout", "-q", "--detach")
    assert repository.problem() == ""
    assert (await repository.write(change(), put("four"))).number == 4
    assert git(repository, "symbolic-ref", "HEAD").strip() == "refs/heads/main"
    git(repository, "pack-refs", "--all")
    git(repository, "checkout", "-q", "--detach")
    assert (await repository.write(change(), put("five"))).number == 5


async def test_a_damaged_index_is_made_anew_and_kept_aside(repository: SkillRepository) -> None:
    await three_versions(repository)
    (repository.folder / ".git/index").write_bytes(b"DIRC garbage")
    assert (await repository.write(change(), put("four"))).number == 4
    assert await repository.adopt() == []
    assert (repository.folder / ".git/index.damaged").read_bytes() == b"DIRC garbage"
    assert git(repository, "status", "--porcelain") == ""
    (repository.folder / ".git/index").unlink()
    by_hand(repository, "bisect/SKILL.md", "five")
    assert [version.number for version in await repository.adopt()] == [5]


async def test_without_git_skills_are_written_and_the_reason_is_named(
    repository: SkillRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    version = await repository.write(change(action="create"), put("one"))
    assert (version.commit, version.number, version.reason) == ("", 0, "because")
    assert (repository.folder / "bisect/SKILL.md").read_text() == "one"
    assert repository.problem() == (
        "There is no git on the PATH, so changes to skills have no history."
    )
    assert await repository.history("bisect") == []
    assert await repository.adopt() == []
    await repository.tidy()
    with pytest.raises(HermesError, match="no git"):
        await repository.diff("bisect", 1)
    monkeypatch.undo()


async def test_a_disk_that_takes_no_commit_loses_no_file(repository: SkillRepository) -> None:
    await three_versions(repository)
    objects = repository.folder / ".git/objects"
    shutil.move(objects, objects.with_name("kept"))
    objects.write_text("no folder")
    version = await repository.write(change(), put("four"))
    assert version.commit == ""
    assert (repository.folder / "bisect/SKILL.md").read_text() == "four"
    assert repository.problem()
    objects.unlink()
    shutil.move(objects.with_name("kept"), objects)
    adopted = (await repository.adopt())[0]
    assert (adopted.number, adopted.by_user) == (4, False)
    assert repository.problem() == ""
    assert not list((repository.folder / ".git").glob("fast_import_crash_*"))
