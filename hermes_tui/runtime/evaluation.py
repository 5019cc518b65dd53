"""Fresh places in which tasks are done with a skill or without it, away from the person's home."""

import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Never

import anyio
import anyio.to_thread
import msgspec
from msgspec.structs import replace

from hermes_tui.agent.approvals import Approvals, Nobody
from hermes_tui.agent.context_files import context_files
from hermes_tui.agent.prompt import PromptParts, system_prompt
from hermes_tui.agent.session import Session
from hermes_tui.config.paths import Paths
from hermes_tui.config.schema import Config
from hermes_tui.core.environment import CommandResult, Environment
from hermes_tui.core.errors import EnvironmentUnavailableError, HermesError, StoreError
from hermes_tui.core.events import ModelCallStarted, TurnFinished, UsageChanged
from hermes_tui.core.history import Compaction
from hermes_tui.core.messages import Message, ToolResult
from hermes_tui.core.ports import Model, Prefix
from hermes_tui.core.tasks import task_group
from hermes_tui.core.usage import Usage, estimated_tokens
from hermes_tui.learning.evaluation.evaluation import Arm, Stop, Work
from hermes_tui.learning.evaluation.tasks import Task, lay_out, seen
from hermes_tui.memory.files import MemoryFiles
from hermes_tui.runtime.emptying import remove_folder
from hermes_tui.runtime.environments import build_environment
from hermes_tui.runtime.prompts import room
from hermes_tui.skills.catalog import catalog
from hermes_tui.skills.library import Library, Root
from hermes_tui.skills.repository import SkillRepository
from hermes_tui.skills.skills import Skills
from hermes_tui.store.usage import UsageLedger
from hermes_tui.tools.conversation import todo_tool
from hermes_tui.tools.files import file_tools
from hermes_tui.tools.output import OutputShelf
from hermes_tui.tools.registry import Tool, ToolSet
from hermes_tui.tools.search import list_files_tool, search_files_tool
from hermes_tui.tools.skills import skill_tools
from hermes_tui.tools.terminal import process_tool, terminal_tool
from hermes_tui.tools.workplace import Workplace

MAX_SECONDS = 900
"""One run may take; what it did until then counts."""
COMMAND_SECONDS = 120
"""A command that checks the outcome may take."""
PLACE = "local"


class ScratchArena:
    """Makes places below the system's folder for temporary files; each is gone after its run.

    Every place has a home of its own: no memory, no history, no skill but the one that is
    measured. Commands run on this machine, unasked; what would change files outside the place
    through a tool is refused.

    Args:
        skills: The folder of the skill in each arm that has one.
        usage: Where model calls are accounted for; None for nowhere.
        own: The person's Hermes home, which stays out of reach of the tools that write files.
    """

    def __init__(
        self,
        config: Config,
        model: Model,
        *,
        skills: Mapping[Arm, Path],
        usage: UsageLedger | None,
        own: Path,
    ) -> None:
        self._config = replace(config, terminal=replace(config.terminal, cwd=None))
        self._model = model
        self._skills = skills
        self._usage = usage
        self._own = own

    @asynccontextmanager
    async def place(self, task: Task, arm: Arm) -> AsyncGenerator["ScratchPlace", None]:
        """A folder with the inputs of `task` in it.

        Raises:
            HermesError: it cannot be made, or an input cannot be read.
        """
        root = await anyio.to_thread.run_sync(self._prepared, task, arm)
        try:
            yield await anyio.to_thread.run_sync(self._at, root)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(remove_folder, root)

    async def prefix_tokens(self) -> int:
        """What every request begins with when the skill is there, estimated."""
        root = await anyio.to_thread.run_sync(
            self._prepared, Task("", "", "", (), ()), "with_skill"
        )
        try:
            prefix = await self._at(root).prefix()
        finally:
            await anyio.to_thread.run_sync(remove_folder, root)
        return estimated_tokens(prefix.system + msgspec.json.encode(prefix.tools).decode())

    def _at(self, root: Path) -> "ScratchPlace":
        return ScratchPlace(root, self._config, self._model, usage=self._usage, own=self._own)

    def _prepared(self, task: Task, arm: Arm) -> Path:
        try:
            root = Path(tempfile.mkdtemp(prefix="hermes-eval-")).resolve()
        except OSError as error:
            raise HermesError(f"There is no place to work in: {error.strerror}.") from error
        try:
            for name in ("work", "tmp", "home/skills", "home/run"):
                (root / name).mkdir(parents=True)
            lay_out(task, root / "work")
            if skill := self._skills.get(arm):
                shutil.copytree(skill, root / "home" / "skills" / skill.name)
        except OSError as error:
            remove_folder(root)
            raise HermesError(f"{root} cannot be filled: {error}.") from error
        except BaseException:
            remove_folder(root)
            raise
        return root


class ScratchPlace:
    """One folder, one session, and a shell of its own for each question asked afterwards."""

    def __init__(
        self, root: Path, config: Config, model: Model, *, usage: UsageLedger | None, own: Path
    ) -> None:
        self.folder = root / "work"
        self.inputs = seen(self.folder)
        self._root = root
        self._home = root / "home"
        self._config = config
        self._model = model
        self._usage = usage
        self._own = own

    async def work(self, prompt: str, *, max_tokens: int) -> Work:
        """Answer `prompt` in a fresh session; stops with `budget` beyond `max_tokens`.

        Raises:
            EnvironmentUnavailableError: commands cannot run here.
        """
        async with self._shell() as environment:
            tools = self._tools(environment)
            session = Session(
                id="evaluation",
                model=self._model,
                tools=tools,
                journal=_Unkept(self._usage),
                prefix=await self._prefix(environment, tools),
                max_steps=self._config.agent.max_steps,
            )
            return await _played(session, prompt, max_tokens=max_tokens)

    async def command(self, command: str) -> CommandResult:
        """Run a command in the folder, in a fresh shell.

        Raises:
            EnvironmentUnavailableError: commands cannot run here.
        """
        async with self._shell() as environment:
            return await environment.run(command, timeout=COMMAND_SECONDS)

    async def prefix(self) -> Prefix:
        """What a request begins with here."""
        environment = self._environment()
        return await self._prefix(environment, self._tools(environment))

    def _environment(self) -> Environment:
        paths = Paths(home=self._home, config_file=self._home / "config.yaml")
        return build_environment(PLACE, config=self._config, paths=paths, cwd=self.folder)

    @asynccontextmanager
    async def _shell(self) -> AsyncGenerator[Environment, None]:
        """A shell in the folder; nothing started in it goes on afterwards."""
        environment = self._environment()
        await environment.open()
        try:
            variables = {"HERMES_HOME": self._home, "TMPDIR": self._root / "tmp"}
            exported = " ".join(f"{name}={folder}" for name, folder in variables.items())
            await environment.run(f"export {exported}", timeout=COMMAND_SECONDS)
            yield environment
        finally:
            with anyio.CancelScope(shield=True):
                await environment.stop()
                await environment.close()

    def _library(self) -> Library:
        return Library([Root(self._home / "skills", "person")])

    def _tools(self, environment: Environment) -> ToolSet:
        """The same in every arm, so that only the skill differs."""
        workplace = Workplace(
            environment,
            home=str(Path.home()),
            open_other=_only_here,
            own=str(self._own.resolve()),
        )
        shelf = OutputShelf(
            self._home / "run" / "outputs",
            limit_chars=room(self._model, self._config.tools.output_limit_chars),
        )
        folder = self._home / "skills"
        skills = Skills(self._library(), lambda: SkillRepository(folder), folder=folder)
        tools: list[Tool[Any]] = [
            terminal_tool(
                workplace, shelf, timeout_seconds=int(self._config.terminal.timeout_seconds)
            ),
            process_tool(workplace),
            *file_tools(workplace, shelf),
            search_files_tool(workplace),
            list_files_tool(workplace),
            todo_tool(),
            *(
                tool
                for tool in skill_tools(skills, workplace, session_id="")
                if tool.name == "skill_load"
            ),
        ]
        disabled = self._config.tools.disabled
        return ToolSet(
            [tool for tool in tools if tool.name not in disabled],
            gate=Approvals(Nobody(), mode=lambda: "full-auto"),
            shelf=shelf,
        )

    async def _prefix(self, environment: Environment, tools: ToolSet) -> Prefix:
        memory = MemoryFiles(self._home / "memory")

        def build() -> str:
            return system_prompt(
                PromptParts(
                    soul="",
                    manner="",
                    preferences={},
                    user=memory.for_prompt("user"),
                    memory=memory.for_prompt("memory"),
                    skills=catalog(self._library().load().skills),
                    context=context_files(self.folder),
                    environment=environment.name,
                    cwd=str(self.folder),
                    today=datetime.now().astimezone().date(),
                )
            )

        return Prefix(await anyio.to_thread.run_sync(build), tools.specs)


async def _played(session: Session, prompt: str, *, max_tokens: int) -> Work:
    model_calls = 0
    halted: Stop | None = None
    finish = TurnFinished("cancelled")
    started = time.monotonic()
    async with session.turn(prompt) as turn, task_group() as tasks:

        async def limit() -> None:
            nonlocal halted
            await anyio.sleep(MAX_SECONDS)
            halted = halted or "timeout"
            turn.cancel()

        tasks.start_soon(limit)
        async for event in turn:
            match event:
                case ModelCallStarted():
                    model_calls += 1
                case UsageChanged(session=used):
                    if used.input_tokens + used.output_tokens > max_tokens:
                        halted = "budget"
                        turn.cancel()
                case TurnFinished():
                    finish = event
                case _:
                    pass
        tasks.cancel_scope.cancel()
    return Work(
        messages=tuple(session.history),
        usage=session.usage,
        seconds=time.monotonic() - started,
        model_calls=model_calls,
        stop=finish.stop if finish.stop == "done" else halted or finish.stop,
        error=finish.error or "",
        hint=finish.hint,
        exit_code=finish.exit_code,
    )


class _Unkept:
    """A journal that forgets what was said and accounts for what it took."""

    def __init__(self, usage: UsageLedger | None) -> None:
        self._usage = usage

    async def append(self, message: Message) -> None:
        del message

    async def record_result(self, result: ToolResult, seconds: float) -> None:
        del result, seconds

    async def record_usage(self, usage: Usage, model: str) -> None:
        if self._usage is not None:
            with suppress(StoreError):  # the figures of the evaluation do not come from there
                await self._usage.record("", usage, model)

    async def record_compaction(self, compaction: Compaction) -> None:
        del compaction


async def _only_here(name: str) -> Never:
    raise EnvironmentUnavailableError(
        f"{name!r} is out of reach while a skill is measured.", hint="Work here."
    )
