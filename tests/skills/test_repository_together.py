"""Several processes and threads on one repository, interruptions, and what a kill leaves."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from hermes_tui.core.errors import HermesError
from hermes_tui.skills.commit_stream import HERMES, IMPORT, Part, Planned, import_stream, tag_name
from hermes_tui.skills.folder_lock import FolderLock
from hermes_tui.skills.git_folder import GitFailedError
from hermes_tui.skills.repository import SkillRepository, open_store
from hermes_tui.skills.skill_files import PLAIN, Blob
from hermes_tui.skills.versions import Version
from tests.doubles.skill_writer import WRITER, start_writer, survives_kill
from tests.skills.repositories import by_hand, change, git, put, three_versions


@pytest.fixture
def repository(home: Path) -> Iterator[SkillRepository]:
    repository = SkillRepository(home / "skills")
    yield repository
    repository.close()


async def test_four_processes_with_25_refinements_each_make_100_commits(
    repository: SkillRepository,
) -> None:
    skills = ["one", "one", "two", "three"]
    writers = [start_writer(repository.folder, skill, 25) for skill in skills]
    said = [writer.communicate(timeout=50)[0].split() for writer in writers]
    reachable = git(repository, "rev-list", "HEAD").split()
    assert len(reachable) == 100
    assert {commit for commits in said for commit in commits} == set(reachable)
    assert [v.number for v in await repository.history("one")] == list(range(50, 0, -1))
    assert git(repository, "status", "--porcelain") == ""
    assert git(repository, "fsck") == ""


async def test_threads_with_repositories_of_their_own_take_turns(
    repository: SkillRepository,
) -> None:
    def work(skill: str) -> None:
        async def write() -> None:
            own = SkillRepository(repository.folder)
            for number in range(5):
                await own.write(change(skill), put(f"{number}"))
            own.close()

        anyio.run(write)

    threads = [threading.Thread(target=work, args=(skill,)) for skill in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        await anyio.to_thread.run_sync(thread.join)
    assert git(repository, "rev-list", "--count", "HEAD").strip() == "15"


async def test_a_person_committing_with_git_at_the_same_time_loses_nothing(
    repository: SkillRepository,
) -> None:
    await three_versions(repository)

    def write(folder: Path) -> None:
        by_hand(repository, "other/SKILL.md", "theirs")
        git(repository, "add", "other")
        who = ["-c", "user.name=A", "-c", "user.email=a@b"]
        git(repository, *who, "commit", "-qm", "theirs")
        put("ours")(folder)

    assert (await repository.write(change(), write)).number == 4
    assert [v.number for v in await repository.history("other")] == [1]
    assert git(repository, "rev-list", "--count", "HEAD").strip() == "5"


async def test_what_is_asked_for_at_once_is_done_one_after_the_other(
    repository: SkillRepository,
) -> None:
    made: list[Version] = []

    async def one(number: int) -> None:
        made.append(await repository.write(change(), put(f"{number}")))

    async with anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(one, number)
    assert sorted(version.number for version in made) == [1, 2, 3, 4, 5, 6]


async def test_a_cancelled_write_is_finished_all_the_same(repository: SkillRepository) -> None:
    await three_versions(repository)
    begun = threading.Event()

    def write(folder: Path) -> None:
        begun.set()
        put("four")(folder)

    async with anyio.create_task_group() as group:
        group.start_soon(repository.write, change(), write)
        with anyio.fail_after(10):
            await anyio.to_thread.run_sync(begun.wait)
        group.cancel_scope.cancel()
    assert [version.number for version in await repository.history("bisect", limit=1)] == [4]


def test_waiting_for_the_lock_ends_with_a_sentence(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "a.lock", wait_seconds=0.05)
    with (
        lock.held("bisect"),
        pytest.raises(HermesError, match=r"Another Hermes has been changing skills for 0\.05"),
        FolderLock(tmp_path / "a.lock", wait_seconds=0.05).held("other"),
    ):
        pass
    with lock.held("again") as held:
        assert held.interrupted == ""


async def test_the_next_one_learns_what_a_killed_holder_was_at(
    repository: SkillRepository,
) -> None:
    await three_versions(repository)
    holder = subprocess.Popen(
        [sys.executable, "-c", STUCK, str(repository.folder)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "half\n"
    holder.kill()
    holder.communicate()
    lock = repository.folder / ".git/refs/heads/main.lock"
    lock.touch()  # as its git leaves it when killed with it
    (repository.folder / ".git/index.lock").touch()

    version = await repository.write(change("other"), put("next"))
    assert version.number == 1
    left = (await repository.history("bisect", limit=1))[0]
    assert (left.number, left.by_user) == (4, False)
    assert left.reason == "A change of Hermes that had not been recorded."
    assert await repository.files("bisect", 4) == {
        "SKILL.md": b"half of it", "scripts/run.sh": b"echo three\n",
    }  # fmt: skip


STUCK = """
import sys, time
from pathlib import Path
import anyio
from hermes_tui.skills.repository import SkillRepository
from hermes_tui.skills.versions import Change

def write(folder):
    (folder / "SKILL.md").write_text("half of it")
    print("half", flush=True)
    time.sleep(60)

change = Change(skill="bisect", action="refine", reason="never to be finished")
anyio.run(SkillRepository(Path(sys.argv[1])).write, change, write)
"""


@pytest.mark.parametrize("delay_seconds", [0.0, 0.012, 0.027])
def test_a_kill_at_any_moment_loses_no_acknowledged_commit(
    home: Path, delay_seconds: float
) -> None:
    acknowledged, lost = survives_kill(home / "skills", after_lines=2, delay_seconds=delay_seconds)
    assert acknowledged >= 2
    assert lost == 0


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95, 0.99])
async def test_a_stream_to_git_cut_short_makes_no_commit(
    repository: SkillRepository, kept: float
) -> None:
    tip = (await three_versions(repository))[-1].commit
    part = Part("bisect", [], {"SKILL.md": Blob(PLAIN, b"four\n")}, came=False, went=False)
    planned = Planned("four\n", HERMES, tag_name("bisect", 4), [part])
    stream = import_stream([planned], "refs/heads/main", tip, 1_800_000_000)
    store = open_store(repository.folder)
    with pytest.raises(GitFailedError):
        store.run(*IMPORT, stdin=stream[: int(len(stream) * kept)])
    assert store.tip() == tip
    store.run(*IMPORT, stdin=stream)
    assert store.tip() != tip
    store.close()


def test_a_process_that_ends_leaves_no_git_behind(home: Path) -> None:
    writer = start_writer(home / "skills", "bisect", 1)
    assert len(writer.communicate(timeout=30)[0].strip()) == 40
    with pytest.raises(ProcessLookupError):
        os.killpg(writer.pid, 0)


async def test_a_tag_left_by_a_killed_process_is_put_right(repository: SkillRepository) -> None:
    await three_versions(repository)
    stray = git(
        repository, "-c", "user.name=A", "-c", "user.email=a@b",
        "commit-tree", "-m", "never on a branch", "HEAD^{tree}",
    ).strip()  # fmt: skip
    git(repository, "update-ref", "refs/tags/skills/bisect/v4", stray)
    version = await repository.write(change(), put("four"))
    assert version.number == 4
    assert repository.problem() == ""
    assert git(repository, "rev-parse", "skills/bisect/v4").strip() == version.commit


def test_a_commit_is_on_the_disk_before_it_is_acknowledged(home: Path) -> None:
    """By the system calls: every object and reference written is synced by git before it ends."""
    strace = "/usr/bin/strace"
    if not Path(strace).exists():
        pytest.skip("strace is not installed")
    trace = home.parent / "trace"
    subprocess.run(
        [strace, "-f", "-qq", "-y", "-e", "trace=fsync,fdatasync", "-o", str(trace),
         sys.executable, "-c", WRITER, str(home / "skills"), "bisect", "2"],
        check=True, capture_output=True, timeout=50,
    )  # fmt: skip
    synced = trace.read_text()
    second = synced[synced.rindex("SKILL.md") :]
    assert second.count(".git/objects/") >= 4  # blob, two trees, commit
    assert second.index(".git/objects/") < second.index("refs/heads/main.lock")
    assert second.index("refs/heads/main.lock") < second.index("refs/heads>")
    assert "index.lock" in second
