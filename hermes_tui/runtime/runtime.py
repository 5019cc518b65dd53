"""The composition root: the only place that builds things and joins them."""

import math
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from hermes_tui.agent.approvals import Approvals
from hermes_tui.agent.compaction import Compactor
from hermes_tui.agent.context import Context
from hermes_tui.agent.personalities import Personality, find_personality, personalities
from hermes_tui.agent.session import Session
from hermes_tui.config.logs import log_to
from hermes_tui.config.paths import Paths, find_paths, working_folder
from hermes_tui.config.schema import Config
from hermes_tui.config.secrets import Secrets, load_secrets
from hermes_tui.core.environment import Environment
from hermes_tui.core.errors import EnvironmentUnavailableError, HermesError
from hermes_tui.core.events import Notice
from hermes_tui.core.history import NOT_COMPACTED, Compaction, closing_messages
from hermes_tui.core.messages import Message
from hermes_tui.core.ports import Human, Model, Prefix
from hermes_tui.core.skills import Skill
from hermes_tui.memory.files import MemoryFile, MemoryFiles
from hermes_tui.memory.memory import Memory
from hermes_tui.memory.preferences import Preferences
from hermes_tui.models.reasoning import Level
from hermes_tui.models.wrapped import close_model
from hermes_tui.runtime.claims import Claims
from hermes_tui.runtime.hindsight import Hindsight, Looked
from hermes_tui.runtime.hints import SkillHints
from hermes_tui.runtime.meaning import search_by_meaning
from hermes_tui.runtime.models import (
    ModelChoice,
    build_model,
    model_choices,
    served_here,
    warm_up,
)
from hermes_tui.runtime.named_settings import load_checked
from hermes_tui.runtime.places import EnvironmentChoice, Places
from hermes_tui.runtime.prompts import Prompts, room
from hermes_tui.runtime.side_models import SideModels
from hermes_tui.runtime.skills import open_skills
from hermes_tui.runtime.toolbox import toolbox
from hermes_tui.safety.modes import Mode
from hermes_tui.store.search import SearchResults
from hermes_tui.store.sessions import SessionRecord
from hermes_tui.store.store import Store
from hermes_tui.tools.output import OutputShelf
from hermes_tui.tools.registry import ToolSet
from hermes_tui.tools.toolsets import toolsets_of
from hermes_tui.tools.workplace import Workplace

if TYPE_CHECKING:
    from hermes_tui.learning.learner import Learnt


class Overrides(Struct, frozen=True, kw_only=True):
    """What a command line said that goes before the configuration; None where it said nothing."""

    mode: Mode | None = None
    model: str | None = None
    environment: str | None = None
    cwd: Path | None = None
    max_steps: int | None = None
    reasoning: Level | None = None
    record: str | None = None
    """A file to record the model's replies to."""


class Runtime:
    """Everything a front end needs. Made by `open_runtime`."""

    def __init__(
        self,
        *,
        paths: Paths,
        folder: Path,
        config: Config,
        secrets: Secrets,
        store: Store,
        workplace: Workplace,
        places: Places,
        claims: Claims,
        human: Human,
        source: str,
        overrides: Overrides,
        closing: AsyncExitStack,
    ) -> None:
        self.paths = paths
        self.folder = folder
        """Of this machine, where Hermes was started; environments may be elsewhere."""
        self.config = config
        self.store = store
        self.mode: Mode = overrides.mode or config.agent.mode
        """May be assigned; counts from the next tool call on."""
        self.reasoning: Level | None = overrides.reasoning or config.agent.reasoning
        """How long the model thinks first; `switch_reasoning` changes it."""
        self._secrets = secrets
        self._workplace = workplace
        self._places = places
        self._claims = claims
        self._claimed = ""
        self._human = human
        self._source = source
        self._overrides = overrides
        self._closing = closing
        self._shelf = OutputShelf(
            paths.run_dir / "outputs", limit_chars=config.tools.output_limit_chars
        )
        self._side = SideModels(
            main=lambda: None if self.is_rehearsal else self._model,
            build=lambda name: build_model(name, config=config, secrets=secrets),
            config=config,
            usage=store.usage,
        )
        closing.push_async_callback(self._side.close)
        self.memory = Memory(
            MemoryFiles(paths.memory_dir), store.memory_items, consolidate=self._side.consolidate
        )
        self.preferences = Preferences(paths.preferences_dir, user=config.memory.user)
        self.skills = open_skills(
            paths,
            config,
            store=store,
            folder=folder,
            toolsets=lambda: toolsets_of(config.tools.disabled),
        )
        closing.callback(self.skills.close)
        self._prompts = Prompts(
            paths=paths,
            folder=folder,
            workplace=workplace,
            memory=self.memory.files,
            preferences=self.preferences,
            skills=self.skills,
        )
        self._hindsight = Hindsight(
            paths=paths,
            config=config,
            store=store,
            memory=self.memory,
            preferences=self.preferences,
            skills=self.skills,
            model=self._side.reviewer,
        )
        self._model = self._build_model(overrides.model)
        closing.push_async_callback(self._close_model)

    @property
    def environment(self) -> Environment:
        return self._workplace.environment

    @property
    def model_name(self) -> str:
        return self._model.name

    @property
    def is_rehearsal(self) -> bool:
        return self._model.name == "rehearsal"

    @property
    def context_window(self) -> int | None:
        return self._model.context_window

    @property
    def notices(self) -> list[Notice]:
        """What a person has to be told before the first turn."""
        said: list[Notice] = []
        if self.is_rehearsal:
            said.append(Notice("rehearsal model: no LLM; set a key or start Ollama", "warning"))
        if self.paths.notice:
            said.append(Notice(self.paths.notice, "warning"))
            self.paths.mark_notice_said()
        return said + [Notice(problem, "warning") for problem in self._prompts.problems()]

    async def new_session(self) -> Session:
        """A fresh conversation; it enters lists once something was said in it."""
        record = await self.store.sessions.create(
            cwd=str(self.folder),
            model=self._model.name,
            environment=self.environment.name,
            source=self._source,
        )
        self._claims.claim(record.id)
        tools = self._tools(record.id)
        prefix = await self._prompts.prefix(tools, self._model)
        await self.store.sessions.set_prefix(record.id, prefix)
        return self._session(record, tools, prefix)

    async def resume(self, session_id: str) -> Session:
        """A stored conversation as it was left, where its commands ran unless told otherwise.

        Its prompt prefix is the stored one, byte for byte, unless model, environment or
        directory are others now.

        Raises:
            NotFoundError: there is no such session.
            HermesError: another process has it open.
            EnvironmentUnavailableError: the place its commands ran in cannot serve.
        """
        record = await self.store.sessions.get(session_id)
        self._claims.claim(record.id)
        if self._overrides.environment is None:
            await self._go_to(record.environment)
        tools = self._tools(record.id)
        history = await self._closed_history(record.id)
        prefix = await self.store.sessions.prefix(record.id)
        compaction = await self.store.compactions.latest(record.id)
        if prefix is None:
            prefix = await self._prompts.prefix(tools, self._model)
        session = self._session(record, tools, prefix, history, compaction)
        before = (record.model, record.environment, record.cwd)
        if before != (self._model.name, self.environment.name, str(self.folder)):
            await self._renew_prefix(session)
        return session

    async def _go_to(self, place: str) -> None:
        """Run commands there, as the session being resumed did."""
        if place in {self.environment.name, ""}:
            return
        try:
            self._workplace.environment = await self._workplace.at(place)
        except HermesError as error:
            raise EnvironmentUnavailableError(
                f"This session ran its commands in {place!r}: {error.message}",
                hint=f"{error.hint} Or name another place with --env.".strip(),
            ) from error

    async def latest_session(self) -> SessionRecord | None:
        """The session used last in this folder, wherever its commands ran."""
        return await self.store.sessions.latest(str(self.folder))

    async def switch_model(self, session: Session, name: str) -> None:
        """Let another model answer from the next call on.

        Raises:
            ConfigError: there is no such provider.
            ModelAuthError: it needs a key that is not there.
        """
        model = self._build_model(name)
        async with session.idle():
            await self._close_model()
            self._model = session.model = model
            await self._renew_prefix(session)

    async def switch_reasoning(self, session: Session, level: Level | None) -> None:
        """Let the model think `off`, `low` or `high` from the next call on; None for its habit."""
        self.reasoning = level
        model = self._build_model(session.model.name)
        async with session.idle():
            await self._close_model()
            self._model = session.model = model

    async def look_back(self, session: Session) -> "Learnt":
        """Keep what the session has taught since the last time.

        Raises:
            ModelError: the model that was asked failed.
            HermesError: memory or the store cannot be read or written.
        """
        return await self._hindsight.look_back(session.id)

    async def look_after(self, *, but: str = "") -> Looked:
        """Do what idle time is for; `but` is the session in use.

        Raises:
            HermesError: memory or the store cannot be read or written.
        """
        return await self._hindsight.look_after(but=but)

    async def unlearn(self, learnt: "Learnt") -> None:
        """Take back what `look_back` kept.

        Raises:
            HermesError: memory cannot be written.
        """
        await self._hindsight.undo(learnt)

    def skill_tree(self) -> list[Skill]:
        """The skills on disk, by category and name. Blocks while folders are read."""
        return list(self.skills.here().skills)

    def personalities(self) -> list[Personality]:
        return personalities(self.paths.personalities_dir)

    @property
    def personality(self) -> str:
        """The name of the manner taken on; empty for none."""
        return self._prompts.personality.name if self._prompts.personality else ""

    async def switch_personality(self, session: Session, name: str) -> None:
        """Take on another manner from the next call on; `none` lays it down.

        Raises:
            NotFoundError: there is none of that name.
        """
        folder = self.paths.personalities_dir
        chosen = None if name == "none" else find_personality(folder, name)
        async with session.idle():
            self._prompts.personality = chosen
            await self._renew_prefix(session)

    async def switch_environment(self, session: Session, name: str) -> None:
        """Run commands elsewhere from the next call on; the old place stays open until the end.

        Raises:
            ConfigError: there is no such environment.
            EnvironmentUnavailableError: it cannot serve; nothing has changed.
        """
        environment = await self._workplace.at(name)
        async with session.idle():
            self._workplace.environment = environment
            await self._renew_prefix(session)

    async def environment_choices(self) -> list[EnvironmentChoice]:
        """Environments one may switch to, each with how it is."""
        return await self._places.choices(current=self.environment.name)

    async def local_models(self) -> list[ModelChoice]:
        """Models served on this machine now; looking takes 0.3 s at most."""
        return await served_here()

    def model_choices(self) -> list[ModelChoice]:
        """Models one may switch to, those that can answer now first."""
        return model_choices(self._secrets, self.config)

    def memory_files(self) -> list[MemoryFile]:
        """`MEMORY.md` and `USER.md` as they are on disk now."""
        return self._prompts.memory_files()

    async def sessions(self, *, limit: int = 50, text: str = "") -> list[SessionRecord]:
        """Stored sessions, the last used first; `text` must occur in what lists show of one."""
        return await self.store.sessions.newest(limit=limit, text=text)

    async def search(self, query: str, *, limit: int = 20) -> SearchResults:
        """As one types, so nothing is sent anywhere: by words only."""
        return await self.store.search.find(query, limit=limit, by_meaning=False)

    async def rename_session(self, session_id: str, title: str) -> None:
        await self.store.sessions.rename(session_id, title)

    async def delete_session(self, session_id: str) -> None:
        await self.store.sessions.delete(session_id)

    async def restore_session(self, session_id: str) -> None:
        await self.store.sessions.restore(session_id)

    def _build_model(self, name: str | None) -> Model:
        model = build_model(
            name,
            config=self.config,
            secrets=self._secrets,
            reasoning=self.reasoning,
            record=self._overrides.record,
        )
        warm_up(model.name, config=self.config, secrets=self._secrets)
        self._shelf.limit = room(model, self.config.tools.output_limit_chars)
        return model

    async def _close_model(self) -> None:
        await close_model(self._model)

    def _tools(self, session_id: str) -> ToolSet:
        approvals = Approvals(self._human, mode=lambda: self.mode)
        tools = toolbox(
            workplace=self._workplace,
            shelf=self._shelf,
            search=self.store.search,
            memory=self.memory,
            skills=self.skills,
            human=self._human,
            session_id=session_id,
            timeout_seconds=int(self.config.terminal.timeout_seconds),
            disabled=self.config.tools.disabled,
        )
        return ToolSet(tools, gate=approvals, shelf=self._shelf)

    async def _renew_prefix(self, session: Session) -> None:
        session.prefix = await self._prompts.prefix(session.tools, session.model)
        await self.store.sessions.set_prefix(session.id, session.prefix)
        await self.store.sessions.move(
            session.id,
            cwd=str(self.folder),
            model=session.model.name,
            environment=self.environment.name,
        )

    async def _closed_history(self, session_id: str) -> list[Message]:
        """The stored messages, with calls a crash left open answered for good."""
        history = [stored.message for stored in await self.store.messages.of_session(session_id)]
        recorded = {
            result.call_id: result for result in await self.store.messages.unanswered(session_id)
        }
        for message in closing_messages(
            history, finished=recorded, partial="", note="(Hermes was stopped before it answered.)"
        ):
            await self.store.messages.append(session_id, message)
            history.append(message)
        return history

    def _session(
        self,
        record: SessionRecord,
        tools: ToolSet,
        prefix: Prefix,
        history: Sequence[Message] = (),
        compaction: Compaction = NOT_COMPACTED,
    ) -> Session:
        if self._claimed not in {"", record.id}:
            self._claims.release(self._claimed)  # the session before is left
        self._claimed = record.id
        journal = self.store.journal(record.id)
        settings = self.config.compression
        threshold = settings.threshold if settings.enabled else math.inf
        compactor = Compactor(self._side.summarise, threshold=threshold)
        return Session(
            id=record.id,
            model=self._model,
            tools=tools,
            journal=journal,
            prefix=prefix,
            history=history,
            usage=record.usage,
            max_steps=self._overrides.max_steps or self.config.agent.max_steps,
            context=Context(journal, compactor=compactor, compaction=compaction),
            hints=SkillHints(
                self.skills, self.store.skill_uses, config=self.config, session_id=record.id
            ),
        )


@asynccontextmanager
async def open_runtime(
    *, human: Human, source: str, overrides: Overrides | None = None
) -> AsyncGenerator[Runtime, None]:
    """Everything a front end needs; closed in reverse order when the block ends.

    Args:
        human: Who answers for the person.
        source: The front end's name, stored with its sessions: `screen`, `run`, ….

    Raises:
        ConfigError: the configuration, an option or the home is wrong.
        StoreError: the store cannot be opened.
        EnvironmentUnavailableError: the environment cannot serve.
    """
    overrides = overrides or Overrides()
    cwd = overrides.cwd or working_folder()
    paths = find_paths(os.environ)
    config = load_checked(paths, cwd=cwd, given=overrides)
    paths.create()
    secrets = load_secrets(paths, os.environ, config)
    log_to(paths.logs_dir, level=config.logging.level, redact=secrets.redact)
    async with AsyncExitStack() as stack:
        places = await stack.enter_async_context(
            Places.opened(config=config, paths=paths, cwd=cwd, human=human)
        )
        environment = await places.open(
            config.terminal.backend if overrides.environment is None else overrides.environment
        )
        claims = Claims(paths.run_dir / "sessions.lock")
        stack.callback(claims.close)
        store = await stack.enter_async_context(Store.open(paths.database))
        search_by_meaning(store, config=config, secrets=secrets, closing=stack)
        yield Runtime(
            paths=paths,
            folder=cwd,
            config=config,
            secrets=secrets,
            store=store,
            workplace=Workplace(
                environment,
                home=str(Path.home()),
                open_other=places.open,
                # From elsewhere this machine is reached only when the person says so.
                configured={config.terminal.backend, *config.environments} - {"local"},
                own=str(paths.home.resolve()),
            ),
            places=places,
            claims=claims,
            human=human,
            source=source,
            overrides=overrides,
            closing=stack,
        )
