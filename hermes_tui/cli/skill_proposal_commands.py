"""What `hermes skills proposals`, `conflicts` and `audit` do."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from hermes_tui.cli.printing import print_json, print_line, say
from hermes_tui.cli.skill_desk import Desk, confidence_as_json, print_diff
from hermes_tui.config.paths import shown
from hermes_tui.core.errors import ModelError, StoreError
from hermes_tui.runtime.skills import open_auditor, open_conflicts, open_proposals

if TYPE_CHECKING:
    from hermes_tui.core.ports import Model
    from hermes_tui.learning.audit.report import Audit
    from hermes_tui.learning.proposals import Proposal


async def list_proposals(desk: Desk, as_json: bool) -> None:
    """Print the changes to skills that wait for the person's yes."""
    waiting = await open_proposals(desk.paths).waiting()
    if as_json:
        print_json([_as_json(one) for one in waiting])
        return
    for one in waiting:
        print_line(f"{one.id}  {one.at:%Y-%m-%d}  {one.skill}: {one.why}")
    if waiting:
        say("Look at one with: hermes skills proposals show ID")
    else:
        say("No change to a skill waits for your yes.")


async def show_proposal(desk: Desk, wanted: str, as_json: bool) -> None:
    """Print one proposal with its diff.

    Raises:
        NotFoundError: there is none of that id or skill.
    """
    proposal = await open_proposals(desk.paths).get(wanted)
    if as_json:
        print_json(_as_json(proposal))
        return
    print_line(f"{proposal.id}: the skill {proposal.skill}, proposed {proposal.at:%Y-%m-%d}")
    came_to = f" (the task came to: {proposal.outcome})" if proposal.outcome else ""
    print_line(f"Because: {proposal.why}{came_to}")
    if proposal.session:
        print_line(f"Session: {proposal.session}")
    skill = (await desk.skills.shelf()).find(proposal.skill)
    if skill is not None and proposal.description != skill.description:
        print_line(f"Description: {proposal.description}")
    print_line("")
    print_diff(proposal.diff)
    say(f"hermes skills proposals accept {proposal.id}, or reject {proposal.id}")


async def accept_proposal(desk: Desk, wanted: str, as_json: bool) -> None:
    """Make a proposed change; one commit, which `hermes skills undo` takes back.

    Raises:
        NotFoundError: there is no such proposal, or its skill is gone.
        ConfigError: the skill has changed since, so that it no longer fits.
        RefusedError: the write scan blocks the text.
    """
    proposals = open_proposals(desk.paths)
    proposal = await proposals.get(wanted)
    saved = await proposals.accept(proposal, desk.skills)
    if as_json:
        done = {"id": proposal.id, "skill": saved.skill.name, "decision": "accepted"}
        print_json({**done, "version": saved.version.number or None})
        return
    number = f", version {saved.version.number}" if saved.version.number else ""
    say(f"The skill {saved.skill.name} is changed{number}.")


async def reject_proposal(desk: Desk, wanted: str, as_json: bool) -> None:
    """Put a proposal away; the same is not proposed again.

    Raises:
        NotFoundError: there is no such proposal.
    """
    proposals = open_proposals(desk.paths)
    proposal = await proposals.get(wanted)
    await proposals.reject(proposal)
    if as_json:
        print_json({"id": proposal.id, "skill": proposal.skill, "decision": "rejected"})
        return
    say(f"Rejected: {proposal.id} for the skill {proposal.skill}.")


async def list_conflicts(desk: Desk, as_json: bool, *, with_model: bool = False) -> None:
    """Print the skills that contradict each other or say the same.

    Args:
        with_model: Whether a model judges what the wording alone does not tell.

    Raises:
        StoreError: the record of uses cannot be read.
    """
    async with _model(desk, wanted=with_model) as model:
        found = await open_conflicts(
            desk.paths, store=desk.store, skills=desk.skills, model=model
        ).find()
    if as_json:
        print_json(found)
        return
    for one in found:
        pair = one.pair
        print_line(f"{one.verdict.kind}: {pair.one} and {pair.other}. {one.verdict.reason}")
        for name, quote in zip((pair.one, pair.other), pair.quotes, strict=True):
            if quote:
                print_line(f"  {name}: “{quote}”")
        print_line(f"  go by {one.winner}: {one.because}")
    if not found:
        say("No two skills contradict each other, as far as their wording tells.")


async def audit(desk: Desk, as_json: bool) -> None:
    """Look over all skills now, write the report, and print where it is.

    Raises:
        StoreError: there is no record of uses to go by.
        HermesError: another audit is under way, or the report cannot be written.
    """
    if desk.store is None:
        raise StoreError(
            "The record of uses cannot be read, so there is nothing to audit.",
            hint="Run `hermes doctor`.",
        )
    async with _model(desk, wanted=True) as model:
        auditor = open_auditor(
            desk.paths, desk.config, store=desk.store, skills=desk.skills, model=model
        )
        found = await auditor.run()
    if as_json:
        print_json(_audit_as_json(found))
        return
    say(found.summary)
    if found.reading:
        say(found.reading)
    if found.path is not None:
        print_line(shown(found.path))


def _as_json(proposal: "Proposal") -> dict[str, Any]:
    return {**msgspec.to_builtins(proposal), "diff": proposal.diff}


def _audit_as_json(found: "Audit") -> dict[str, Any]:
    builtins = msgspec.to_builtins(found, enc_hook=str)
    for told, one in zip(builtins["skills"], found.skills, strict=True):
        told |= {"rate": one.rate, "confidence": confidence_as_json(one.confidence)}
    return {**builtins, "summary": found.summary}


@asynccontextmanager
async def _model(desk: Desk, *, wanted: bool) -> AsyncGenerator[Callable[[], "Model | None"], None]:
    """Who looks back at sessions; nobody where no model is set up."""
    if not wanted or desk.secrets is None:
        yield lambda: None
        return
    from hermes_tui.models.resolve import REHEARSAL
    from hermes_tui.models.wrapped import close_model
    from hermes_tui.runtime.models import build_model

    try:
        model = build_model(desk.config.memory.model, config=desk.config, secrets=desk.secrets)
    except ModelError as error:
        say(f"Told by rules alone: {error}")
        yield lambda: None
        return
    try:
        yield lambda: None if model.name == REHEARSAL else model
    finally:
        await close_model(model)
