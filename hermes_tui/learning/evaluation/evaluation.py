"""Measuring whether a skill helps: the same tasks with it, without it and with an older version.

Every run is a fresh session in a fresh folder. Runs are paired by task and number; pairs come in
random order, and so do the arms within a pair, so that nothing that drifts favours one of them.
"""

import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from statistics import fmean
from typing import Literal, Protocol

from msgspec import Struct

from hermes_tui.core.environment import CommandResult
from hermes_tui.core.errors import HermesError
from hermes_tui.core.messages import Message
from hermes_tui.core.ports import Model
from hermes_tui.core.usage import Usage
from hermes_tui.learning.evaluation.grading import SKILL_TOOL, Grade, graded
from hermes_tui.learning.evaluation.tasks import Sentence, Task

Arm = Literal["without_skill", "with_skill", "old_skill"]
Stop = Literal["done", "step_limit", "loop", "timeout", "cancelled", "error", "budget"]
Ending = Literal["complete", "interrupted", "budget", "failed"]

FAILURES_IN_A_ROW = 2
"""Runs the provider may fail until there is no point in going on."""
ASSUMED_STEPS = 8
ASSUMED_STEP_TOKENS = 600
"""By which a conversation grows with each step."""
ASSUMED_REPLY_TOKENS = 250
ASSUMED_JUDGING_TOKENS = 4_000


class Trial(Struct, frozen=True):
    """One run to be made."""

    task: Task
    number: int
    """From 1; runs of the same task and number are a pair."""
    arm: Arm


class Plan(Struct, frozen=True, kw_only=True):
    """What is going to be measured."""

    skill: str
    tasks: tuple[Task, ...]
    runs: int
    """Of each task in each arm."""
    arms: tuple[Arm, ...]
    seed: int

    @property
    def count(self) -> int:
        return len(self.tasks) * self.runs * len(self.arms)

    def blocks(self) -> list[list[Trial]]:
        """The pairs in the order they are made, arms in the order they are run."""
        chance = random.Random(self.seed)  # noqa: S311 - an order, repeatable from its seed
        blocks = [
            [Trial(task, number, arm) for arm in chance.sample(self.arms, len(self.arms))]
            for task in self.tasks
            for number in range(1, self.runs + 1)
        ]
        chance.shuffle(blocks)
        return blocks


class Cost(Struct, frozen=True):
    """What measuring takes, estimated."""

    runs: int
    model_calls: int
    tokens: int


def estimated_cost(plan: Plan, *, prefix_tokens: int, run_tokens: float = 0.0) -> Cost:
    """A guess from the size of the prompt, or from what a run took before.

    Args:
        prefix_tokens: What every request begins with.
        run_tokens: What a run took the last time; 0 when nobody knows.
    """
    steps = ASSUMED_STEPS
    growth = ASSUMED_STEP_TOKENS * steps * (steps - 1) // 2
    guessed = steps * (prefix_tokens + ASSUMED_REPLY_TOKENS) + growth
    judged = sum(any(isinstance(a, Sentence) for a in task.assertions) for task in plan.tasks)
    judgings = judged * plan.runs * len(plan.arms)
    tokens = plan.count * (run_tokens or guessed) + judgings * ASSUMED_JUDGING_TOKENS
    return Cost(plan.count, plan.count * steps + judgings, max(int(tokens) // 1_000, 1) * 1_000)


class Work(Struct, frozen=True, kw_only=True):
    """What one session did."""

    messages: tuple[Message, ...]
    usage: Usage
    seconds: float
    model_calls: int
    stop: Stop
    error: str = ""
    hint: str = ""
    exit_code: int = 0


class Run(Struct, frozen=True, kw_only=True):
    """What was measured of one trial."""

    task: str
    number: int
    arm: Arm
    usage: Usage
    judging: Usage
    """What judging it took; no part of what the skill costs."""
    seconds: float
    model_calls: int
    tool_calls: dict[str, int]
    tool_errors: int
    stop: Stop
    is_loaded: bool
    """The skill was read."""
    grades: tuple[Grade, ...]

    @property
    def tokens(self) -> int:
        """All that was sent and received, cached or not."""
        return self.usage.input_tokens + self.usage.output_tokens

    @property
    def graded(self) -> list[Grade]:
        return [one for one in self.grades if one.passed is not None]

    @property
    def pass_rate(self) -> float | None:
        """Of what could be graded; None when that is nothing."""
        known = self.graded
        return sum(one.passed is True for one in known) / len(known) if known else None


class Place(Protocol):
    """A fresh folder to do one task in."""

    @property
    def folder(self) -> Path: ...

    @property
    def inputs(self) -> Mapping[str, tuple[int, int]]:
        """Size and time of each file that is there before the work, by its path."""
        ...

    async def work(self, prompt: str, *, max_tokens: int) -> Work:
        """Answer `prompt` in a fresh session; stops with `budget` beyond `max_tokens`."""
        ...

    async def command(self, command: str) -> CommandResult:
        """Run a command in the folder, in a fresh shell."""
        ...


class Arena(Protocol):
    """Makes places to work in. Raises `HermesError` when one cannot be made."""

    def place(self, task: Task, arm: Arm) -> AbstractAsyncContextManager[Place]: ...


Keep = Callable[[Run, Work, Place], Awaitable[None]]
"""Told of each run while its folder is still there."""


class Evaluation:
    """Carries a plan out; what was measured stays when it is cancelled.

    Args:
        judge: Who judges plain sentences; None leaves them ungraded.
        budget: Tokens it may take in all.
    """

    def __init__(
        self, plan: Plan, arena: Arena, *, judge: Model | None, budget: int, keep: Keep
    ) -> None:
        self.plan = plan
        self.runs: list[Run] = []
        self.spent = 0
        """Tokens, those of judging and of runs that do not count included."""
        self.cost_usd: float | None = None
        self.ending: Ending = "interrupted"
        self.problem: HermesError | None = None
        """Why it could not go on."""
        self._arena = arena
        self._judge = judge
        self._budget = budget
        self._keep = keep

    async def run(self) -> None:
        """Make every run there is budget for.

        What keeps it from going on is in `problem`, not raised.
        """
        failures = 0
        for trial in self._affordable():
            try:
                work = await self._run(trial)
            except HermesError as error:
                self.ending, self.problem = "failed", error
                return
            if work.stop == "budget":
                self.ending = "budget"
                return
            failures = failures + 1 if work.stop == "error" else 0
            if failures == FAILURES_IN_A_ROW:
                self.ending = "failed"
                self.problem = HermesError(work.error, hint=work.hint)
                self.problem.exit_code = work.exit_code
                return
        if self.ending == "interrupted":
            self.ending = "complete"

    def _affordable(self) -> Iterator[Trial]:
        """The trials, until a whole pair is likely to go beyond the budget."""
        for block in self.plan.blocks():
            usual = fmean(run.tokens for run in self.runs) if self.runs else 0
            if self.spent + usual * len(block) > self._budget:
                self.ending = "budget"
                return
            yield from block

    async def _run(self, trial: Trial) -> Work:
        task = trial.task
        async with self._arena.place(task, trial.arm) as place:
            work = await place.work(task.prompt, max_tokens=self._budget - self.spent)
            self._account(work.usage)
            if work.stop in {"budget", "error"}:
                return work
            grades, judging = await graded(
                task,
                messages=work.messages,
                folder=place.folder,
                run=place.command,
                judge=self._judge,
            )
            self._account(judging)
            run = _measured(trial, work, grades, judging)
            await self._keep(run, work, place)
            self.runs.append(run)
        return work

    def _account(self, usage: Usage) -> None:
        self.spent += usage.input_tokens + usage.output_tokens
        if usage.cost_usd is not None:
            self.cost_usd = (self.cost_usd or 0.0) + usage.cost_usd


def _measured(trial: Trial, work: Work, grades: Sequence[Grade], judging: Usage) -> Run:
    calls = [call for message in work.messages for call in message.tool_calls]
    results = [result for message in work.messages for result in message.tool_results]
    failed = {result.call_id for result in results if result.is_error}
    names = [call.name for call in calls]
    return Run(
        task=trial.task.id,
        number=trial.number,
        arm=trial.arm,
        usage=work.usage,
        judging=judging,
        seconds=work.seconds,
        model_calls=work.model_calls,
        tool_calls={name: names.count(name) for name in dict.fromkeys(names)},
        tool_errors=len(failed),
        stop=work.stop,
        is_loaded=any(call.name == SKILL_TOOL and call.id not in failed for call in calls),
        grades=tuple(grades),
    )
