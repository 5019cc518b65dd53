"""`hermes skills analyze` and `prune`: how the skills have done, and which may go."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio.to_thread
from msgspec import Struct

from hermes_tui.cli.printing import count, print_json, print_line, say
from hermes_tui.cli.skill_desk import (
    NAME_COLUMNS,
    Desk,
    confidence_as_json,
    day,
    listed,
    outcomes_of,
)
from hermes_tui.cli.skill_table import Column, print_rows, say_wrapped
from hermes_tui.config.paths import shown
from hermes_tui.core.errors import ConfigError, StoreError
from hermes_tui.core.skills import Skill, Use
from hermes_tui.learning.audit.stale_references import stale_references
from hermes_tui.skills.confidence import WEIGHTS
from hermes_tui.skills.library import Shelf
from hermes_tui.skills.pruning import Prunable, prunable
from hermes_tui.skills.skills import Standing, body_of, files_of

_SPAN = re.compile(r"(\d{1,5})\s*(d|days?|w|weeks?|m|months?|y|years?)?\Z")
_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}


async def analyze(desk: Desk, as_json: bool) -> None:
    """Print how every skill has done, what deserves mending, and what may be archived.

    Raises:
        StoreError: the record of uses cannot be read.
    """
    _check_record(desk)
    shelf = await desk.skills.shelf()
    standings = await desk.skills.standings(shelf)
    uses = await desk.store.skill_uses.all() if desk.store else {}
    old = prunable(shelf.skills, standings, datetime.now(UTC))
    rows = [_row(skill, standings[skill.name], uses.get(skill.name, ())) for skill in shelf.skills]
    rows.sort(key=lambda row: (-row["uses"], row["name"]))
    stale = await anyio.to_thread.run_sync(_stale, shelf)
    for row in rows:
        row["stale"] = stale.get(row["name"], [])
    if as_json:
        broken = [{"path": str(one.path), "problem": one.problem} for one in shelf.broken]
        told = [{**row, "confidence": confidence_as_json(row["confidence"])} for row in rows]
        print_json({"skills": told, "broken": broken, "prune": [one.skill.name for one in old]})
        return
    _print_analysis(rows)
    _print_faults(shelf, rows)
    used = sum(1 for row in rows if row["uses"])
    say(f"{count(len(rows), 'skill')}, {used:,} of them used.")
    if old:
        names = listed(one.skill.name for one in old)
        say_wrapped(f"Idle and of little help: {names}. Archive with: hermes skills prune")


class Pruning(Struct, frozen=True, kw_only=True):
    """The options of `hermes skills prune`."""

    threshold: str
    confidence: float
    with_hub: bool
    dry_run: bool
    yes: bool
    as_json: bool


async def prune(desk: Desk, wanted: Pruning) -> None:
    """Archive what Hermes wrote, nobody used for long and seldom helped, after asking.

    Raises:
        ConfigError: the threshold is no span of days.
        RefusedError: the person did not say yes.
        StoreError: the record of uses cannot be read.
    """
    idle = span(wanted.threshold)
    _check_record(desk)
    shelf = await desk.skills.shelf()
    found = prunable(
        shelf.skills, await desk.skills.standings(shelf), datetime.now(UTC),
        idle=idle, confidence=wanted.confidence, with_hub=wanted.with_hub,
    )  # fmt: skip
    # Only those in the person's own folder have a place they can be archived to.
    found = [one for one in found if desk.skills.path_of(one.skill)]
    if not found:
        say(f"No skill is idle for {idle.days:,} days and below {wanted.confidence:.2f}.")
    for one in () if wanted.as_json else found:
        print_line(_prune_line(one))
    if wanted.dry_run or not found:
        if found:
            say(f"{count(len(found), 'skill')} would be archived.")
        if wanted.as_json:
            print_json(_pruned(found, archived=False))
        return
    question = f"Archive {count(len(found), 'skill')}?"
    await desk.agree(question, yes=wanted.yes, refused="Nothing was archived.")
    await desk.adopt(needed=False)
    for one in found:
        reason = f"Idle for {one.idle_days:,} days, confidence {one.standing.confidence.mean:.2f}."
        path = desk.skills.path_of(one.skill) or one.skill.name
        await desk.skills.repository.archive(path, reason=reason, by_user=True)
    if wanted.as_json:
        print_json(_pruned(found, archived=True))
    say(f"Archived {count(len(found), 'skill')}. Bring one back with: hermes skills restore NAME")
    desk.warn_without_history()


def span(text: str) -> timedelta:
    """`90d`, `12w`, `6m` (of 30 days) or `1y`; a number alone is days.

    Raises:
        ConfigError: it is none of these.
    """
    if match := _SPAN.match(text.strip().lower()):
        return timedelta(days=int(match[1]) * _DAYS[(match[2] or "d")[0]])
    raise ConfigError(f"{text!r} is no span of time.", hint="Give one such as 90d, 12w or 6m.")


def _check_record(desk: Desk) -> None:
    if desk.store is None:
        raise StoreError(
            "What came of the skills is not known while the store cannot be opened.",
            hint="See `hermes doctor`.",
        )


def _row(skill: Skill, standing: Standing, uses: Sequence[Use]) -> dict[str, Any]:
    outcomes = outcomes_of(uses)
    good = sum(number for what, number in outcomes.items() if WEIGHTS[what][0])  # type: ignore[index]
    told = sum(number for what, number in outcomes.items() if any(WEIGHTS[what]))  # type: ignore[index]
    return {
        "name": skill.name,
        "origin": skill.origin,
        "state": standing.state,
        "pinned": skill.is_pinned,
        "uses": standing.uses,
        "hints": sum(1 for use in uses if use.how == "hinted"),
        "last_used": standing.last_used,
        "confidence": standing.confidence,
        "outcomes": outcomes,
        "succeeded": good,
        "judged": told,
        "success_rate": round(good / told, 3) if told else None,
        "problems": skill.problems,
        "path": str(skill.path),
    }


def _stale(shelf: Shelf) -> dict[str, list[str]]:
    """What each skill names that is not there; those that came with Hermes are for any machine."""
    names = [skill.name for skill in shelf.skills]
    return {
        skill.name: stale_references(skill, body_of(skill), files=files_of(skill.path), names=names)
        for skill in shelf.skills
        if skill.origin != "bundled"
    }


_COLUMNS = (
    Column("name"),
    Column("state", rank=1),
    Column("uses", is_right=True),
    Column("last used", rank=2),
    Column("worked"),
)


def _print_analysis(rows: Sequence[Mapping[str, Any]]) -> None:
    told = [
        {
            "name": row["name"],
            "state": row["state"],
            "uses": f"{row['uses']}",
            "last used": day(row["last_used"]),
            "worked": f"{row['succeeded']} of {row['judged']}" if row["judged"] else "-",
            "confidence": str(row["confidence"]),
        }
        for row in rows
    ]
    print_rows(_COLUMNS, "confidence", told)


def _print_faults(shelf: Shelf, rows: Sequence[Mapping[str, Any]]) -> None:
    for row in rows:
        for problem in (*row["problems"], *row["stale"]):
            say_wrapped(f"! {row['name']}: {problem}")
    for broken in shelf.broken:
        say_wrapped(f"! {shown(broken.path)}: {broken.problem}")


def _pruned(found: Sequence[Prunable], *, archived: bool) -> dict[str, Any]:
    skills = [
        {
            "name": one.skill.name,
            "origin": one.skill.origin,
            "idle_days": one.idle_days,
            "uses": one.standing.uses,
            "confidence": confidence_as_json(one.standing.confidence),
        }
        for one in found
    ]
    return {"archived": archived, "skills": skills}


def _prune_line(one: Prunable) -> str:
    standing = one.standing
    return (
        f"{one.skill.name:<{NAME_COLUMNS}}  {one.skill.origin:<6}  idle {one.idle_days:>4} days  "
        f"{count(standing.uses, 'use'):<8}  confidence {standing.confidence}"
    )
