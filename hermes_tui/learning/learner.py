"""Looking back at sessions: what they teach is kept, and what they were about is noted.

Nothing here is on the way of an answer. Every write says what it was and can be undone.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import anyio
import anyio.to_thread
from msgspec import Struct, structs

from hermes_tui.core.errors import (
    ConfigError,
    ContentRefusedError,
    ContextOverflowError,
    HermesError,
    ModelError,
    RefusedError,
    ToolError,
)
from hermes_tui.core.memory import Source, Target
from hermes_tui.core.messages import Message
from hermes_tui.core.ports import Model
from hermes_tui.core.usage import Usage
from hermes_tui.learning.extractive import METHOD, extract
from hermes_tui.learning.notes import written_note
from hermes_tui.learning.reflection import (
    Fact,
    Lessons,
    Taste,
    is_worthwhile,
    noticed,
    reflected,
)
from hermes_tui.learning.skill_learner import Reviewed, SkillLearner
from hermes_tui.memory.files import NAMES
from hermes_tui.memory.memory import Change, Memory
from hermes_tui.memory.preferences import Counted, Preferences
from hermes_tui.memory.subjects import plain
from hermes_tui.store.importing import SOURCE as IMPORTED
from hermes_tui.store.messages import StoredMessage
from hermes_tui.store.reviews import Span
from hermes_tui.store.store import Store
from hermes_tui.store.summaries import Note

LOG = logging.getLogger(__name__)

IDLE = timedelta(minutes=10)
"""A session nobody has used for so long has ended, as far as anybody can tell."""
PAUSE = timedelta(minutes=1)
"""A session another process used more recently may be in the middle of something."""
LOOK_BACK = timedelta(days=7)
AT_ONCE = 20
"""How many sessions one idle moment looks back at."""


class Learnt(Struct, frozen=True):
    """What one look back came to."""

    session_id: str
    changes: tuple[Change, ...] = ()
    preferences: tuple[str, ...] = ()
    """`key: value`, those that count from now on."""
    counted: tuple[Counted, ...] = ()
    """All that was counted, in that order."""
    usage: Usage = Usage()
    skills: Reviewed = Reviewed()

    @property
    def text(self) -> str:
        """What was remembered and written, in a line for people; empty when nothing was."""
        return " ".join(filter(None, (self._remembered(), self.skills.text)))

    @property
    def undone_text(self) -> str:
        """The same once it was taken back."""
        return f"Taken back: {'; '.join([*self._told(), *self.skills.told])}."

    def _remembered(self) -> str:
        told = self._told()
        if not told:
            return ""
        gone = [one for change in self.changes for one in change.gone]
        told += [f"archived {_quoted(one.text)}" for one in gone if one.ending == "archived"]
        spent = self.usage.input_tokens + self.usage.output_tokens
        cost = f" ({spent:,} tokens)" if spent else ""
        return f"Remembered: {'; '.join(told)}{cost}."

    def _told(self) -> list[str]:
        told = [text for change in self.changes for text in _told(change)]
        return told + [f"a preference ({one})" for one in self.preferences]


class Learner:
    """Reviews sessions and writes notes on them.

    Args:
        model: Who to ask; None where there is no model, which leaves rules.
        writes_notes: Whether the model writes the notes too.
        remembers: Whether memory and preferences are learnt.
        skills: Learns from tasks; None to leave skills alone.
    """

    def __init__(
        self,
        *,
        store: Store,
        memory: Memory,
        preferences: Preferences,
        model: Callable[[], Model | None],
        writes_notes: bool = True,
        remembers: bool = True,
        skills: SkillLearner | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._memory = memory
        self._preferences = preferences
        self._model = model
        self._writes_notes = writes_notes
        self._remembers = remembers
        self._skills = skills
        self._now = now
        self._refused: set[str] = set()
        """Ids of sessions the model will not look at, however often it is asked."""

    async def review(self, session_id: str) -> Learnt:
        """Keep what the messages since the last review teach. Each message is reviewed once.

        A review that does not come to its end leaves its messages to the next one. None is begun
        while the preferences are damaged, which a person is told of when Hermes starts.
        What goes wrong with skills is logged, and their tasks wait for the next review.

        Raises:
            ModelError: the model failed.
            HermesError: memory or the store cannot be read or written.
        """
        skills = await self._review_tasks(session_id)
        try:
            learnt = await self._review_talk(session_id) if self._remembers else Learnt(session_id)
        except ModelError as error:
            if not skills.text:
                raise
            LOG.warning("Session %s was not reviewed: %s", session_id, error)
            learnt = Learnt(session_id)
        return structs.replace(learnt, skills=skills)

    async def _review_tasks(self, session_id: str) -> Reviewed:
        try:
            return await self._skills.review(session_id) if self._skills else Reviewed()
        except HermesError as error:
            LOG.warning("The tasks of %s were not looked at: %s", session_id, error)
            return Reviewed()

    async def _review_talk(self, session_id: str) -> Learnt:
        try:
            await anyio.to_thread.run_sync(self._preferences.all)
        except ConfigError as error:
            LOG.warning("Session %s was not reviewed: %s", session_id, error)
            return Learnt(session_id)
        span = await self._store.reviews.claim(session_id)
        if span is None:
            return Learnt(session_id)
        try:
            return await self._reviewed(session_id, span)
        except BaseException:
            with anyio.CancelScope(shield=True):  # a lost claim is a lost lesson
                await self._store.reviews.release(session_id, span)
            raise

    async def _reviewed(self, session_id: str, span: Span) -> Learnt:
        stored = await self._stored(session_id)
        messages = [one.message for one in stored if span.after < one.id <= span.upto]
        lessons, usage = await self._lessons(session_id, messages)
        changes = [
            change for fact in lessons.facts if (change := await self._keep(session_id, fact))
        ]
        counted = [
            one for taste in lessons.preferences if (one := await self._count(session_id, taste))
        ]
        news = {one.key: _news(one) for one in counted if one.value != one.was}
        return Learnt(session_id, tuple(changes), tuple(news.values()), tuple(counted), usage)

    async def catch_up(self, *, but: str = "") -> list[Learnt]:
        """Review the sessions others left behind, such as one-shots; `but` is in use.

        Raises:
            HermesError: memory or the store cannot be read or written.
        """
        now, skipped = self._now(), len(self._refused)
        ids: list[str] = []
        if self._remembers:
            ids = await self._store.reviews.pending(
                since=now - LOOK_BACK, before=now - PAUSE, but=but, limit=AT_ONCE + skipped
            )
        found: list[Learnt] = []
        for session_id in [one for one in ids if one not in self._refused]:
            try:
                found.append(await self.review(session_id))
            except (ContextOverflowError, ContentRefusedError) as error:
                LOG.warning("Session %s cannot be reviewed: %s", session_id, error)
                self._refused.add(session_id)
            except ModelError as error:
                LOG.warning("Session %s was not reviewed: %s", session_id, error)
                break
        if self._skills is not None:
            caught_up = await self._skills.catch_up(but=but)
            found += [Learnt(session_id, skills=skills) for session_id, skills in caught_up]
        return [learnt for learnt in found if learnt.text]

    async def note(self, session_id: str) -> None:
        """Write down what a session was about, from all of its messages.

        What was imported is noted by rule: nobody asked for a model to be paid for it.

        Raises:
            NotFoundError: the session was deleted.
            StoreError: the store cannot be read or written.
        """
        record = await self._store.sessions.get(session_id)
        stored = await self._stored(session_id)
        if not stored:
            return
        messages = [one.message for one in stored]
        model = self._model() if self._writes_notes and record.source != IMPORTED else None
        note, method = None, METHOD
        if model is not None and is_worthwhile(messages):
            try:
                note, usage = await written_note(model, messages)
                method = model.name
                await self._store.usage.record(session_id, usage, model.name)
            except ModelError as error:
                LOG.warning("The note on %s is extractive: %s", session_id, error)
        if note is None:
            note = await anyio.to_thread.run_sync(extract, messages)
        if not note.text:  # a session without a note would be looked at again and again
            note = Note(summary=record.title or "Nothing was said in words.")
        await self._store.summaries.put(session_id, note, upto=stored[-1].id, method=method)

    async def note_ended(self, *, limit: int = 5) -> int:
        """Write notes on sessions that have ended without one; returns how many it looked at.

        Raises:
            StoreError: the store cannot be read or written.
        """
        pending = await self._store.summaries.pending(self._now() - IDLE, limit=limit)
        for session_id in pending:
            await self.note(session_id)
        return len(pending)

    async def embed_pending(self) -> int:
        """Make the vectors that searching by meaning lacks; returns of how many texts.

        A model that does not answer is asked again the next time.

        Raises:
            StoreError: the store cannot be read or written.
        """
        meaning = self._store.search.meaning
        if meaning is None:
            return 0
        try:
            return await meaning.catch_up()
        except (ConfigError, ModelError) as error:
            LOG.warning("Vectors for searching by meaning are missing: %s", error)
            return 0

    async def archive(self, retention_days: int) -> int:
        """Put away sessions not used for so many days that have a note; 0 days for never.

        Raises:
            StoreError: the store cannot be written.
        """
        if not retention_days:
            return 0
        return await self._store.reviews.archive(self._now() - timedelta(days=retention_days))

    async def undo(self, learnt: Learnt) -> None:
        """Take back what a review remembered, counted and wrote.

        Raises:
            HermesError: memory cannot be written, or a skill has changed since.
        """
        for change in reversed(learnt.changes):
            await self._memory.undo(change)
        for counted in reversed(learnt.counted):
            await self._preferences.put_back(counted)
        if self._skills is not None:
            await self._skills.undo(learnt.skills)

    async def _stored(self, session_id: str) -> list[StoredMessage]:
        """Its messages; one that is damaged must not keep the others from being learnt from."""
        stored, damaged = await self._store.messages.readable(session_id)
        for problem in damaged:
            LOG.warning("Left out of session %s: %s", session_id, problem)
        return stored

    async def _lessons(self, session_id: str, messages: Sequence[Message]) -> tuple[Lessons, Usage]:
        known = [entry for target in NAMES for entry in self._memory.files.read(target).entries]
        model = self._model()
        if model is None:
            return noticed(messages, known), Usage()
        if not is_worthwhile(messages):
            return Lessons(), Usage()
        lessons, usage = await reflected(model, messages, known)
        await self._store.usage.record(session_id, usage, model.name)
        return lessons, usage

    async def _keep(self, session_id: str, fact: Fact) -> Change | None:
        """What keeping `fact` changed; None when that was nothing, or only confirmed it."""
        source, target = Source("agent", session_id, fact.evidence), self._target(fact)
        try:
            change = await self._memory.add(target, fact.text, source=source, kind=fact.kind)
        except (RefusedError, ToolError) as error:
            LOG.info("Not remembered: %s", error)
            return None
        return change if change.learnt else None

    def _target(self, fact: Fact) -> Target:
        """The file that has it already, else the one it was meant for."""
        for target in NAMES:
            entries = self._memory.files.read(target).entries
            if plain(fact.text) in map(plain, entries):
                return target
        return fact.target

    async def _count(self, session_id: str, taste: Taste) -> Counted | None:
        preferences, at = self._preferences, self._now()
        try:
            if taste.is_wish:
                return await preferences.wish(taste.key, taste.value, at=at)
            return await preferences.observe(taste.key, taste.value, session=session_id, at=at)
        except (ConfigError, RefusedError) as error:
            LOG.info("Not counted: %s", error)
            return None


def _news(counted: Counted) -> str:
    return f"{counted.key}: {counted.value or f'no longer {counted.was}'}"


def _told(change: Change) -> Iterator[str]:
    """What a change learnt, each with what it takes the place of."""
    for item in change.learnt:
        old = [_quoted(one.text) for one in change.gone if one.by == item.text]
        instead = f" in place of {' and '.join(old)}" if old else ""
        yield f"{_quoted(item.text)}{instead}"


def _quoted(text: str) -> str:
    """An entry within a sentence, which has a full stop of its own."""
    return f"“{text.removesuffix('.')}”"
