"""The environments that are open in this process: each once, all closed at the end."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Self

import anyio
from msgspec import Struct

from hermes_tui.config.paths import Paths
from hermes_tui.config.schema import Config
from hermes_tui.core.environment import Environment
from hermes_tui.core.errors import ConfigError, HermesError, RefusedError
from hermes_tui.core.ports import Human
from hermes_tui.runtime.environments import build_environment, environment_choices, kind_of

LOG = logging.getLogger(__name__)
HEALTH_SECONDS = 3.0
"""How long a place may take to say how it is."""


class EnvironmentChoice(Struct, frozen=True):
    """A place commands can run in."""

    name: str
    kind: str
    health: str
    """How it is, in a few words, or why it cannot serve."""
    is_usable: bool
    is_current: bool


class HumanAttendant:
    """Passes an environment's questions and progress on to the person."""

    def __init__(self, human: Human) -> None:
        self._human = human

    async def progress(self, text: str) -> None:
        await self._human.tell(text)

    async def confirm(self, question: str) -> bool:
        try:
            return await self._human.ask(question, ["no", "yes"]) == "yes"
        except RefusedError:
            return False

    async def secret(self, question: str) -> str:
        return await self._human.secret(question)


class Places:
    """Opens environments by name. Made by `Places.opened`."""

    def __init__(self, *, config: Config, paths: Paths, cwd: Path, human: Human) -> None:
        self._config = config
        self._paths = paths
        self._cwd = cwd
        self._attendant = HumanAttendant(human)
        self._open: dict[str, Environment] = {}
        self._locks: dict[str, anyio.Lock] = {}

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, *, config: Config, paths: Paths, cwd: Path, human: Human
    ) -> AsyncGenerator[Self, None]:
        """`cwd` is where commands start in an environment that is this machine."""
        places = cls(config=config, paths=paths, cwd=cwd, human=human)
        try:
            yield places
        finally:
            with anyio.CancelScope(shield=True):
                await places.close()

    async def open(self, name: str) -> Environment:
        """The environment called `name`, opened if it was not.

        Raises:
            ConfigError: there is none of that name, or its settings are wrong.
            EnvironmentUnavailableError: it cannot serve; the next call tries again.
        """
        async with self._locks.setdefault(name, anyio.Lock()):
            if name not in self._open:
                environment = self.unopened(name)
                await environment.open()
                self._open[name] = environment
            return self._open[name]

    def unopened(self, name: str) -> Environment:
        """The environment called `name` without opening it, or the open one.

        Raises:
            ConfigError: there is none of that name, or its settings are wrong.
        """
        return self._open.get(name) or build_environment(
            name,
            config=self._config,
            paths=self._paths,
            cwd=self._cwd,
            attendant=self._attendant,
        )

    async def choices(self, *, current: str) -> list[EnvironmentChoice]:
        """Every place there is, with how it is; nothing is created or woken."""
        found: dict[str, EnvironmentChoice] = {}
        names = environment_choices(self._config)

        async def look(name: str) -> None:
            kind, health, is_usable = "?", "does not answer", False
            try:
                with anyio.move_on_after(HEALTH_SECONDS):
                    health, is_usable = await self.unopened(name).health(), True
            except HermesError as error:
                health = str(error)
            with suppress(ConfigError):  # that is what its health says
                kind = kind_of(name, self._config)
            found[name] = EnvironmentChoice(name, kind, health, is_usable, name == current)

        async with anyio.create_task_group() as tasks:
            for name in names:
                tasks.start_soon(look, name)
        return [found[name] for name in names]

    async def close(self) -> None:
        """Close all, side by side; one that fails to does not keep the others."""

        async def one(environment: Environment) -> None:
            try:
                await environment.close()
            except Exception:
                LOG.exception("%s could not be closed", environment.name)

        async with anyio.create_task_group() as tasks:
            for environment in self._open.values():
                tasks.start_soon(one, environment)
        self._open.clear()
