"""Where evaluations are kept: in the layout skill-creator's aggregator and viewer read.

`iteration-N/eval-K/{with_skill,without_skill}/run-R/` has `grading.json`, `timing.json`,
`transcript.jsonl` and `outputs/`; beside the tasks lie `benchmark.json` and `benchmark.md`. Runs
with an older version go to `iteration-N/against-vK/`, as `new_skill` and `old_skill`: three arms
in one folder would make that aggregator compare the wrong two.
"""

import hashlib
import os
import shutil
import statistics
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from hermes_tui.config.files import replace_file
from hermes_tui.config.paths import shown
from hermes_tui.core.errors import ConfigError, HermesError
from hermes_tui.core.skills import Skill
from hermes_tui.learning.evaluation.evaluation import Arm, Run, Work
from hermes_tui.learning.evaluation.report import Evidence, report
from hermes_tui.learning.evaluation.tasks import Task, seen
from hermes_tui.skills.skill import read_text

MAX_OUTPUTS = 200
MAX_OUTPUT_BYTES = 5 * 1024 * 1024
"""Of the files one run left behind, all together."""
LATEST = "latest.json"
MODE = 0o600

Json = dict[str, Any]


def evaluations_folder(evals: Path, skill: str) -> Path:
    """Where evaluations of `skill` are kept below `Paths.evals_dir`."""
    return evals / skill


def latest_evidence(evals: Path, skill: str) -> Evidence | None:
    """What the last real evaluation of `skill` found; None without one that can be read."""
    try:
        content = (evaluations_folder(evals, skill) / LATEST).read_bytes()
        return msgspec.json.decode(content, type=Evidence)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def remember(evals: Path, evidence: Evidence) -> None:
    """Keep `evidence` for `latest_evidence`.

    One that did not come to its end does not replace a larger one on the same text and model.

    Raises:
        HermesError: it cannot be written.
    """
    before = latest_evidence(evals, evidence.skill)
    if before is not None and evidence.ending != "complete":
        is_same = (before.stamp, before.model) == (evidence.stamp, evidence.model)
        if is_same and _pairs(before) > _pairs(evidence):
            return
    folder = evaluations_folder(evals, evidence.skill)
    _made(folder)
    replace_file(folder / LATEST, _pretty(evidence), mode=0o600)


def _pairs(evidence: Evidence) -> int:
    return evidence.effect.pairs if evidence.effect else 0


def told_evidence(evals: Path, skill: Skill) -> str:
    """What is known of how much `skill` helps, in a few words; empty when nothing is.

    Raises:
        ConfigError: its `SKILL.md` cannot be read.
    """
    found = latest_evidence(evals, skill.name)
    if found is None:
        return ""
    is_same = found.stamp == stamp_of(skill.path)
    return f"{found.text}, {found.model}{'' if is_same else ', of an earlier text'}"


def stamp_of(folder: Path) -> str:
    """What `Evidence.stamp` is for the skill in `folder` as it is now.

    Raises:
        ConfigError: its `SKILL.md` cannot be read.
    """
    return hashlib.sha256(read_text(folder).encode()).hexdigest()[:16]


class Identity(Struct, frozen=True):
    """What every file says of the evaluation."""

    skill: str
    path: str
    """Of the skill's folder."""
    model: str
    runs: int
    old_version: int | None = None


class Results:
    """Writes one iteration, run by run. Made by `begin`."""

    def __init__(self, folder: Path, identity: Identity, tasks: Sequence[Task]) -> None:
        self.folder = folder
        self._identity = identity
        self._tasks = {task.id: (number, task) for number, task in enumerate(tasks, 1)}
        self._has_numbers = all(task.id.isdecimal() for task in tasks)

    @classmethod
    def begin(cls, parent: Path, identity: Identity, tasks: Sequence[Task]) -> "Results":
        """The next free `iteration-N` in `parent`, made now.

        Raises:
            HermesError: it cannot be made.
        """
        _made(parent)
        numbers = [
            int(one.name.removeprefix("iteration-"))
            for one in parent.glob("iteration-*")
            if one.name.removeprefix("iteration-").isdecimal()
        ]
        number = max(numbers, default=0) + 1
        while not _made(parent / f"iteration-{number}"):  # another process was quicker
            number += 1
        return cls(parent / f"iteration-{number}", identity, tasks)

    def keep(self, run: Run, work: Work, left: Path, inputs: Mapping[str, tuple[int, int]]) -> None:
        """Write what one run came to, and copy what it made or changed in `left`.

        Args:
            inputs: Sizes and times of the files that were there before, by path; see `seen`.

        Raises:
            HermesError: it cannot be written.
        """
        for parent, name in self._places(run.arm):
            number, task = self._tasks[run.task]
            eval_folder = parent / f"eval-{number}"
            folder = eval_folder / name / f"run-{run.number}"
            outputs = folder / "outputs"
            _made(outputs)
            _write(eval_folder / "eval_metadata.json", self._metadata(task))
            _write(folder / "grading.json", _grading(run, work))
            _write(folder / "timing.json", _timing(run))
            lines = (msgspec.json.encode(message) for message in work.messages)
            replace_file(folder / "transcript.jsonl", b"\n".join(lines) + b"\n", mode=MODE)
            _copy_outputs(left, outputs, inputs)

    def finish(self, runs: Sequence[Run], evidence: Evidence) -> None:
        """Write the summaries, and `evidence.json`.

        Raises:
            HermesError: they cannot be written.
        """
        self._benchmark(self.folder, runs, ("with_skill", "without_skill"), evidence)
        if self._identity.old_version is not None:
            self._benchmark(self._old_folder, runs, ("with_skill", "old_skill"), evidence)
        replace_file(self.folder / "evidence.json", _pretty(evidence), mode=MODE)

    def drop(self) -> None:
        """Remove the folder again, where nothing was written to it."""
        with suppress(OSError):
            self.folder.rmdir()

    @property
    def _old_folder(self) -> Path:
        return self.folder / f"against-v{self._identity.old_version}"

    def _places(self, arm: Arm) -> list[tuple[Path, str]]:
        """The folders a run of `arm` is written to, and what the arm is called there."""
        places = [] if arm == "old_skill" else [(self.folder, arm)]
        if self._identity.old_version is not None and arm != "without_skill":
            places.append((self._old_folder, "new_skill" if arm == "with_skill" else arm))
        return places

    def _eval_id(self, task: Task) -> int:
        """Always a number: the aggregator sorts them."""
        return int(task.id) if self._has_numbers else self._tasks[task.id][0]

    def _metadata(self, task: Task) -> Json:
        return {
            "eval_id": self._eval_id(task),
            "eval_name": task.id,
            "prompt": task.prompt,
            "assertions": [one.label for one in task.assertions],
        }

    def _benchmark(
        self, folder: Path, runs: Sequence[Run], arms: tuple[Arm, Arm], evidence: Evidence
    ) -> None:
        chosen = [run for arm in arms for run in runs if run.arm == arm]
        if not chosen:
            return
        names = {arm: dict(self._places(arm))[folder] for arm in arms}
        summary = {names[arm]: _stats([r for r in chosen if r.arm == arm]) for arm in arms}
        ids = sorted({self._eval_id(self._tasks[run.task][1]) for run in chosen})
        told = report(evidence)
        benchmark: Json = {
            "metadata": {
                "skill_name": self._identity.skill,
                "skill_path": self._identity.path,
                "executor_model": self._identity.model,
                "analyzer_model": self._identity.model,
                "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "evals_run": ids,
                "runs_per_configuration": self._identity.runs,
            },
            "runs": [self._run(run, names[run.arm]) for run in chosen],
            "run_summary": {**summary, "delta": _delta(*summary.values())},
            "notes": [line for line in told if line.strip()],
        }
        _made(folder)
        _write(folder / "benchmark.json", benchmark)
        head = f"{self._identity.model}, {evidence.at:%Y-%m-%d}, seed {evidence.seed}"
        text = f"# {self._identity.skill}\n\n{head}\n\n```\n" + "\n".join(told)
        replace_file(folder / "benchmark.md", f"{text}\n```\n".encode(), mode=MODE)

    def _run(self, run: Run, configuration: str) -> Json:
        task = self._tasks[run.task][1]
        summary = _passed(run)
        return {
            "eval_id": self._eval_id(task),
            "eval_name": task.id,
            "configuration": configuration,
            "run_number": run.number,
            "result": {
                **summary,
                "time_seconds": round(run.seconds, 3),
                "tokens": run.tokens,
                "tool_calls": sum(run.tool_calls.values()),
                "errors": run.tool_errors,
            },
            "expectations": _expectations(run),
            "notes": _notes(run),
        }


def _grading(run: Run, work: Work) -> Json:
    # Without `timing`: where that has a duration, the aggregator does not read tokens at all.
    text = "".join(message.text for message in work.messages if message.role == "assistant")
    return {
        "expectations": _expectations(run),
        "summary": _passed(run),
        "execution_metrics": {
            "tool_calls": run.tool_calls,
            "total_tool_calls": sum(run.tool_calls.values()),
            "total_steps": run.model_calls,
            "errors_encountered": run.tool_errors,
            "output_chars": len(text),
            "transcript_chars": len(msgspec.json.encode(work.messages)),
        },
        "user_notes_summary": {"uncertainties": [], "needs_review": _notes(run), "workarounds": []},
    }


def _timing(run: Run) -> Json:
    usage = run.usage
    return {
        "total_tokens": run.tokens,
        "duration_ms": round(run.seconds * 1000),
        "total_duration_seconds": round(run.seconds, 3),
        "uncached_tokens": usage.input_tokens - usage.cached_tokens,
        "cached_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
        "cost_usd": usage.cost_usd,
        "grading_tokens": run.judging.input_tokens + run.judging.output_tokens,
        "model_calls": run.model_calls,
        "stop": run.stop,
        "skill_loaded": run.is_loaded,
    }


def _expectations(run: Run) -> list[Json]:
    """Those that could be graded."""
    return [
        {"text": one.text, "passed": one.passed, "evidence": one.evidence} for one in run.graded
    ]


def _notes(run: Run) -> list[str]:
    notes = [f"{one.text}: {one.evidence}" for one in run.grades if one.passed is None]
    return [*notes, *([f"It ended with {run.stop}."] if run.stop != "done" else [])]


def _passed(run: Run) -> Json:
    passed = sum(one.passed is True for one in run.graded)
    total = len(run.graded)
    rate = round(run.pass_rate or 0.0, 4)
    return {"passed": passed, "failed": total - passed, "total": total, "pass_rate": rate}


def _stats(runs: Sequence[Run]) -> Json:
    return {
        "pass_rate": _spread([round(run.pass_rate or 0.0, 4) for run in runs]),
        "time_seconds": _spread([round(run.seconds, 3) for run in runs]),
        "tokens": _spread([float(run.tokens) for run in runs]),
    }


def _spread(values: Sequence[float]) -> Json:
    if not values:
        return {"mean": 0.0, "stddev": 0.0, "min": 0.0, "max": 0.0}
    return {
        "mean": round(statistics.fmean(values), 4),
        "stddev": round(statistics.stdev(values), 4) if len(values) > 1 else 0.0,
        "min": round(min(values), 4),
        "max": round(max(values), 4),
    }


def _delta(one: Json, other: Json) -> Json:
    return {
        what: format(one[what]["mean"] - other[what]["mean"], form)
        for what, form in (("pass_rate", "+.2f"), ("time_seconds", "+.1f"), ("tokens", "+.0f"))
    }


def _copy_outputs(source: Path, target: Path, inputs: Mapping[str, tuple[int, int]]) -> None:
    """Copy what is new or changed, as far as there is room; links are left out."""
    left = MAX_OUTPUT_BYTES
    changed = [name for name, one in sorted(seen(source).items()) if inputs.get(name) != one]
    for name in changed[:MAX_OUTPUTS]:
        copy = target / name
        try:
            left -= (source / name).stat().st_size
            if left < 0:
                return
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, copy, follow_symlinks=False)
        except OSError:  # what a run left behind may be unreadable; the figures count without it
            continue


def check_writable(folder: Path) -> None:
    """Find out before anything is paid for that results cannot be kept in `folder`.

    Raises:
        ConfigError: it is no folder, cannot be made, or may not be written.
    """
    there = next(one for one in (folder, *folder.parents) if one.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        why = "is read-only" if there.is_dir() else "is no folder"
        raise ConfigError(
            f"Results cannot be kept in {shown(folder)}: {shown(there)} {why}.",
            hint="Name another folder with --out.",
        )


def _made(folder: Path) -> bool:
    """Make it and what it lies in; whether it was not there."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
    except OSError as error:
        if folder.is_dir():
            return False
        raise HermesError(
            f"{shown(folder)} cannot be made: {error.strerror}.", hint="Name another with --out."
        ) from error
    return True


def _write(file: Path, value: Json) -> None:
    replace_file(file, _pretty(value), mode=MODE)


def _pretty(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
