"""A small runtime of real parts for the screen: scripted model, real session, journal in memory."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import anyio
from textual.app import App
from textual.pilot import Pilot

from hermes_tui.agent.compaction import Compactor
from hermes_tui.agent.context import Context
from hermes_tui.agent.personalities import Personality
from hermes_tui.agent.session import Session
from hermes_tui.agent.summaries import extracted
from hermes_tui.config.schema import Config
from hermes_tui.core.errors import HermesError, NotFoundError
from hermes_tui.core.events import (
    ApprovalPending,
    ApprovalRequest,
    ApprovalResolved,
    Notice,
    ToolFinished,
    ToolOutput,
    ToolStarted,
)
from hermes_tui.core.history import Compaction
from hermes_tui.core.messages import Message, ToolCall, ToolResult
from hermes_tui.core.ports import Emit, Human, Prefix, ToolSpec
from hermes_tui.core.skills import Skill
from hermes_tui.core.usage import Usage
from hermes_tui.learning.learner import Learnt
from hermes_tui.memory.files import MemoryFile
from hermes_tui.models.reasoning import Level
from hermes_tui.models.scripted import Line, ScriptedModel
from hermes_tui.runtime.hindsight import Looked
from hermes_tui.runtime.places import EnvironmentChoice
from hermes_tui.safety.modes import Mode
from hermes_tui.tui.app import HermesApp
from hermes_tui.tui.ports import Runtime

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class MemoryJournal:
    """Keeps what a session stores in lists."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def append(self, message: Message) -> None:
        self.messages.append(message)

    async def record_result(self, result: ToolResult, seconds: float) -> None: ...

    async def record_usage(self, usage: Usage, model: str) -> None: ...

    async def record_compaction(self, compaction: Compaction) -> None: ...


@dataclass
class Act:
    """What a tool on this stage does when it is called."""

    prints: str = ""
    result: str = "done"
    asks: str = ""
    """The action put to the person first; empty for none."""
    scope: str = ""
    display: object = None
    gate: anyio.Event | None = None
    """Waited for after printing, so that a test sees the tool running."""
    works: Callable[[], Awaitable[object]] | None = None


class StageTools:
    """Tools that print what the script says and ask where it says so."""

    def __init__(self, human: Human, acts: dict[str, Act]) -> None:
        self._human = human
        self._acts = acts
        self.ran: list[str] = []

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        return ()

    def is_parallel_safe(self, call: ToolCall) -> bool:
        return self._acts[call.name].asks == "" or call.name.startswith("parallel")

    async def run(self, call: ToolCall, emit: Emit) -> ToolResult:
        act = self._acts[call.name]
        if act.asks and not await self._may_run(call, act, emit):
            result = ToolResult(call.id, "The person said no.", is_error=True)
            await emit(ToolFinished(result, 0.0))
            return result
        self.ran.append(call.name)
        await emit(ToolStarted(call, "local"))
        if act.prints:
            await emit(ToolOutput(call.id, act.prints))
        if act.gate is not None:
            await act.gate.wait()
        if act.works is not None:
            await act.works()
        result = ToolResult(call.id, act.result)
        await emit(ToolFinished(result, 0.2))
        return result

    async def _may_run(self, call: ToolCall, act: Act, emit: Emit) -> bool:
        request = ApprovalRequest(
            call=call,
            action=act.asks,
            reason="It changes files.",
            environment="local",
            cwd="/srv/app",
            scope=act.scope,
        )
        await emit(ApprovalPending(request))
        approval = await self._human.approve(request)
        await emit(ApprovalResolved(call.id, approval))
        self.ran.append(f"{call.name}:{approval.verdict}:{approval.reason}")
        return approval.verdict != "deny"


@dataclass
class StageEntry:
    """A stored session."""

    id: str
    title: str
    history: list[Message] = field(default_factory=list[Message])
    updated_at: datetime = NOON - timedelta(hours=2)
    model: str = "scripted"
    cwd: str = "/srv/app"
    about: str = ""

    @property
    def message_count(self) -> int:
        return len(self.history)


@dataclass
class StageHit:
    """A message found."""

    session_id: str
    role: str
    excerpt: str


@dataclass
class StageResults:
    """What a search found."""

    hits: list[StageHit]
    sessions: list[StageEntry] = field(default_factory=list["StageEntry"])


@dataclass
class StageChoice:
    """A model to switch to."""

    name: str
    summary: str
    is_ready: bool = True


class StageEnvironment:
    """Names a place; the tools of this stage run nothing."""

    def __init__(self, name: str = "local") -> None:
        self.name = name
        self.cwd = "/srv/app"


@dataclass
class StagePaths:
    """Where the prompt history goes."""

    home: Path


class StageRuntime:
    """Fits `hermes_tui.tui.ports.Runtime`."""

    def __init__(
        self, human: Human, home: Path, lines: Sequence[Line], acts: dict[str, Act]
    ) -> None:
        self.mode: Mode = "ask"
        self.config = Config()
        self.paths = StagePaths(home)
        self.notices: list[Notice] = []
        self.model = ScriptedModel(*lines, name="scripted", context_window=8_000)
        self.tools = StageTools(human, acts)
        self.environment = StageEnvironment()
        self.is_rehearsal = False
        self.reasoning: Level | None = None
        self.served: list[StageChoice] = []
        self.stored: list[StageEntry] = []
        self.deleted: dict[str, StageEntry] = {}
        self.memory: list[MemoryFile] = [
            MemoryFile("MEMORY.md", home / "MEMORY.md", "x" * 1834, 2200),
            MemoryFile("USER.md", home / "USER.md", "Likes short answers.", 1375),
        ]
        self.skill_list = [
            Skill("python-refactor", "coding", "Rename safely", home / "a"),
            Skill("docker-debug", "coding", "Look inside containers", home / "b"),
            Skill("arxiv-digest", "research", "Read papers", home / "c"),
        ]
        self.session: Session | None = None
        self.personality = ""
        self.lessons: list[Learnt] = []
        self.unlearnt: list[str] = []
        self.idle_times = 0
        self.idle_gate: anyio.Event | None = None
        self.idle_error: HermesError | None = None
        self.idle_notice = ""
        self.memory_error: HermesError | None = None
        self.is_closed = False
        self.lack = "The docker daemon cannot be reached. Start it, or choose another place."

    @property
    def model_name(self) -> str:
        return self.model.name

    @property
    def context_window(self) -> int | None:
        return self.model.context_window

    async def new_session(self) -> Session:
        return self._session(StageEntry(f"s{len(self.stored)}", "", updated_at=NOON), ())

    async def resume(self, session_id: str) -> Session:
        for entry in self.stored:
            if entry.id == session_id:
                return self._session(entry, entry.history)
        raise NotFoundError(f"There is no session {session_id!r}.", hint="Run hermes sessions.")

    def _session(self, entry: StageEntry, history: Sequence[Message]) -> Session:
        self.session = Session(
            id=entry.id,
            model=self.model,
            tools=self.tools,
            journal=MemoryJournal(),
            prefix=Prefix("", ()),
            history=history,
            context=Context(MemoryJournal(), compactor=Compactor(extracted)),
        )
        return self.session

    async def latest_session(self) -> StageEntry | None:
        return (await self.sessions(limit=1) or [None])[0]

    async def switch_model(self, session: Session, name: str) -> None:
        self.model = ScriptedModel(name=name)
        session.model = self.model

    async def switch_environment(self, session: Session, name: str) -> None:
        if name not in {"local", "prod"}:
            raise NotFoundError(f"There is no environment {name!r}.", hint="Choose another.")
        self.environment = StageEnvironment(name)

    async def switch_reasoning(self, session: Session, level: Level | None) -> None:
        self.reasoning = level

    async def look_back(self, session: Session) -> Learnt:
        return self.lessons.pop(0) if self.lessons else Learnt(session.id)

    async def look_after(self, *, but: str = "") -> Looked:
        self.idle_times += 1
        if self.idle_gate is not None:
            await self.idle_gate.wait()
        if self.idle_error is not None:
            raise self.idle_error
        return Looked(notice=self.idle_notice)

    async def unlearn(self, learnt: Learnt) -> None:
        if self.memory_error is not None:
            raise self.memory_error
        self.unlearnt.append(learnt.text)

    def personalities(self) -> list[Personality]:
        return [Personality("teacher", "Explain.", is_own=False)]

    async def switch_personality(self, session: Session, name: str) -> None:
        self.personality = "" if name == "none" else name

    async def environment_choices(self) -> list[EnvironmentChoice]:
        here = self.environment.name
        return [
            EnvironmentChoice("local", "local", "this machine", True, here == "local"),
            EnvironmentChoice("prod", "ssh", "reachable", True, here == "prod"),
            EnvironmentChoice("box", "docker", self.lack, False, here == "box"),
        ]

    async def local_models(self) -> list[StageChoice]:
        return self.served

    def model_choices(self) -> list[StageChoice]:
        return [
            StageChoice("openrouter/hermes-4", "needs OPENROUTER_API_KEY", is_ready=False),
            StageChoice("scripted", "a list"),
            StageChoice("rehearsal", "no LLM"),
        ]

    def memory_files(self) -> list[MemoryFile]:
        if self.memory_error is not None:
            raise self.memory_error
        return self.memory

    def skill_tree(self) -> list[Skill]:
        return self.skill_list

    async def sessions(self, *, limit: int = 50, text: str = "") -> list[StageEntry]:
        newest = sorted(self.stored, key=lambda entry: entry.updated_at, reverse=True)
        return [entry for entry in newest if text in f"{entry.id}\n{entry.title}"][:limit]

    async def search(self, query: str, *, limit: int = 20) -> StageResults:
        hits = [
            StageHit(entry.id, message.role, message.text)
            for entry in self.stored
            for message in entry.history
            if query.lower() in message.text.lower()
        ]
        at_that_time = self.stored if query == "last week" else []
        return StageResults(hits[:limit], list(at_that_time))

    async def rename_session(self, session_id: str, title: str) -> None:
        for entry in self.stored:
            if entry.id == session_id:
                entry.title = title

    async def delete_session(self, session_id: str) -> None:
        for entry in list(self.stored):
            if entry.id == session_id:
                self.deleted[entry.id] = entry
                self.stored.remove(entry)

    async def restore_session(self, session_id: str) -> None:
        self.stored.append(self.deleted.pop(session_id))


@dataclass
class Stage:
    """The app under test and the runtime it opened."""

    app: HermesApp
    runtime: StageRuntime
    pilot: Pilot[int]

    @property
    def text(self) -> str:
        return screen_text(self.app)

    async def until(self, predicate: Callable[[], object], seconds: float = 30) -> None:
        """Let the screen work until `predicate` holds."""
        with anyio.fail_after(seconds):
            while not predicate():
                await anyio.sleep(0.01)

    async def settled(self, seconds: float = 0.6) -> str:
        """What is on the screen once it has stood still for `seconds`."""
        frame, since = self.text, monotonic()

        def is_still() -> bool:
            nonlocal frame, since
            if frame != self.text:
                frame, since = self.text, monotonic()
            return monotonic() - since >= seconds

        await self.until(is_still)
        return frame

    async def sees(self, text: str) -> None:
        """Wait until `text` stands on the screen."""
        try:
            await self.until(lambda: text in self.text)
        except TimeoutError:
            raise AssertionError(f"{text!r} is not on the screen:\n{self.text}") from None

    async def type(self, text: str) -> None:
        """Press a key for each character."""
        keys = [KEYS.get(character, character) for character in text]
        await self.pilot.press(*keys)

    async def say(self, text: str) -> None:
        """Put a prompt in and send it."""
        self.app.chat.prompt.put(text)
        await self.pilot.press("enter")


KEYS = {" ": "space", "/": "slash", ".": "full_stop", ",": "comma", "!": "exclamation_mark"}


@asynccontextmanager
async def on_stage(
    home: Path,
    *lines: Line,
    acts: dict[str, Act] | None = None,
    size: tuple[int, int] = (120, 40),
    prepare: Callable[[StageRuntime], None] = lambda _runtime: None,
    resume: str | None = None,
    prompt: str = "",
    pick_session: bool = False,
    gate: anyio.Event | None = None,
) -> AsyncGenerator[Stage, None]:
    """The app in a headless terminal, ready to type into unless `gate` holds the runtime back."""
    opened: list[StageRuntime] = []

    @asynccontextmanager
    async def open_runtime(human: Human) -> AsyncGenerator[Runtime, None]:
        if gate is not None:
            await gate.wait()
        opened[0].tools = StageTools(human, acts or {})
        yield opened[0]
        opened[0].is_closed = True

    app = HermesApp(
        open_runtime,
        resume=resume,
        prompt=prompt,
        pick_session=pick_session,
        clock=lambda: 0.0,
        now=lambda: NOON,
    )
    await anyio.Path(home).mkdir(parents=True, exist_ok=True)
    opened.append(StageRuntime(app.human, home, lines, acts or {}))
    prepare(opened[0])
    app.animation_level = "none"
    async with app.run_test(size=size) as pilot:
        app.chat.prompt.cursor_blink = False
        stage = Stage(app, opened[0], pilot)
        if gate is None:
            await stage.until(lambda: app.chat.runtime is not None)
            await stage.until(
                lambda: (
                    "idle" in stage.text
                    or app.chat.conversation.is_busy
                    or app.screen is not app.chat  # a picker lies over it
                )
            )
        yield stage
        if app.is_running:
            await app.action_quit()


def screen_text(app: App[int]) -> str:
    """What a person sees, as plain text."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)
