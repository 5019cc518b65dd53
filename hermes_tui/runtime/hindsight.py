"""Looking back: what sessions teach, and how the skills do. Nothing here delays an answer."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct

from hermes_tui.config.paths import Paths
from hermes_tui.config.schema import Config
from hermes_tui.core.ports import Model
from hermes_tui.memory.memory import Memory
from hermes_tui.memory.preferences import Preferences
from hermes_tui.runtime.skills import open_auditor, open_proposals
from hermes_tui.skills.skills import Skills
from hermes_tui.store.store import Store

# Only the idle have time to import what learns.
if TYPE_CHECKING:
    from hermes_tui.learning.audit.auditor import Auditor
    from hermes_tui.learning.learner import Learner, Learnt


class Looked(Struct, frozen=True):
    """What a moment of idle time came to."""

    learnt: tuple["Learnt", ...] = ()
    """From sessions others left behind, such as one-shots."""
    notice: str = ""
    """A sentence for the person, e.g. about an audit; mostly empty."""


class Hindsight:
    """Reviews sessions, writes notes on them, and audits skills."""

    def __init__(
        self,
        *,
        paths: Paths,
        config: Config,
        store: Store,
        memory: Memory,
        preferences: Preferences,
        skills: Skills,
        model: Callable[[], Model | None],
    ) -> None:
        self._paths = paths
        self._config = config
        self._store = store
        self._memory = memory
        self._preferences = preferences
        self._skills = skills
        self._model = model

    async def look_back(self, session_id: str) -> "Learnt":
        """Keep what a session has taught since the last time.

        Raises:
            ModelError: the model that was asked failed.
            HermesError: memory or the store cannot be read or written.
        """
        return await self._learner.review(session_id)

    async def look_after(self, *, but: str = "") -> Looked:
        """What idle time is for; `but` is the session in use.

        Review one-shots, note and embed sessions, put old ones away, adopt skills edited by
        hand, audit them when it is time.

        Raises:
            HermesError: memory or the store cannot be read or written.
        """
        learner = self._learner
        learnt = await learner.catch_up(but=but)
        await learner.note_ended()
        await learner.embed_pending()
        await learner.archive(self._config.memory.conversation_retention)
        await self._skills.repository.adopt()
        audit = await self._auditor.run_if_due()
        if audit is None:
            return Looked(tuple(learnt))
        await self._skills.repository.tidy()
        return Looked(tuple(learnt), audit.notice)

    async def undo(self, learnt: "Learnt") -> None:
        """Take back what was learnt.

        Raises:
            HermesError: memory or a skill cannot be written.
        """
        await self._learner.undo(learnt)

    @cached_property
    def _learner(self) -> "Learner":
        from hermes_tui.learning.learner import Learner
        from hermes_tui.learning.skill_learner import SkillLearner

        return Learner(
            store=self._store,
            memory=self._memory,
            preferences=self._preferences,
            model=self._model,
            writes_notes=self._config.memory.notes == "abstractive",
            remembers=self._config.memory.learn,
            skills=SkillLearner(
                store=self._store,
                skills=self._skills,
                proposals=open_proposals(self._paths),
                model=self._model,
                writes=self._config.skills.learn,
            ),
        )

    @cached_property
    def _auditor(self) -> "Auditor":
        return open_auditor(
            self._paths, self._config, store=self._store, skills=self._skills, model=self._model
        )
