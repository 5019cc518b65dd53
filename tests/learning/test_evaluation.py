"""Tasks done with a skill and without it: sessions, folders and shells are real."""

import os
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.config.schema import Config
from hermes_tui.core.errors import ModelAuthError, ModelError
from hermes_tui.core.messages import Message, ToolCall
from hermes_tui.core.ports import ModelItem, ModelRequest, Reply
from hermes_tui.core.usage import Usage
from hermes_tui.learning.evaluation.evaluation import (
    Evaluation,
    Place,
    Plan,
    Run,
    Work,
    estimated_cost,
)
from hermes_tui.learning.evaluation.report import compared, summaries
from hermes_tui.learning.evaluation.tasks import (
    CommandSucceeds,
    FileExists,
    OutputContains,
    Sentence,
    Task,
    seen,
)
from hermes_tui.models.scripted import says
from hermes_tui.runtime import evaluation as scratch
from hermes_tui.runtime.evaluation import ScratchArena
from hermes_tui.skills.library import Library, Root
from hermes_tui.skills.repository import SkillRepository
from hermes_tui.skills.skills import Skills
from hermes_tui.store.store import Store

SKILL = """\
---
name: csv-join
description: "Joins CSV files. Use when two tables have to be put together."
---

The magic word is xyzzy.
"""
SLOW = ("ls", "cat a.csv", "echo wrong > out.csv")


def command(line: str) -> Message:
    return Message("assistant", (ToolCall(f"call-{line}", "terminal", f'{{"command": "{line}"}}'),))


LOAD = Message("assistant", (ToolCall("load", "skill_load", '{"name": "csv-join"}'),))


class Pupil:
    """A model that is quick and right where it can read the skill, and slow and wrong elsewhere."""

    name = "pupil"
    context_window = None

    def __init__(self) -> None:
        self.systems: list[str] = []
        self.error: ModelError | None = None
        self.fails_at = 0
        self.asked = 0

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        self.asked += 1
        if self.error and self.asked >= self.fails_at:
            raise self.error
        self.systems.append(request.prefix.system)
        step = sum(message.role == "assistant" for message in request.messages)
        lines = [LOAD, command("echo xyzzy > out.csv")]
        if "csv-join" not in request.prefix.system:
            lines = [command(line) for line in SLOW]
        message = lines[step] if step < len(lines) else says("It is done.")
        yield Reply(message, Usage(input_tokens=1_000 + 100 * step, output_tokens=50))


def task(id_: str = "1", *, prompt: str = "Join the tables.") -> Task:
    checks = (CommandSucceeds("grep -q xyzzy out.csv"), FileExists("out.csv"))
    return Task(id_, prompt, "", (), checks)


def plan(*tasks: Task, runs: int = 1, seed: int = 1) -> Plan:
    return Plan(
        skill="csv-join", tasks=tasks or (task(),), runs=runs,
        arms=("without_skill", "with_skill"), seed=seed,
    )  # fmt: skip


class Table:
    """An evaluation with what it needs, and what was kept of it."""

    def __init__(
        self, folder: Path, pupil: Pupil, of: Plan, *, budget: int = 1_000_000,
        store: Store | None = None, skill: str = SKILL,
    ) -> None:  # fmt: skip
        shelf = folder / "csv-join"
        shelf.mkdir(parents=True, exist_ok=True)
        (shelf / "SKILL.md").write_text(skill, "utf-8")
        self.folders: list[Path] = []
        self.kept: list[tuple[Run, Work, dict[str, tuple[int, int]]]] = []
        arena = ScratchArena(
            Config(), pupil, skills={"with_skill": shelf},
            usage=store.usage if store else None, own=folder / "own",
        )  # fmt: skip
        self.arena = arena
        self.on_keep: Callable[[Place], Awaitable[None]] | None = None
        self.evaluation = Evaluation(of, arena, judge=None, budget=budget, keep=self.keep)

    async def keep(self, run: Run, work: Work, place: Place) -> None:
        self.folders.append(place.folder)
        self.kept.append((run, work, seen(place.folder)))
        if self.on_keep:
            await self.on_keep(place)

    async def run(self) -> Sequence[Run]:
        with anyio.fail_after(60):
            await self.evaluation.run()
        return self.evaluation.runs


async def test_runs_with_and_without_a_skill_are_measured_in_pairs(tmp_path: Path) -> None:
    table = Table(tmp_path, Pupil(), plan(task("1"), task("2"), runs=2))
    runs = await table.run()
    assert table.evaluation.ending == "complete"
    assert Counter(run.arm for run in runs) == {"with_skill": 4, "without_skill": 4}
    by_arm = {run.arm: run for run in runs}
    helped, alone = by_arm["with_skill"], by_arm["without_skill"]
    assert (helped.pass_rate, alone.pass_rate) == (1.0, 0.5)
    assert (helped.is_loaded, alone.is_loaded) == (True, False)
    assert (helped.model_calls, alone.model_calls) == (3, 4)
    assert helped.usage == Usage(input_tokens=3_300, output_tokens=150)
    assert (helped.tokens, alone.tokens) == (3_450, 4_800)
    assert helped.tool_calls == {"skill_load": 1, "terminal": 1}
    assert alone.tool_calls == {"terminal": 3}
    assert alone.tool_errors == 1  # there is no a.csv
    assert helped.seconds > 0
    assert table.evaluation.spent == 4 * (3_450 + 4_800)
    found = compared(runs, "with_skill", "without_skill")
    assert found is not None
    assert found.text == "insufficient evidence (n=4)"
    assert found.tokens is not None
    assert found.tokens.value == pytest.approx(3_450 / 4_800)
    assert found.saved_tokens is not None
    assert found.saved_tokens.value == 1_350


async def test_every_run_has_a_folder_of_its_own_that_is_gone_afterwards(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id\n", "utf-8")
    given_task = Task("1", "go", "", ((tmp_path / "a.csv", "a.csv"),), ())
    table = Table(tmp_path, Pupil(), plan(given_task, runs=2))
    await table.run()
    assert len(set(table.folders)) == 4
    assert not any(folder.parent.exists() for folder in table.folders)
    assert all(set(files) == {"a.csv", "out.csv"} for _, _, files in table.kept)


async def test_nothing_of_the_persons_home_reaches_a_run(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "memory").mkdir(parents=True)
    (home / "memory" / "USER.md").write_text("Likes tabs.", "utf-8")
    (home / "SOUL.md").write_text("You are a pirate.", "utf-8")
    (home / "skills" / "git-tricks").mkdir(parents=True)
    (home / "skills" / "git-tricks" / "SKILL.md").write_text(
        SKILL.replace("csv-join", "git-tricks"), "utf-8"
    )
    monkeypatch.setenv("SOME_SECRET", "hunter2")
    checks = (
        CommandSucceeds('test "$HERMES_HOME" != "" && ! test -e "$HERMES_HOME/memory/USER.md"'),
        CommandSucceeds('test -z "$SOME_SECRET"'),
        CommandSucceeds('touch "$TMPDIR/x"'),
    )
    pupil = Pupil()
    table = Table(tmp_path, pupil, plan(Task("1", "go", "", (), checks)))
    runs = await table.run()
    assert [grade.passed for run in runs for grade in run.grades] == [True] * 6
    for word in ("tabs", "pirate", "git-tricks"):
        assert not any(word in system for system in pupil.systems)
    assert sum("# Skills" in system for system in pupil.systems) == 3
    assert os.environ["HERMES_HOME"] == str(home)


def is_running(pid: str) -> bool:
    """Whether it is there and has not ended; nobody may have asked yet how it did."""
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text("utf-8")


async def test_what_a_run_starts_in_the_background_ends_with_it(tmp_path: Path) -> None:
    class Server(Pupil):
        async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
            start = '{"command": "echo $BASHPID > pid; exec sleep 300", "background": true}'
            steps = (
                Message("assistant", (ToolCall("s", "terminal", start),)),
                command("until test -s pid; do read -t 0.05; done"),
                says("It runs."),
            )
            yield Reply(steps[sum(m.role == "assistant" for m in request.messages)], Usage(10, 1))

    table = Table(tmp_path, Server(), plan(Task("1", "go", "", (), ())))
    pids: list[str] = []

    async def note(place: Place) -> None:
        pids.append((await anyio.Path(place.folder / "pid").read_text("utf-8")).strip())

    table.on_keep = note
    await table.run()
    assert len(pids) == 2
    assert not any(is_running(pid) for pid in pids)


@given(st.integers(1, 5), st.integers(1, 6), st.integers(0, 10_000))
def test_every_seed_orders_the_same_runs(tasks: int, runs: int, seed: int) -> None:
    made = plan(*(task(str(number)) for number in range(tasks)), runs=runs, seed=seed)
    blocks = made.blocks()
    assert blocks == made.blocks()
    assert len(blocks) == tasks * runs
    assert sum(map(len, blocks)) == made.count
    for block in blocks:
        assert {trial.arm for trial in block} == set(made.arms)
        assert len({(trial.task.id, trial.number) for trial in block}) == 1


def test_neither_arm_always_comes_first() -> None:
    blocks = plan(task(), runs=40).blocks()
    firsts = Counter(block[0].arm for block in blocks)
    assert min(firsts["with_skill"], firsts["without_skill"]) > 8


async def test_it_ends_before_a_pair_it_has_no_budget_for(tmp_path: Path) -> None:
    table = Table(tmp_path, Pupil(), plan(runs=5), budget=20_000)
    runs = await table.run()
    assert table.evaluation.ending == "budget"
    assert len(runs) == 4
    assert table.evaluation.spent <= 20_000


async def test_a_run_that_goes_beyond_the_budget_is_stopped_and_does_not_count(
    tmp_path: Path,
) -> None:
    table = Table(tmp_path, Pupil(), plan(), budget=2_000)
    assert await table.run() == []
    assert table.evaluation.ending == "budget"
    assert 2_000 < table.evaluation.spent < 4_000


async def test_a_provider_that_refuses_ends_it_with_its_error(tmp_path: Path) -> None:
    pupil = Pupil()
    pupil.error = ModelAuthError("The key was rejected.", hint="Check it.")
    table = Table(tmp_path, pupil, plan(runs=5))
    assert await table.run() == []
    assert (table.evaluation.ending, pupil.asked) == ("failed", 2)
    assert table.evaluation.problem is not None
    assert str(table.evaluation.problem) == "The key was rejected. Check it."


async def test_what_was_measured_before_a_failure_stays(tmp_path: Path) -> None:
    pupil = Pupil()
    pupil.error, pupil.fails_at = ModelError("Gone."), 8
    table = Table(tmp_path, pupil, plan(runs=5))
    runs = await table.run()
    assert len(runs) == 2
    assert compared(runs, "with_skill", "without_skill") is not None


async def test_cancelling_keeps_what_was_measured(tmp_path: Path) -> None:
    table = Table(tmp_path, Pupil(), plan(runs=5))
    with anyio.CancelScope() as scope:

        async def stop_at_the_fourth(_place: Place) -> None:
            if len(table.kept) == 4:
                scope.cancel()
                await anyio.lowlevel.checkpoint()

        table.on_keep = stop_at_the_fourth
        await table.run()
    assert table.evaluation.ending == "interrupted"
    assert len(table.evaluation.runs) == 3
    assert not any(folder.parent.exists() for folder in table.folders)


async def test_a_run_that_takes_too_long_counts_with_what_it_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(Pupil):
        async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
            step = sum(message.role == "assistant" for message in request.messages)
            yield Reply(command("sleep 60" if step else "touch out.csv"), Usage(10, 1))

    monkeypatch.setattr(scratch, "MAX_SECONDS", 1.0)
    runs = await Table(
        tmp_path, Slow(), plan(Task("1", "go", "", (), (FileExists("out.csv"),)))
    ).run()
    assert [(run.stop, run.pass_rate) for run in runs] == [("timeout", 1.0)] * 2


async def test_a_place_that_cannot_be_made_is_told(
    tmp_path: Path,
) -> None:
    (tmp_path / "a").write_text("x", "utf-8")
    given_task = Task("1", "go", "", ((tmp_path / "a", "a"),), ())
    table = Table(tmp_path, Pupil(), plan(given_task))
    (tmp_path / "a").unlink()
    assert await table.run() == []
    assert table.evaluation.ending == "failed"
    assert table.evaluation.problem is not None
    assert "'a' of task '1' cannot be copied" in table.evaluation.problem.message


async def test_changing_files_elsewhere_is_refused_even_though_nobody_is_asked(
    tmp_path: Path,
) -> None:
    target = tmp_path / "elsewhere.txt"

    class Astray(Pupil):
        async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
            done = any(message.role == "assistant" for message in request.messages)
            write = f'{{"path": "{target}", "content": "x"}}'
            call = Message("assistant", (ToolCall("1", "write_file", write),))
            yield Reply(says("Done.") if done else call, Usage(10, 1))

    runs = await Table(tmp_path, Astray(), plan(Task("1", "go", "", (), ()))).run()
    assert [run.tool_errors for run in runs] == [1, 1]
    assert not target.exists()


async def test_every_model_call_is_added_to_the_record_of_usage(tmp_path: Path) -> None:
    async with Store.open(tmp_path / "hermes.db") as store:
        table = Table(tmp_path, Pupil(), plan(), store=store)
        await table.run()
        days = await store.usage.by_day(datetime(2020, 1, 1, tzinfo=UTC))
    assert [(day.model, day.calls) for day in days] == [("pupil", 7)]


async def test_an_answer_is_judged_apart_from_the_skills_text(tmp_path: Path) -> None:
    checks = (OutputContains("magic"), OutputContains("It is done."))
    runs = await Table(tmp_path, Pupil(), plan(Task("1", "go", "", (), checks))).run()
    assert [[grade.passed for grade in run.grades] for run in runs] == [[False, True]] * 2


async def test_the_estimate_grows_with_runs_and_sentences_and_trusts_experience(
    tmp_path: Path,
) -> None:
    table = Table(tmp_path, Pupil(), plan())
    prefix = await table.arena.prefix_tokens()
    assert prefix > 500
    small = estimated_cost(plan(), prefix_tokens=prefix)
    judged = estimated_cost(
        plan(Task("1", "p", "", (), (Sentence("Done."),))), prefix_tokens=prefix
    )
    assert estimated_cost(plan(runs=3), prefix_tokens=prefix).runs == 3 * small.runs == 6
    assert judged.model_calls == small.model_calls + 2
    assert estimated_cost(plan(), prefix_tokens=prefix, run_tokens=5_000).tokens == 10_000
    assert summaries([]) == ()


async def test_in_daily_use_a_skill_does_not_list_its_tasks(tmp_path: Path) -> None:
    folder = tmp_path / "skills" / "csv-join"
    for name in ("SKILL.md", "scripts/join.py", "evals/evals.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(SKILL, "utf-8")
    shelf = tmp_path / "skills"
    skills = Skills(Library([Root(shelf, "person")]), lambda: SkillRepository(shelf), folder=shelf)
    assert (await skills.load("csv-join")).files == ("scripts/join.py",)
