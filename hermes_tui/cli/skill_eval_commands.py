"""`hermes skills eval`: measure whether a skill helps, and remember what was found."""

import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec
from msgspec import Struct

from hermes_tui.agent.approvals import Nobody
from hermes_tui.cli.asking import TerminalHuman
from hermes_tui.cli.diagnostics import ExitCode
from hermes_tui.cli.one_shot import ENDING
from hermes_tui.cli.printing import count, print_json, print_line, say
from hermes_tui.cli.skill_desk import Desk
from hermes_tui.config.logs import log_to
from hermes_tui.config.paths import Paths, find_paths, shown, working_folder
from hermes_tui.config.secrets import load_secrets
from hermes_tui.core.errors import ConfigError, RefusedError, StoreError
from hermes_tui.core.ports import Model
from hermes_tui.core.skills import Origin, Skill
from hermes_tui.core.tasks import task_group
from hermes_tui.core.usage import estimated_tokens
from hermes_tui.learning.evaluation.evaluation import (
    Arm,
    Evaluation,
    Place,
    Plan,
    Run,
    Work,
    estimated_cost,
)
from hermes_tui.learning.evaluation.files import (
    Identity,
    Results,
    check_writable,
    evaluations_folder,
    latest_evidence,
    remember,
    stamp_of,
)
from hermes_tui.learning.evaluation.report import (
    MIN_PAIRS,
    Evidence,
    compared,
    report,
    summaries,
)
from hermes_tui.learning.evaluation.tasks import FILE as TASKS
from hermes_tui.learning.evaluation.tasks import FOLDER, commands_of, read_tasks
from hermes_tui.models.wrapped import close_model
from hermes_tui.runtime.evaluation import ScratchArena
from hermes_tui.runtime.models import build_model, warm_up
from hermes_tui.runtime.named_settings import load_checked
from hermes_tui.runtime.runtime import Overrides
from hermes_tui.runtime.skills import open_skills, open_trust
from hermes_tui.skills.catalog import catalog, obstacle
from hermes_tui.skills.skill import FILE
from hermes_tui.skills.skills import body_of, files_of
from hermes_tui.store.store import Store
from hermes_tui.tools.toolsets import toolsets_of

ROOM = 3
"""How often the estimate a run of everything may take before it ends, unless told."""
NOT_THERE = frozenset({"memory", "session_search", "clarify"})
"""Tools no run has: they would carry something from one to the next, or wait for a person."""
OTHERS: frozenset[Origin] = frozenset({"hub", "foreign", "project"})
"""Origins of skills somebody else wrote."""


class Request(Struct, frozen=True, kw_only=True):
    """The options of one `hermes skills eval`; empty and 0 mean "not given"."""

    skill: str
    runs: int = 3
    old: str = ""
    tasks: str = ""
    model: str = ""
    budget: int = 0
    seed: int = 0
    out: str = ""
    yes: bool = False
    as_json: bool = False


class _Subject(Struct, frozen=True):
    """What is measured."""

    skill: Skill
    version: int
    """0 without a history."""
    old_version: int | None
    plan: Plan
    folders: dict[Arm, Path]


def evaluate(request: Request) -> int:
    """Measure, print and remember; how it ended as an exit code.

    Raises:
        NotFoundError: there is no such skill or version.
        ConfigError: there are no usable tasks, or the skill cannot be used here.
        RefusedError: the person did not agree.
        HermesError: it had to stop; what was measured has been printed and kept.
    """
    return anyio.run(_evaluate, request)


async def _evaluate(request: Request) -> int:
    paths = find_paths(os.environ)
    given = Overrides(model=request.model or None)
    config = load_checked(paths, cwd=working_folder(), given=given)
    paths.create()
    secrets = load_secrets(paths, os.environ, config)
    log_to(paths.logs_dir, level=config.logging.level, redact=secrets.redact)
    async with AsyncExitStack() as stack:
        store = None
        try:
            store = await stack.enter_async_context(Store.open(paths.database))
        except StoreError as error:
            say(f"What it takes is not added to the record of usage: {error}")
        toolsets = partial(toolsets_of, [*config.tools.disabled, *NOT_THERE])
        skills = open_skills(paths, config, store=store, toolsets=toolsets)
        stack.callback(skills.repository.close)
        is_seen = sys.stdin.isatty() and sys.stderr.isatty()
        desk = Desk(paths, config, skills, TerminalHuman() if is_seen else Nobody(), store)
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="hermes-eval-skill-"))
        subject = await _subject(desk, request, Path(scratch))
        model = build_model(
            request.model or None, config=config, secrets=secrets, reasoning=config.agent.reasoning
        )
        stack.push_async_callback(close_model, model)
        warm_up(model.name, config=config, secrets=secrets)
        arena = ScratchArena(
            config, model, skills=subject.folders, usage=store.usage if store else None,
            own=paths.home,
        )  # fmt: skip
        budget = await _agreed_budget(desk, request, subject, model, arena)
        return await _measured(desk, request, subject, model, arena, budget)


async def _subject(desk: Desk, request: Request, scratch: Path) -> _Subject:
    skill = await desk.skill(request.skill)
    check_writable(_results_folder(desk, request))
    if why := obstacle(skill, desk.skills.toolsets()):
        raise ConfigError(
            f"{skill.name!r} cannot be measured here: {why}",
            hint="Runs have the tools for commands, files and the list of things to do.",
        )
    file = _given(request.tasks) or skill.path / TASKS
    tasks = await anyio.to_thread.run_sync(partial(read_tasks, file, skill=skill.name))
    folders: dict[Arm, Path] = {"with_skill": scratch / "new" / skill.path.name}
    await anyio.to_thread.run_sync(_copy, skill.path, folders["with_skill"])
    old = _version_number(request.old) if request.old else None
    if old is not None:
        path = await desk.path(skill.name)
        await desk.adopt()
        folders["old_skill"] = scratch / "old" / skill.path.name
        folders["old_skill"].parent.mkdir()
        await desk.skills.repository.export(path, folders["old_skill"], version=old)
        shutil.rmtree(folders["old_skill"] / FOLDER, ignore_errors=True)
    arms: tuple[Arm, ...] = ("without_skill", *folders)
    has_history = desk.skills.path_of(skill) is not None
    return _Subject(
        skill,
        await desk.skills.version_of(skill) if has_history else 0,
        old,
        Plan(
            skill=skill.name, tasks=tasks, runs=request.runs, arms=arms,
            seed=request.seed or random.randrange(1, 1_000_000),  # noqa: S311 - an order
        ),
        folders,
    )  # fmt: skip


def _results_folder(desk: Desk, request: Request) -> Path:
    return _given(request.out) or evaluations_folder(desk.paths.evals_dir, request.skill)


def _given(path: str) -> Path | None:
    """A path from the command line; None where it was not given."""
    return Path(path).expanduser().absolute() if path else None


def _version_number(text: str) -> int:
    number = text.removeprefix("v")
    if not number.isdecimal():
        raise ConfigError(f"--old {text!r} is no version.", hint="Write it as v2, or 2.")
    return int(number)


def _copy(source: Path, target: Path) -> None:
    """The skill without its tasks, which say what is expected."""
    for name in (FILE, *files_of(source)):
        if not name.startswith(f"{FOLDER}/"):
            copy = target / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, copy)


async def _agreed_budget(
    desk: Desk, request: Request, subject: _Subject, model: Model, arena: ScratchArena
) -> int:
    """Say what will happen and what it may take, and ask; the tokens agreed to."""
    plan = subject.plan
    before = latest_evidence(desk.paths.evals_dir, plan.skill)
    known = max((one.tokens for one in before.summaries), default=0.0) if before else 0.0
    cost = estimated_cost(plan, prefix_tokens=await arena.prefix_tokens(), run_tokens=known)
    budget = request.budget or cost.tokens * ROOM
    version = f" (version {subject.version})" if subject.version else ""
    tasks = count(len(plan.tasks), "task")
    arms = ", ".join(_named(arm, subject.old_version) for arm in plan.arms)
    times = count(plan.runs, "time")
    say(f"Measures {plan.skill}{version} with {model.name}: {tasks}, {times} each,")
    say(f"{arms}: {count(plan.count, 'run')} in random order (seed {plan.seed}).")
    if (pairs := len(plan.tasks) * plan.runs) < MIN_PAIRS:
        enough = -(-MIN_PAIRS // len(plan.tasks))
        say(f"{count(pairs, 'pair')} cannot show anything: {MIN_PAIRS} can, with --runs {enough}.")
    if model.name == "rehearsal":
        say("REHEARSAL: no LLM answers, so this tries the tasks out and is no evidence.")
        say("Name a model with --model, or choose one with `hermes setup`.")
    say("Each is a fresh session in a fresh temporary folder. Its commands run on this machine,")
    say("with your rights, without asking, and nothing confines them to that folder.")
    for command in commands_of(plan.tasks):
        say(f"Checks the outcome with: {command}")
    say(
        f"About {cost.model_calls:,} model calls and {cost.tokens:,} tokens"
        f"{', from what it took before' if known else ', a guess'}; "
        f"it ends at {budget:,} tokens (--budget)."
    )
    if await anyio.to_thread.run_sync(_is_vouched_for, desk, subject):
        await desk.agree("Go ahead?", yes=request.yes, refused="Nothing was run.")
    else:
        await _agree_to_somebody_elses(desk, subject)
    return budget


def _is_vouched_for(desk: Desk, subject: _Subject) -> bool:
    """Whether the person wrote what runs, or has trusted all of it as it is."""
    if subject.skill.origin not in OTHERS:
        return True
    # Trust is in the files of now; nobody said anything of an older version's.
    is_older_one_too = subject.old_version is not None
    return not is_older_one_too and open_trust(desk.paths).is_trusted(subject.skill)


async def _agree_to_somebody_elses(desk: Desk, subject: _Subject) -> None:
    """Go on only when a person says so here and now: an option can come from anybody.

    Raises:
        RefusedError: they said no, or nobody is there to ask.
    """
    name = subject.skill.name
    told = f"{name} is somebody else's, and you have not trusted it as it is."
    if subject.old_version is not None:
        told = f"{name} is somebody else's, and trust never covers its older versions."
    if isinstance(desk.human, Nobody):
        hint = f"Run this at a terminal, or look at it first and run `hermes skills trust {name}`."
        if subject.old_version is not None:
            hint = "Run this at a terminal, where you are asked."
        raise RefusedError(f"{told} Nothing was run.", hint=hint)
    say(f"! {told} What it says and brings runs with your rights.")
    await desk.agree("Go ahead all the same?", yes=False, refused="Nothing was run.")


async def _measured(
    desk: Desk,
    request: Request,
    subject: _Subject,
    model: Model,
    arena: ScratchArena,
    budget: int,
) -> int:
    plan = subject.plan
    identity = Identity(
        plan.skill, str(subject.skill.path), model.name, plan.runs, subject.old_version
    )
    results = Results.begin(_results_folder(desk, request), identity, plan.tasks)

    async def keep(run: Run, work: Work, place: Place) -> None:
        await anyio.to_thread.run_sync(results.keep, run, work, place.folder, place.inputs)
        if desk.store is not None and run.judging.input_tokens:
            await desk.store.usage.record("", run.judging, model.name)
        say(_progress(run, len(evaluation.runs) + 1, plan.count))

    judge = None if model.name == "rehearsal" else model
    evaluation = Evaluation(plan, arena, judge=judge, budget=budget, keep=keep)
    with anyio.CancelScope() as scope:
        async with _cancelled_by_signals(scope):
            await evaluation.run()
    return _concluded(desk.paths, request, subject, model, evaluation, results)


def _concluded(
    paths: Paths,
    request: Request,
    subject: _Subject,
    model: Model,
    evaluation: Evaluation,
    results: Results,
) -> int:
    """Print and keep what was found; the exit code.

    Raises:
        HermesError: why it had to stop.
    """
    evidence = _evidence(subject, model, evaluation, results.folder)
    if evaluation.runs:
        results.finish(evaluation.runs, evidence)
        if evidence.effect is not None and not evidence.is_rehearsal:
            remember(paths.evals_dir, evidence)
    if request.as_json:
        found = msgspec.to_builtins(evidence)
        print_json({**found, "text": evidence.text, "runs": evaluation.runs})
    elif evaluation.runs:
        for line in report(evidence):
            print_line(line)
        cost = f", ${evaluation.cost_usd:.2f}" if evaluation.cost_usd else ""
        say(f"Took {evaluation.spent:,} tokens{cost}. All of it is in {shown(results.folder)}.")
    else:
        say("Nothing was measured.")
        results.drop()
    if evaluation.problem is not None:
        raise evaluation.problem
    return ExitCode.INTERRUPTED if evaluation.ending == "interrupted" else ExitCode.DONE


def _evidence(subject: _Subject, model: Model, evaluation: Evaluation, folder: Path) -> Evidence:
    runs, skill = evaluation.runs, subject.skill
    with_skill: Arm = "with_skill"
    return Evidence(
        skill=subject.plan.skill,
        version=subject.version,
        stamp=stamp_of(skill.path),
        at=datetime.now(UTC),
        model=model.name,
        seed=subject.plan.seed,
        ending=evaluation.ending,
        spent_tokens=evaluation.spent,
        catalog_tokens=estimated_tokens(catalog([skill])),
        body_tokens=estimated_tokens(body_of(skill)),
        summaries=summaries(runs),
        effect=compared(runs, with_skill, "without_skill"),
        change=compared(runs, with_skill, "old_skill"),
        old_version=subject.old_version,
        folder=str(folder),
    )


def _progress(run: Run, number: int, total: int) -> str:
    known = run.graded
    graded = f"{sum(one.passed is True for one in known)} of {len(known)} passed"
    ended = "" if run.stop == "done" else f", {run.stop}"
    return (
        f"{number}/{total}  task {run.task}, run {run.number}, {_named(run.arm, None)}: "
        f"{graded if known else 'not graded'}, {run.tokens:,} tokens, {run.seconds:.1f} s{ended}"
    )


def _named(arm: Arm, old_version: int | None) -> str:
    if arm == "old_skill":
        return f"with version {old_version}" if old_version else "with the old version"
    return arm.replace("_", " ")


@asynccontextmanager
async def _cancelled_by_signals(scope: anyio.CancelScope) -> AsyncGenerator[None, None]:
    """Let Ctrl-C and the like end the current run; a second one ends the process at once."""
    heeded = [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]

    async def watch() -> None:
        with anyio.open_signal_receiver(*heeded) as signals:
            async for _ in signals:
                say("Ends; what was measured counts.")
                scope.cancel()
                for again in heeded:
                    signal.signal(again, signal.SIG_DFL)

    async with task_group() as tasks:
        tasks.start_soon(watch)
        yield
        tasks.cancel_scope.cancel()
