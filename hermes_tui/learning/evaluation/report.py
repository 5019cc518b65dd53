"""What runs with and without a skill come to, and in how many words that may be claimed."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from statistics import fmean
from typing import Literal

from msgspec import Struct

from hermes_tui.learning.evaluation.evaluation import Arm, Ending, Run
from hermes_tui.learning.evaluation.pairs import Estimate, difference_of, mean_of, ratio_of

MIN_PAIRS = 8
"""Fewer show nothing."""
TOLERATED_LOSS = 0.05
"""Of the pass rate, at which a saving is still one."""
FEW_TASKS = 3

Verdict = Literal["helps", "hurts", "costs", "unproven", "none", "insufficient"]
"""`unproven`: cheaper, but nobody can say that the work was done as well."""


class Summary(Struct, frozen=True):
    """The runs of one arm, on average."""

    arm: Arm
    runs: int
    loaded: int
    """Runs in which the skill was read."""
    pass_rate: float | None
    """None when nothing was graded."""
    ungraded: int
    """Assertions nobody could tell the outcome of."""
    uncached_tokens: float
    cached_tokens: float
    output_tokens: float
    seconds: float
    model_calls: float
    tool_calls: float

    @property
    def tokens(self) -> float:
        return self.uncached_tokens + self.cached_tokens + self.output_tokens


class Comparison(Struct, frozen=True, kw_only=True):
    """One arm against another, pair by pair."""

    arm: Arm
    base: Arm
    pairs: int
    tasks: int
    pass_rate: Estimate | None
    """How much larger the share of passed assertions is, -1 to 1."""
    tokens: Estimate | None
    """By which factor they differ, 0.7 for 30 % fewer."""
    seconds: Estimate | None
    saved_tokens: Estimate | None
    """A task; the skill's own text counts against it, as it is part of what was measured."""
    verdict: Verdict
    text: str
    """The verdict in a few words, e.g. `helps: -32 % tokens (n=12)`."""


class Evidence(Struct, frozen=True, kw_only=True):
    """What an evaluation found, as it is remembered."""

    skill: str
    version: int
    """Of the skill; 0 where it has no history."""
    stamp: str
    """Of its text: the beginning of a SHA-256 of `SKILL.md`."""
    at: datetime
    model: str
    seed: int
    ending: Ending
    spent_tokens: int
    catalog_tokens: int
    """What the skill adds to every session's prompt, estimated."""
    body_tokens: int
    """What reading it adds, estimated."""
    summaries: tuple[Summary, ...]
    effect: Comparison | None
    """With against without; None before there is a pair."""
    change: Comparison | None = None
    """With against the old version."""
    old_version: int | None = None
    folder: str = ""
    """Where all of it is."""

    @property
    def text(self) -> str:
        """What may be claimed, in a few words."""
        return self.effect.text if self.effect else "insufficient evidence (n=0)"

    @property
    def is_rehearsal(self) -> bool:
        return self.model == "rehearsal"


def summaries(runs: Sequence[Run]) -> tuple[Summary, ...]:
    """One for each arm there are runs of."""
    arms: tuple[Arm, ...] = ("without_skill", "with_skill", "old_skill")
    return tuple(
        _summary(arm, of_arm) for arm in arms if (of_arm := [run for run in runs if run.arm == arm])
    )


def compared(runs: Sequence[Run], arm: Arm, base: Arm) -> Comparison | None:
    """`arm` against `base`; None without a single pair."""
    found = list(_pairs(runs, arm, base))
    if not found:
        return None
    pass_rate = difference_of([rates for one, other in found if (rates := _rates(one, other))])
    tokens = ratio_of([(one.tokens, other.tokens) for one, other in found])
    seconds = ratio_of([(one.seconds, other.seconds) for one, other in found])
    saved = mean_of([float(o.tokens - one.tokens) for one, o in found if one.tokens and o.tokens])
    verdict, claims = _verdict(pass_rate, tokens, seconds)
    n = len(found)
    told = {
        "insufficient": "insufficient evidence",
        "none": "no difference shown",
    }.get(verdict) or f"{verdict}: {', '.join(claims)}"
    return Comparison(
        arm=arm, base=base, pairs=n, tasks=len({one.task for one, _ in found}),
        pass_rate=pass_rate, tokens=tokens, seconds=seconds, saved_tokens=saved,
        verdict=verdict, text=f"{told} (n={n})",
    )  # fmt: skip


def report(evidence: Evidence) -> list[str]:
    """Lines for people; the verdict is the last."""
    lines = [
        f"{'':<15}{'passed':>8}{'tokens':>10}{'uncached':>10}{'cached':>10}{'output':>8}"
        f"{'seconds':>9}{'calls':>7}{'runs':>6}"
    ]
    lines += [_row(one) for one in evidence.summaries]
    for comparison in (evidence.effect, evidence.change):
        if comparison is not None:
            lines += ["", *_told(comparison, evidence)]
    lines += ["", *_remarks(evidence)]
    if evidence.change is not None:
        lines.append(f"Against version {evidence.old_version}: {evidence.change.text}.")
    label = "REHEARSAL, no evidence: " if evidence.is_rehearsal else ""
    return [*lines, f"{label}{evidence.skill}: {evidence.text}."]


def percent(ratio: float) -> str:
    """A factor as a change: `-32 %`, `+5 %`."""
    return f"{_signed(round((ratio - 1) * 100))} %"


def points(share: float) -> str:
    """A difference of shares in percentage points: `+33 points`."""
    return f"{_signed(round(share * 100))} points"


def _summary(arm: Arm, runs: Sequence[Run]) -> Summary:
    rates = [rate for run in runs if (rate := run.pass_rate) is not None]
    return Summary(
        arm=arm,
        runs=len(runs),
        loaded=sum(run.is_loaded for run in runs),
        pass_rate=fmean(rates) if rates else None,
        ungraded=sum(len(run.grades) - len(run.graded) for run in runs),
        uncached_tokens=fmean(run.usage.input_tokens - run.usage.cached_tokens for run in runs),
        cached_tokens=fmean(run.usage.cached_tokens for run in runs),
        output_tokens=fmean(run.usage.output_tokens for run in runs),
        seconds=fmean(run.seconds for run in runs),
        model_calls=fmean(run.model_calls for run in runs),
        tool_calls=fmean(sum(run.tool_calls.values()) for run in runs),
    )


def _pairs(runs: Sequence[Run], arm: Arm, base: Arm) -> Iterator[tuple[Run, Run]]:
    others = {(run.task, run.number): run for run in runs if run.arm == base}
    for run in runs:
        if run.arm == arm and (other := others.get((run.task, run.number))):
            yield run, other


def _rates(one: Run, other: Run) -> tuple[float, float] | None:
    """Shares of what could be graded in both, so that they are of the same assertions."""
    both = [
        (mine.passed, yours.passed)
        for mine, yours in zip(one.grades, other.grades, strict=True)
        if mine.passed is not None and yours.passed is not None
    ]
    if not both:
        return None
    return sum(mine for mine, _ in both) / len(both), sum(yours for _, yours in both) / len(both)


def _verdict(
    pass_rate: Estimate | None, tokens: Estimate | None, seconds: Estimate | None
) -> tuple[Verdict, list[str]]:
    """What may be said, and the figures that say it.

    A saving counts only where the work was done as well as before: without graded assertions
    nobody knows.
    """
    known = [one for one in (pass_rate, tokens, seconds) if one is not None and one.n >= MIN_PAIRS]
    if not known:
        return "insufficient", []
    rated = pass_rate if pass_rate in known else None
    if rated is not None and rated.high < 0:
        return "hurts", [f"{points(rated.value)} passed"]
    better = [f"{points(rated.value)} passed"] if rated is not None and rated.low > 0 else []
    figures = [(one, what) for one, what in ((tokens, "tokens"), (seconds, "time")) if one in known]
    saved = [f"{percent(one.value)} {what}" for one, what in figures if one and one.high < 1]
    spent = [f"{percent(one.value)} {what}" for one, what in figures if one and one.low > 1]
    if saved and rated is None:
        return "unproven", [*saved, *spent, "nothing was graded"]
    if saved and rated is not None and rated.value < -TOLERATED_LOSS:
        return "unproven", [*saved, *spent, f"{points(rated.value)} passed"]
    if better or saved:
        return "helps", [*better, *saved, *spent]
    return ("costs", spent) if spent else ("none", [])


def _told(one: Comparison, evidence: Evidence) -> Iterator[str]:
    base = f"version {evidence.old_version}" if one.base == "old_skill" else "none"
    of = f"{_count(one.pairs, 'pair')} of {_count(one.tasks, 'task')}"
    yield f"The skill against {base}: {of}, 95 % intervals."
    rows = (
        ("passed", one.pass_rate, points),
        ("tokens", one.tokens, percent),
        ("time", one.seconds, percent),
    )
    for what, estimate, form in rows:
        if estimate is None:
            yield f"  {what:<8}not known"
        else:
            low, high = form(estimate.low), form(estimate.high)
            yield f"  {what:<8}{form(estimate.value)} ({low} to {high})"


def _remarks(evidence: Evidence) -> Iterator[str]:
    """What a reader has to know to take the figures for what they are."""
    if evidence.is_rehearsal:
        yield "REHEARSAL: no LLM answered, so these figures are no evidence of anything."
    effect = evidence.effect
    own = f"{evidence.catalog_tokens:,} tokens in every prompt, {evidence.body_tokens:,} when read"
    yield f"The skill's own text takes {own}; that is part of the figures."
    saved = effect.saved_tokens if effect else None
    if saved is not None and saved.value > 0 and evidence.catalog_tokens:
        sessions = int(saved.value // evidence.catalog_tokens)
        yield (
            f"{saved.value:,.0f} tokens saved a task would pay for its line in the prompts of "
            f"{sessions:,} sessions that do not use it."
        )
    used = next((one for one in evidence.summaries if one.arm == "with_skill"), None)
    if used is not None and not evidence.is_rehearsal and used.loaded < used.runs:
        yield (
            f"It was read in {used.loaded} of {used.runs} runs that had it: its description does "
            "not always make the model read it."
        )
    if ungraded := sum(one.ungraded for one in evidence.summaries):
        yield f"Not graded, so neither passed nor failed: {_count(ungraded, 'assertion')}."
    if effect is not None and effect.pairs >= MIN_PAIRS and effect.tasks < FEW_TASKS:
        yield f"All pairs come from {_count(effect.tasks, 'task')}: that says little of others."
    if evidence.ending == "budget":
        yield f"It ended at its budget, after {evidence.spent_tokens:,} tokens."
    elif evidence.ending != "complete":
        yield f"It was {evidence.ending}; what was measured until then counts."


def _row(one: Summary) -> str:
    rate = "-" if one.pass_rate is None else f"{one.pass_rate:.0%}"
    return (
        f"{one.arm.replace('_', ' '):<15}{rate:>8}{one.tokens:>10,.0f}{one.uncached_tokens:>10,.0f}"
        f"{one.cached_tokens:>10,.0f}{one.output_tokens:>8,.0f}{one.seconds:>9.1f}"
        f"{one.tool_calls:>7.1f}{one.runs:>6}"
    )


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _signed(number: int) -> str:
    return f"{number:+,}" if number else "±0"
