"""What an audit of the skills found, and how it is told."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from hermes_tui.config.paths import shown
from hermes_tui.core.skills import Origin
from hermes_tui.learning.audit.conflicts import Conflict
from hermes_tui.skills.confidence import Confidence, State

MIN_DRIFT = 0.05
"""Of confidence, to be told of."""
MAX_LINES = 60
"""Of a section; the rest is counted."""


class Health(Struct, frozen=True, kw_only=True):
    """How one skill is."""

    name: str
    origin: Origin
    state: State
    confidence: Confidence
    uses: int
    successes: int
    failures: int
    """Corrections count; what was interrupted counts for neither."""
    last_used: datetime | None
    drift: float
    """By how much confidence has changed since the last audit."""
    versions: int
    """New ones since then."""
    problems: tuple[str, ...]
    """A sentence each."""

    @property
    def rate(self) -> float | None:
        """Successes among the uses whose outcome is known; None without any."""
        known = self.successes + self.failures
        return self.successes / known if known else None


class FailureMode(Struct, frozen=True):
    """What went wrong more or less alike."""

    example: str
    """The newest note."""
    count: int
    skills: tuple[str, ...]


class Struggle(Struct, frozen=True):
    """A task with many errors in which no skill was read."""

    session: str
    prompt: str
    errors: int
    at: datetime


class Audit(Struct, frozen=True, kw_only=True):
    """What an audit found."""

    at: datetime
    since: datetime
    """When the last one was."""
    tasks: int
    skills: tuple[Health, ...]
    failures: tuple[FailureMode, ...] = ()
    struggles: tuple[Struggle, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    """Contradictions and duplicates."""
    broken: tuple[str, ...] = ()
    prunable: tuple[str, ...] = ()
    """Names of those idle for long that seldom help."""
    is_pruned: bool = False
    """Whether these were archived."""
    reading: str = ""
    """What a model makes of it."""
    path: Path | None = None
    """Of the report."""

    @property
    def summary(self) -> str:
        """In one line, such as `Audit of 70 skills: 1 doubtful, 23 to mend`."""
        contradictions = sum(one.verdict.kind == "contradiction" for one in self.conflicts)
        told = [
            _counted(sum(one.state == "doubtful" for one in self.skills), "doubtful"),
            _counted(sum(bool(one.problems) for one in self.skills) + len(self.broken), "to mend"),
            _counted(contradictions, "contradiction", "contradictions"),
            _counted(len(self.conflicts) - contradictions, "duplicate", "duplicates"),
            _counted(len(self.struggles), "struggle", "struggles"),
            _counted(len(self.prunable), "archived" if self.is_pruned else "to archive"),
        ]
        skills = _counted(len(self.skills), "skill", "skills") or "no skills"
        return f"Audit of {skills}: {', '.join(filter(None, told)) or 'nothing to mend'}."

    @property
    def notice(self) -> str:
        """The summary, and where the report lies."""
        return f"{self.summary} Report: {shown(self.path)}" if self.path else self.summary


def _counted(number: int, one: str, many: str = "") -> str:
    """`1 duplicate`, `2 duplicates`; nothing for none."""
    return f"{number:,} {one if number == 1 or not many else many}" if number else ""


def markdown(audit: Audit) -> str:
    """The whole report."""
    parts = [
        f"# Audit of the skills, {_minute(audit.at)}",
        f"Since {_minute(audit.since)}: {audit.tasks:,} tasks. {audit.summary}",
    ]
    if audit.reading:
        parts.append(f"> {audit.reading}")
    for title, lines in _sections(audit):
        if lines:
            rest = len(lines) - MAX_LINES
            more = f"\n\n{rest:,} more." if rest > 0 else ""
            parts.append(f"## {title}\n\n" + "\n".join(lines[:MAX_LINES]) + more)
    return "\n\n".join(parts) + "\n"


def _sections(audit: Audit) -> Iterator[tuple[str, Sequence[str]]]:
    yield "How they did", _table(audit.skills)
    yield (
        "What went wrong",
        [
            f"- {mode.count} times: {mode.example} ({', '.join(mode.skills)})"
            for mode in audit.failures
        ],
    )
    yield "Drift", list(_drift(audit.skills))
    yield (
        "Struggles: many errors, and no skill",
        [f"- {one.prompt} ({one.errors} errors, session {one.session})" for one in audit.struggles],
    )
    yield "Contradictions", list(_conflicts(audit.conflicts, "contradiction"))
    yield "Duplicates", list(_conflicts(audit.conflicts, "duplicate"))
    yield (
        "To mend",
        [
            *(f"- {line}" for line in audit.broken),
            *(f"- {one.name}: {problem}" for one in audit.skills for problem in one.problems),
        ],
    )
    title = "Archived: idle, and seldom of help" if audit.is_pruned else "Idle, and seldom of help"
    yield title, _pruned(audit)


def _table(skills: Iterable[Health]) -> list[str]:
    used = sorted((one for one in skills if one.uses), key=lambda one: (-one.uses, one.name))
    if not used:
        return []
    lines = [
        "| skill | uses | went well | confidence | state | last used |",
        "| --- | ---: | ---: | --- | --- | --- |",
    ]
    for one in used:
        rate = "" if one.rate is None else f"{one.rate:.0%}"
        last = f"{one.last_used:%Y-%m-%d}" if one.last_used else ""
        lines.append(
            f"| {one.name} | {one.uses} | {rate} | {one.confidence} | {one.state} | {last} |"
        )
    return lines


def _drift(skills: Iterable[Health]) -> Iterator[str]:
    for one in sorted(skills, key=lambda one: one.drift):
        if one.drift > -MIN_DRIFT:
            return
        plural = "" if one.versions == 1 else "s"
        versions = f", {one.versions} new version{plural}" if one.versions else ""
        yield (
            f"- {one.name}: {one.confidence.mean - one.drift:.2f} → "
            f"{one.confidence.mean:.2f}{versions}"
        )


def _conflicts(conflicts: Iterable[Conflict], kind: str) -> Iterator[str]:
    for one in conflicts:
        if one.verdict.kind == kind:
            pair = one.pair
            yield (
                f"- {pair.one} and {pair.other}: {one.verdict.reason} "
                f"Go by {one.winner}: {one.because}."
            )
            yield from (f"  - “{quote}”" for quote in pair.quotes if quote)


def _pruned(audit: Audit) -> list[str]:
    if not audit.prunable:
        return []
    how = (
        "Bring one back with `hermes skills restore NAME`."
        if audit.is_pruned
        else "Put them away with `hermes skills prune`."
    )
    return [*(f"- {name}" for name in audit.prunable), "", how]


def _minute(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M}"
