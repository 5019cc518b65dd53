"""Tools at work in the real local environment."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from hermes_tui.agent.approvals import Nobody
from hermes_tui.config.paths import Paths
from hermes_tui.config.schema import Config, SkillsConfig
from hermes_tui.core.environment import Environment, Spot
from hermes_tui.core.errors import RefusedError
from hermes_tui.core.events import Event
from hermes_tui.core.messages import ToolCall, ToolResult
from hermes_tui.core.ports import Emit
from hermes_tui.memory.files import MemoryFiles
from hermes_tui.memory.memory import Memory
from hermes_tui.runtime.environments import build_environment
from hermes_tui.runtime.skills import open_skills
from hermes_tui.runtime.toolbox import toolbox
from hermes_tui.safety.risk import Assessment
from hermes_tui.skills.skills import Skills
from hermes_tui.store.skill_uses import Uses
from hermes_tui.store.store import Store
from hermes_tui.tools.output import OutputShelf
from hermes_tui.tools.registry import ToolSet
from hermes_tui.tools.workplace import Workplace


class Room:
    """A folder to work in and the tools to do it with."""

    def __init__(self, folder: Path, tools: ToolSet, memory: Memory) -> None:
        self.folder = folder
        self.memory = memory
        self.tools = tools
        self.events: list[Event] = []
        self.skills: Skills
        self.workplace: Workplace
        self.uses: Uses
        self.judged: list[Assessment] = []
        self.opened: list[Environment] = []

    async def go_to(self, folder: Path) -> None:
        """Run commands in another place, whose home is `folder`."""
        place = {"backend": "local", "workdir": str(folder)}
        config = Config(environments={"box": place})
        paths = Paths(home=folder / "home", config_file=folder / "config.yaml")
        self.workplace.environment = build_environment(
            "box", config=config, paths=paths, cwd=folder
        )
        self.opened.append(self.workplace.environment)
        await self.workplace.environment.open()
        await self.workplace.environment.run(f"export XDG_CACHE_HOME={folder}/cache", timeout=9)

    async def call(self, name: str, /, **arguments: object) -> ToolResult:
        async def emit(event: Event) -> None:
            self.events.append(event)

        raw = msgspec.json.encode(arguments).decode()
        return await self.tools.run(ToolCall("c1", name, raw), emit)


class Talkative(Nobody):
    async def ask(self, question: str, choices: Sequence[str] = ()) -> str:
        return f"you asked {question}"


@pytest.fixture
async def room(tmp_path: Path) -> AsyncGenerator[Room, None]:
    folder = tmp_path / "work"
    folder.mkdir()
    paths = Paths(home=tmp_path / "home", config_file=tmp_path / "home" / "config.yaml")
    environment = build_environment("local", config=Config(), paths=paths, cwd=folder)
    await environment.open()
    shelf = OutputShelf(tmp_path / "outputs", limit_chars=4_000)
    judged: list[Assessment] = []

    async def gate(
        call: ToolCall, action: str, assessment: Assessment, spot: Spot, emit: Emit
    ) -> None:
        judged.append(assessment)
        if "forbidden" in action:
            raise RefusedError("The test says no.")

    async def other(name: str) -> Environment:
        elsewhere = tmp_path / name
        elsewhere.mkdir(exist_ok=True)
        made = build_environment("local", config=Config(), paths=paths, cwd=elsewhere)
        opened.append(made)
        return made

    opened: list[Environment] = [environment]
    async with Store.open(tmp_path / "hermes.db") as store:
        memory = Memory(MemoryFiles(tmp_path / "memory"), store.memory_items)
        skills = open_skills(paths, Config(skills=SkillsConfig(folders=[])), store=store)
        workplace = Workplace(environment, home=str(tmp_path), open_other=other)
        tools = toolbox(
            workplace=workplace,
            shelf=shelf,
            search=store.search,
            memory=memory,
            skills=skills,
            human=Talkative(),
            timeout_seconds=20,
        )
        made = Room(folder, ToolSet(tools, gate=gate, shelf=shelf), memory)
        made.skills = skills
        made.workplace = workplace
        made.uses = store.skill_uses
        made.judged = judged
        made.opened = opened
        yield made
        skills.close()
    for made in opened:
        await made.close()


Call = Callable[..., Awaitable[ToolResult]]
