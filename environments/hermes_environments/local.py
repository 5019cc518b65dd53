"""This machine: commands run as children of Hermes, with the person's own rights."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import anyio
from msgspec import Struct

from hermes_environments import local_files, processes
from hermes_environments.base import FRIENDLY, BaseEnvironment
from hermes_environments.channel import Channel
from hermes_environments.child import Children
from hermes_environments.options import read_options
from hermes_environments.worker import EXEC_ID, quote
from hermes_tui.core.environment import Attendant
from hermes_tui.core.errors import ConfigError, EnvironmentUnavailableError
from hermes_tui.core.spawn import child_environment

GRACE_SECONDS = 0.5
"""Between TERM and KILL."""
PATIENCE_SECONDS = 3.5
"""For KILL to take effect."""


class LocalOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a place on this machine may set."""

    workdir: str = ""
    """Where commands start; `~` is the person's home."""


class LocalEnvironment(BaseEnvironment):
    """Commands on this machine, each in a session of its own."""

    def __init__(
        self,
        name: str,
        *,
        cwd: str | None,
        pass_env: Sequence[str],
        state_dir: str,
        options: Mapping[str, object],
        attendant: Attendant | None = None,
    ) -> None:
        """`cwd` defaults to Hermes's own; a place's `workdir` goes before it."""
        del attendant  # nothing here takes long or has to be asked
        if "target" in options:
            raise ConfigError(
                f"{name!r} names no environment: this machine is `local`, without a target.",
                hint="Leave out what follows the colon, or give a folder with --cwd.",
            )
        cwd = read_options(LocalOptions, options, environment=name).workdir or cwd
        where = Path(cwd).expanduser().absolute() if cwd else Path.cwd()
        super().__init__(name, cwd=str(where), state_dir=state_dir)
        self._variables = child_environment(os.environ, pass_env=pass_env) | FRIENDLY
        self._children = Children()
        self._programs: dict[str, str] = {}
        self._jobs_folder = quote(os.fsencode(self._folder.absolute() / "jobs"))

    async def _open(self) -> None:
        self._program("bash")
        if not await anyio.Path(self._first_cwd).is_dir():
            raise EnvironmentUnavailableError(
                f"There is no folder {self._first_cwd!r} to work in.",
                hint="Create it, or choose another with --cwd.",
            )

    async def _close(self) -> None:
        await self._children.let_go()

    async def health(self) -> str:
        return "this machine"

    async def channel(self, argv: Sequence[str], *, env: Mapping[str, str]) -> Channel:
        program = self._program(argv[0])
        child = self._children.start([program, *argv[1:]], env={**self._variables, **env})
        if EXEC_ID in env:
            processes.mark(child.pid, env[EXEC_ID])
        return child

    async def sweep(self, exec_id: str) -> int:
        return await anyio.to_thread.run_sync(
            lambda: processes.sweep(exec_id, grace=GRACE_SECONDS, patience=PATIENCE_SECONDS)
        )

    async def read_file(self, path: str, *, offset: int = 0, limit: int | None = None) -> bytes:
        return await anyio.to_thread.run_sync(local_files.read, self._expanded(path), offset, limit)

    async def write_file(self, path: str, data: bytes) -> None:
        await anyio.to_thread.run_sync(local_files.write, self._expanded(path), data)

    def _expanded(self, path: str) -> Path:
        return Path(self._absolute(path)).expanduser()

    def _program(self, name: str) -> str:
        if name not in self._programs:
            found = shutil.which(name, path=self._variables.get("PATH", os.defpath))
            if found is None:
                raise EnvironmentUnavailableError(
                    f"{name} is not on the PATH, and commands run in it.",
                    hint=f"Install {name}, or choose another environment.",
                )
            self._programs[name] = found
        return self._programs[name]
