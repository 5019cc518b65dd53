"""Changes to skills that wait for the person's yes: one small JSON file each."""

import hashlib
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio.to_thread
import msgspec
from msgspec import Struct, structs

from hermes_tui.config.files import editing, read_regular, replace_file
from hermes_tui.core.errors import ConfigError, HermesError, NotFoundError, ToolError
from hermes_tui.core.skills import Outcome
from hermes_tui.learning.refinement import Edit, difference, edited
from hermes_tui.skills.lint import Draft
from hermes_tui.skills.skill import parted, read_text
from hermes_tui.skills.skills import Saved, Skills

LOG = logging.getLogger(__name__)

T = TypeVar("T")

MAX_KEPT = 50
"""Those rejected count; the oldest go first."""
MAX_WAITING = 5
"""Of one skill; a newer one takes the place of the oldest."""
MAX_BYTES = 200_000
_ID_CHARS = 8


class Proposal(Struct, frozen=True, kw_only=True):
    """A change to a skill, and why it would be better."""

    id: str
    skill: str
    why: str
    before: str
    """The body it was made for."""
    after: str
    description: str
    """As it would be from then on."""
    edits: tuple[Edit, ...] = ()
    """How `after` comes of `before`; empty where all of it is written anew."""
    session: str = ""
    outcome: Outcome | None = None
    """Of the task that led to it."""
    at: datetime
    rejected_at: datetime | None = None

    @property
    def diff(self) -> str:
        """Unified, of the body."""
        return difference(self.skill, self.before, self.after)


class Proposals:
    """The proposals of one home.

    Args:
        folder: Made when the first one comes.
    """

    def __init__(
        self, folder: Path, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.folder = folder
        self._now = now

    async def waiting(self) -> list[Proposal]:
        """Those nobody has decided on, the oldest first."""
        return [one for one in await self._in_thread(self._read) if _waits(one)]

    async def of(self, skill: str) -> list[Proposal]:
        """Those of one skill, also the rejected ones, the oldest first."""
        return [one for one in await self._in_thread(self._read) if one.skill == skill]

    async def get(self, id_or_prefix: str) -> Proposal:
        """The waiting proposal with that id, or the one of the skill called so.

        Raises:
            NotFoundError: there is none, or more than one.
        """
        waiting = await self.waiting()
        wanted = id_or_prefix.strip()
        found = [one for one in waiting if wanted and one.id.startswith(wanted)]
        found = found or [one for one in waiting if one.skill == wanted]
        if len(found) == 1:
            return found[0]
        known = ", ".join(f"{one.id} ({one.skill})" for one in found or waiting)
        raise NotFoundError(
            f"{'More than one proposal is' if found else 'There is no proposal'} {wanted!r}.",
            hint=f"Choose one of: {known}." if known else "None is waiting.",
        )

    async def add(
        self,
        skill: str,
        *,
        why: str,
        before: str,
        after: str,
        description: str,
        edits: Sequence[Edit] = (),
        session: str = "",
        outcome: Outcome | None = None,
    ) -> Proposal | None:
        """Keep a proposal; None when it changes nothing, or the person rejected the same before.

        Raises:
            HermesError: it cannot be written.
        """  # fmt: skip
        digest = hashlib.sha256(f"{skill}\0{after}\0{description}".encode()).hexdigest()
        proposal = Proposal(
            id=digest[:_ID_CHARS], skill=skill, why=why, before=before, after=after,
            description=description, edits=tuple(edits), session=session, outcome=outcome,
            at=self._now(),
        )  # fmt: skip

        def work() -> Proposal | None:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with editing(self._file(proposal)):
                kept = self._read()
                if any(one.id == proposal.id for one in kept):
                    return None
                self._write(proposal)
                waiting = [one for one in kept if _waits(one) and one.skill == skill]
                ranked = sorted(kept, key=lambda one: (_waits(one), one.at))
                too_many = len(kept) + 1 - MAX_KEPT
                for one in (*ranked[: max(too_many, 0)], *waiting[: 1 - MAX_WAITING]):
                    self._file(one).unlink(missing_ok=True)
                return proposal

        return await self._in_thread(work)

    async def accept(self, proposal: Proposal, skills: Skills) -> Saved:
        """Make the change; a skill that has changed meanwhile keeps what else is new in it.

        Raises:
            NotFoundError: the skill is gone.
            ConfigError: the passages it would change are no longer there.
            HermesError: the skill cannot be written.
        """
        skill = (await skills.shelf()).get(proposal.skill)
        text = await anyio.to_thread.run_sync(read_text, skill.path)
        before = parted(text)[1]
        body = _brought_up_to_date(proposal, before)
        saved = await skills.save(
            Draft(skill.name, proposal.description or skill.description, body),
            reason=proposal.why, session=proposal.session, outcome=proposal.outcome or "",
            before=before, replay=partial(_brought_up_to_date, proposal),
        )  # fmt: skip
        await self.withdraw(proposal)
        return saved

    async def reject(self, proposal: Proposal) -> None:
        """Put it away; the same is not proposed again.

        Raises:
            HermesError: it cannot be written.
        """
        await self._in_thread(
            lambda: self._write(structs.replace(proposal, rejected_at=self._now()))
        )

    async def withdraw(self, proposal: Proposal) -> None:
        """Forget it, as if it had not been made."""
        await self._in_thread(lambda: self._file(proposal).unlink(missing_ok=True))

    def _read(self) -> list[Proposal]:
        found: list[Proposal] = []
        for file in sorted(self.folder.glob("*.json")):
            try:
                content = read_regular(file, max_bytes=MAX_BYTES).content
                proposal = msgspec.json.decode(content, type=Proposal)
            except (FileNotFoundError, ConfigError, msgspec.DecodeError) as error:
                LOG.warning("The proposal %s cannot be read: %s", file.name, error)
                continue
            if proposal.id == file.stem:
                found.append(proposal)
        return sorted(found, key=lambda one: (one.at, one.id))

    def _write(self, proposal: Proposal) -> None:
        content = msgspec.json.format(msgspec.json.encode(proposal), indent=2)
        if len(content) > MAX_BYTES:
            raise HermesError(
                f"The proposal for the skill {proposal.skill!r} has {len(content):,} bytes; at "
                f"most {MAX_BYTES:,} are kept.",
                hint="Move what is long in the skill into references/.",
            )
        replace_file(self._file(proposal), content, mode=0o600)

    def _file(self, proposal: Proposal) -> Path:
        return self.folder / f"{proposal.id}.json"

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(work)


def _waits(proposal: Proposal) -> bool:
    return proposal.rejected_at is None


def _brought_up_to_date(proposal: Proposal, body: str) -> str:
    """The body the proposal leads to from what is there now."""
    if body.strip() == proposal.before.strip():
        return proposal.after
    try:
        if proposal.edits:
            return edited(body, proposal.edits)
    except ToolError as error:
        LOG.info("Proposal %s: %s", proposal.id, error)
    raise ConfigError(
        f"The skill {proposal.skill!r} has changed since, and the proposal no longer fits.",
        hint=f"Edit the skill by hand, or reject the proposal {proposal.id}.",
    )
