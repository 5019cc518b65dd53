"""Figures of the skills' history: a repository of any size, what each operation costs, kills.

`just bench skills` prints them.
"""

import asyncio
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.kernel import row
from hermes_tui.skills.repository import SkillRepository
from hermes_tui.skills.versions import Change
from tests.doubles.skill_writer import git, start_writer, survives_kill

SKILLS = 2_000
COMMITS = 2_000
CHANGED = 500
"""Skills the commits go round."""
TICK_SECONDS = 0.001
BODY = "".join(f"Step {number}: look at the log and then at the disk.\n" for number in range(40))


def build(folder: Path, *, skills: int = SKILLS, commits: int = COMMITS) -> None:
    """A repository as Hermes writes it, by one stream to git; two files in each skill."""
    subprocess.run(["git", "init", "--quiet", "-b", "main", str(folder)], check=True)
    stream: list[bytes] = []
    for number in range(commits):
        skill, version = number % CHANGED, number // CHANGED + 1
        message = (
            f"refine {name(skill)}: bench\n\nSkill: {name(skill)}\nSkill-Version: {version}\n"
            "Action: refine\nReason: bench\n"
        )
        stream.append(
            f"commit refs/heads/main\ncommitter Hermes <hermes@localhost> {1_700_000_000 + number}"
            f" +0000\ndata {len(message)}\n{message}\n".encode()
        )
        if number == 0:
            for each in range(skills):
                stream += [_file(each, "SKILL.md", _text(each, 0)), _file(each, "scripts/run.sh")]
        else:
            stream.append(_file(skill, "SKILL.md", _text(skill, version)))
    git = ["git", "-C", str(folder)]
    subprocess.run([*git, "fast-import", "--quiet"], input=b"".join(stream), check=True)
    subprocess.run([*git, "reset", "--quiet", "--hard"], check=True)


def name(number: int) -> str:
    return f"skill-{number:04}"


def _text(skill: int, version: int) -> str:
    head = f"---\nname: {name(skill)}\ndescription: Version {version}.\n---\n"
    return f"{head}# Skill {skill}\n{BODY}"


def _file(skill: int, path: str, text: str = "echo hello\n") -> bytes:
    return f"M 100644 inline {name(skill)}/{path}\ndata {len(text)}\n{text}\n".encode()


async def measure(folder: Path, *, times: int = 20) -> None:
    """Print what each operation costs on a repository from `build`."""
    repository = SkillRepository(folder)
    chance = random.Random(7)

    async def write() -> None:
        skill = chance.randrange(SKILLS)
        change = Change(skill=name(skill), action="refine", reason="bench", confidence=(0.4, 0.5))
        text = _text(skill, chance.randrange(10**6))
        await repository.write(change, lambda folder: _put(folder / "SKILL.md", text))

    async def adopt_one() -> None:
        _put(folder / name(chance.randrange(SKILLS)) / "SKILL.md", str(chance.random()))
        await repository.adopt()

    operations: tuple[tuple[str, int, Callable[[], Awaitable[object]]], ...] = (
        ("history of one skill", 150, lambda: repository.history(name(3))),
        ("commit", 60, write),
        ("diff of two versions", 60, lambda: repository.diff(name(3), 1, 3)),
        ("diff to the disk", 60, lambda: repository.diff(name(3), 1)),
        ("files of a version", 60, lambda: repository.files(name(3), 2)),
        ("blame", 150, lambda: repository.blame(name(3))),
        ("roll-back", 150, lambda: repository.roll_back(name(3), 2)),
        ("adopt, nothing changed", 60, repository.adopt),
        ("adopt, one changed", 120, adopt_one),
    )
    for what, goal, operation in operations:
        async with Pulse() as pulse:
            first = await _timed(operation)
            rest = [await _timed(operation) for _ in range(times)]
        tail = sorted(rest)[int(len(rest) * 0.95) - 1]
        row(
            f"  {what} (first {first:.0f}, p95 {tail:.0f})",
            f"{statistics.median(rest):.1f} ms", f"<= {goal} ms",
        )  # fmt: skip
        row("    event loop held up", f"{pulse.worst * 1000:.0f} ms", "<= 50 ms")
    row("  tidy, in idle time", f"{await _timed(repository.tidy):.0f} ms", "-")
    repository.close()


async def _timed(operation: Callable[[], Awaitable[object]]) -> float:
    started = time.perf_counter()
    await operation()
    return (time.perf_counter() - started) * 1000


class Pulse:
    """The longest the event loop kept a task from running."""

    def __init__(self) -> None:
        self.worst = 0.0

    async def __aenter__(self) -> "Pulse":
        self._task = asyncio.create_task(self._beat())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def _beat(self) -> None:
        while True:
            due = time.perf_counter() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            self.worst = max(self.worst, time.perf_counter() - due)


def _put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def kills(times: int) -> None:
    """Kill writers at random moments and count what is lost."""
    chance = random.Random()
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "skills"
        acknowledged = lost = 0
        for _ in range(times):
            here = survives_kill(
                folder, after_lines=chance.randrange(1, 4), delay_seconds=chance.random() / 20
            )
            acknowledged, lost = acknowledged + here[0], lost + here[1]
    row(f"{times} kills, {acknowledged} acknowledged commits", f"{lost} lost", "0 lost")


def writers(processes: int = 4, times: int = 25) -> None:
    """Several processes at once, each refining a skill of its own."""
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "skills"
        started = time.perf_counter()
        running = [start_writer(folder, f"skill-{each}", times) for each in range(processes)]
        for each in running:
            each.communicate(timeout=300)
        seconds = time.perf_counter() - started
        commits = int(git(folder, "rev-list", "--count", "HEAD"))
    row(f"{processes} processes x {times}, {seconds:.1f} s", f"{commits}", f"{processes * times}")
