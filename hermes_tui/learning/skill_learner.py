"""Skills after a task: what came of those that were read, and what it taught.

Each task is looked at once, whichever process does it, and when the person's next words say
that it went wrong it is judged again.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import anyio
import anyio.to_thread
from msgspec import Struct

from hermes_tui.core.errors import (
    ContentRefusedError,
    ContextOverflowError,
    HermesError,
    ModelError,
)
from hermes_tui.core.ports import Model
from hermes_tui.core.skills import Skill, Use
from hermes_tui.core.usage import Usage
from hermes_tui.learning.corrections import is_correction
from hermes_tui.learning.outcomes import Judgement, outcome_of
from hermes_tui.learning.proposals import Proposal, Proposals
from hermes_tui.learning.refinement import edited, telling_words
from hermes_tui.learning.skill_writing import Lesson, Shown, is_worth_a_skill, lesson_of
from hermes_tui.learning.tasks import Task, tasks_of
from hermes_tui.skills.catalog import HINT_RELEVANCE
from hermes_tui.skills.skills import Skills, body_of
from hermes_tui.skills.versions import Version
from hermes_tui.store.reviews import Span
from hermes_tui.store.store import Store

LOG = logging.getLogger(__name__)

LOOK_BACK = timedelta(days=7)
"""Older tasks come from imports, and say nothing of the skills there are now."""
PAUSE = timedelta(minutes=1)
ABANDONED = timedelta(hours=1)
"""A task without an end that nothing was added to for so long has none."""
MAX_SESSIONS = 20
MAX_ASKED = 3
"""Tasks of one review a model is asked about; the newest."""
MAX_BODY_CHARS = 12_000
MAX_BODIES, MAX_NEAR = 2, 5
COVERED = 0.4
"""Share of a description's words a task has to have for its skill to be near."""
_MAY_HAVE_BEEN_WRONG = frozenset({"success", "verified", "interrupted"})
_NONE = frozenset[str]()
TASKS = "tasks"
"""The count of tasks since the last audit."""


class Written(Struct, frozen=True):
    """A skill that was written, or changed, without anybody asking."""

    skill: str
    version: Version
    is_new: bool
    why: str
    diff: str
    """Unified; empty for a new one."""


class Reviewed(Struct, frozen=True):
    """What a look at the tasks of a session came to."""

    written: tuple[Written, ...] = ()
    proposed: tuple[Proposal, ...] = ()
    usage: Usage = Usage()
    tasks: int = 0

    @property
    def told(self) -> list[str]:
        """What was written and proposed, in a few words each."""
        return [
            *(_told(one) for one in self.written),
            *(f"proposed a change to the skill {one.skill}" for one in self.proposed),
        ]

    @property
    def text(self) -> str:
        """The same in a sentence for people; empty when nothing was."""
        if not self.told:
            return ""
        told = "; ".join(self.told)
        notes = ["a candidate"] if any(one.is_new for one in self.written) else []
        notes += ["see hermes skills proposals"] if self.proposed else []
        if spent := self.usage.input_tokens + self.usage.output_tokens:
            notes.append(f"{spent:,} tokens")
        return f"{told[0].upper()}{told[1:]} ({'; '.join(notes)})."


class SkillLearner:
    """Judges tasks, and writes or improves skills by them.

    Args:
        model: Who to ask; None where there is no model, which leaves judging.
        writes: Whether skills are written and changes proposed.
    """

    def __init__(
        self,
        *,
        store: Store,
        skills: Skills,
        proposals: Proposals,
        model: Callable[[], Model | None],
        writes: bool = True,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._skills = skills
        self._proposals = proposals
        self._model = model
        self._writes = writes
        self._now = now

    async def review(self, session_id: str) -> Reviewed:
        """Look at the tasks since the last review. A task that goes on waits for its end.

        A review that does not come to its end leaves what it had not looked at to the next one.

        Raises:
            ModelError: the model failed before anything was written.
            HermesError: skills or the store cannot be read or written.
        """
        reviews = self._store.task_reviews
        if (span := await reviews.claim(session_id)) is None:
            return Reviewed()
        review = _Review(session_id, span)
        try:
            await self._look_at(review)
        except BaseException as error:
            with anyio.CancelScope(shield=True):  # a lost claim is a lost lesson
                await reviews.release(session_id, review.span)
            if not isinstance(error, ModelError) or not review.is_fruitful:
                raise
            LOG.warning("Not all tasks of %s were looked at: %s", session_id, error)
        return review.reviewed

    async def catch_up(self, *, but: str = "") -> list[tuple[str, Reviewed]]:
        """Review the sessions others left behind, by id; `but` is in use.

        Where a model fails the rest waits for the next time.

        Raises:
            StoreError: the store cannot be read.
        """
        now = self._now()
        pending = await self._store.task_reviews.pending(
            since=now - LOOK_BACK, before=now - PAUSE, but=but, limit=MAX_SESSIONS
        )
        found: list[tuple[str, Reviewed]] = []
        for session_id in pending:
            try:
                found.append((session_id, await self.review(session_id)))
            except HermesError as error:
                LOG.warning("The tasks of %s were not looked at: %s", session_id, error)
                if isinstance(error, ModelError):
                    break
        return found

    async def undo(self, reviewed: Reviewed) -> None:
        """Take back what was written and proposed.

        Raises:
            HermesError: a skill has changed since, and stays; or there is no history.
        """
        for proposal in reviewed.proposed:
            await self._proposals.reject(proposal)
        undo = self._skills.repository.undo
        changed = [
            one.skill for one in reversed(reviewed.written) if await undo(one.version) is None
        ]
        if changed:
            raise HermesError(
                f"The skill {' and '.join(changed)} has changed since, and stays.",
                hint=f"See `hermes skills log {changed[0]}` for a version to go back to.",
            )

    async def _look_at(self, review: "_Review") -> None:
        stored, damaged = await self._store.messages.readable(review.session_id)
        if damaged:
            LOG.warning("%s messages of %s cannot be read.", len(damaged), review.session_id)
        tasks = tasks_of([one for one in stored if one.id <= review.span.upto])
        new = [task for task in tasks if task.last_id > review.span.after]
        before = [task for task in tasks if task.last_id <= review.span.after]
        if new and not new[-1].is_over and self._now() - new[-1].ended < ABANDONED:
            going_on = new.pop()
            await self._leave(review, (new or before or [None])[-1], going_on)
        uses = await self._store.skill_uses.of_session(review.session_id)
        if new and before and is_correction(new[0].prompt, answer=before[-1].answer):
            await self._judge_again(uses, before, new[0].prompt)
        unsettled = [use for use in uses if use.outcome is None and use.how != "hinted"]
        asked = {task.last_id for task in new[-MAX_ASKED:]} if self._writes else set[int]()
        for position, task in enumerate(new):
            last = new[position - 1] if position else before[-1] if before else None
            after = new[position + 1].prompt if position + 1 < len(new) else ""
            judgement = outcome_of(task, after)
            for use in [use for use in unsettled if use.at <= task.ended]:
                unsettled.remove(use)
                await self._store.skill_uses.judge(use.id, judgement.outcome, judgement.note)
            found, is_recent = None, self._now() - task.begun < LOOK_BACK
            if is_recent and task.last_id in asked:
                found = await self._found(review, task, judgement, last)
            with anyio.CancelScope(shield=True):  # what is written and what is claimed must agree
                if found is not None:
                    await self._keep(review, found, judgement)
                if is_recent:
                    await self._store.skill_uses.count(TASKS)
                review.pass_over(task)

    async def _leave(self, review: "_Review", last: Task | None, going_on: Task) -> None:
        """Give back a task that has not come to its end."""
        upto = max(last.last_id if last else 0, review.span.after)
        LOG.debug("A task of %s goes on since %s", review.session_id, going_on.begun)
        with anyio.CancelScope(shield=True):
            await self._store.task_reviews.release(review.session_id, Span(upto, review.span.upto))
            review.span = Span(review.span.after, upto)

    async def _judge_again(self, uses: Sequence[Use], tasks: Sequence[Task], said: str) -> None:
        """Say of the skills read in the last of `tasks` that it was corrected."""
        last = tasks[-1]
        since = tasks[-2].ended if len(tasks) > 1 else datetime.min.replace(tzinfo=UTC)
        again = outcome_of(last, said)
        for use in uses:
            if since < use.at <= last.ended and use.outcome in _MAY_HAVE_BEEN_WRONG:
                await self._store.skill_uses.judge(use.id, again.outcome, again.note)

    async def _found(
        self, review: "_Review", task: Task, judgement: Judgement, last: Task | None
    ) -> "_Found | None":
        """What a model says a task taught, where it is worth asking."""
        is_good = judgement.outcome in {"verified", "success"}
        if not is_good and judgement.outcome != "failure":
            return None  # nothing came of it, or the task that puts it right tells more
        corrected = None
        if last is not None and is_correction(task.prompt, answer=last.answer):
            corrected = last
        read = task.skills | (corrected.skills if corrected else _NONE)
        has_misled = bool(read) and (corrected is not None or not is_good)
        if not has_misled and not is_worth_a_skill(task, judgement, corrects=corrected is not None):
            return None
        model = self._model()
        if model is None:
            return None
        shelf = await self._skills.shelf()
        known = {skill.name: skill for skill in shelf.skills}
        shown = await self._near(task, known, read, only_read=not is_good)
        if not is_good and not shown:
            return None
        changes = [one.why for near in shown for one in await self._proposals.of(near.skill.name)]
        try:
            lesson, usage = await lesson_of(
                model, task, judgement,
                before=corrected, shown=shown, known=known, known_changes=changes,
            )  # fmt: skip
        except (ContextOverflowError, ContentRefusedError) as error:
            LOG.warning("A task of %s teaches no skill: %s", review.session_id, error)
            return None
        with anyio.CancelScope(shield=True):  # tokens that were spent are counted
            await self._store.usage.record(review.session_id, usage, model.name)
        return _Found(lesson, usage) if lesson else None

    async def _near(
        self, task: Task, known: Mapping[str, Skill], read: frozenset[str], *, only_read: bool
    ) -> list[Shown]:
        """Skills a lesson may belong to, those that were read first."""
        names = [name for name in sorted(read) if name in known]
        near: list[str] = []
        if not only_read:
            gist = f"{task.prompt[:1000]}\n{task.answer[:500]}"
            words = telling_words(gist)
            for skill, found in await self._skills.find(gist, limit=MAX_NEAR):
                about = telling_words(f"{skill.name} {skill.description}")
                is_near = found.relevance >= HINT_RELEVANCE or (
                    len(about & words) >= COVERED * len(about)
                )
                if skill.name not in names:
                    (names if is_near else near).append(skill.name)
        bodies = {name: await anyio.to_thread.run_sync(body_of, known[name]) for name in names}
        shown = [
            Shown(known[name], body)
            for name, body in bodies.items()
            if body.strip() and len(body) <= MAX_BODY_CHARS
        ][:MAX_BODIES]
        listed = {one.skill.name for one in shown}
        rest = [name for name in (*names, *near) if name not in listed]
        return shown + [Shown(known[name], "") for name in rest[:MAX_NEAR] if not only_read]

    async def _keep(self, review: "_Review", found: "_Found", judgement: Judgement) -> None:
        lesson = found.lesson
        review.usage += found.usage
        try:
            if lesson.refines is not None and not await self._skills.may_change_at_once(
                lesson.refines.skill
            ):
                proposal = await self._proposals.add(
                    lesson.draft.name, why=lesson.why, before=lesson.refines.body,
                    after=lesson.draft.body, description=lesson.draft.description,
                    edits=lesson.edits, session=review.session_id, outcome=judgement.outcome,
                )  # fmt: skip
                review.proposed += [proposal] if proposal else []
                return
            saved = await self._skills.save(
                lesson.draft, reason=lesson.why,
                session=review.session_id, outcome=judgement.outcome,
                before=lesson.refines.body if lesson.refines else "",
                replay=partial(edited, edits=lesson.edits) if lesson.edits else None,
            )  # fmt: skip
        except HermesError as error:
            LOG.warning("The skill %s is not kept: %s", lesson.draft.name, error)
            return
        review.written.append(
            Written(saved.skill.name, saved.version, saved.is_new, lesson.why, saved.diff)
        )


def _told(written: Written) -> str:
    if written.is_new:
        return f"wrote the skill {written.skill}"
    return f"improved the skill {written.skill}: {written.why.rstrip('.')}"


class _Found(Struct, frozen=True):
    """A lesson, and what finding it took."""

    lesson: Lesson
    usage: Usage


class _Review:
    """A review under way."""

    def __init__(self, session_id: str, span: Span) -> None:
        self.session_id = session_id
        self.span = span
        """What is claimed and has not been looked at."""
        self.written: list[Written] = []
        self.proposed: list[Proposal] = []
        self.usage = Usage()
        self.tasks = 0

    @property
    def is_fruitful(self) -> bool:
        return bool(self.written or self.proposed)

    @property
    def reviewed(self) -> Reviewed:
        return Reviewed(tuple(self.written), tuple(self.proposed), self.usage, self.tasks)

    def pass_over(self, task: Task) -> None:
        """Nobody has to look at a task again."""
        self.span = Span(task.last_id, self.span.upto)
        self.tasks += 1
