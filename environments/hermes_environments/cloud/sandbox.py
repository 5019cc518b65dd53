"""What sandboxes that are paid for have in common: shared by name, asleep when nobody uses them."""

import os
import shutil
from abc import abstractmethod
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio

from hermes_environments import jobs, owners
from hermes_environments.base import BaseEnvironment
from hermes_environments.capture import make_private
from hermes_environments.file_lock import FileLock
from hermes_tui.core.environment import Attendant, CommandResult, NoAttendant
from hermes_tui.core.errors import EnvironmentUnavailableError

KILLED = 137
LEAVE_SECONDS = 5.0
"""For connections to be closed, also when nobody waits any more."""


class CloudEnvironment(BaseEnvironment):
    """A sandbox every Hermes with the same folder and name shares.

    Nothing of ours stays connected to it between commands, so its platform puts it to sleep
    when nothing was asked of it for a while; the next command wakes it with its files. The last
    Hermes to leave does so at once.
    """

    start_seconds = 300.0
    close_seconds = 90.0

    def __init__(
        self,
        name: str,
        *,
        workdir: str,
        state_dir: str,
        variables: Mapping[str, str],
        attendant: Attendant | None,
    ) -> None:
        super().__init__(name, cwd=workdir, state_dir=state_dir, variables=variables)
        self._attendant = attendant or NoAttendant()
        folder = Path(state_dir).absolute()
        self._key = owners.place_name(name, os.uname().nodename, str(folder))
        self._home = folder / "cloud" / self._key
        self._users = FileLock(self._home / "users")
        """Held shared while open: the last one puts the sandbox to sleep."""
        self._sandbox: Any = None
        self._waking = anyio.Lock()

    @abstractmethod
    async def _connect(self) -> bool:
        """See that there is a client; whether there was none."""

    @abstractmethod
    async def _disconnect(self) -> None:
        """Let go of the client."""

    @abstractmethod
    async def _find(self) -> Any:
        """The sandbox, or None."""

    @abstractmethod
    async def _is_awake(self, sandbox: Any) -> bool: ...

    @abstractmethod
    async def _attach(self) -> None:
        """Find, wake or create `_sandbox`; nobody else does so at the same time."""

    @abstractmethod
    async def _put_to_sleep(self, sandbox: Any) -> None:
        """Keep the files and stop paying; on failure the platform does the same a little later."""

    @abstractmethod
    async def _delete(self, sandbox: Any) -> None: ...

    async def _detach(self, sandbox: Any) -> None:
        """Let go of what the SDK keeps for a sandbox."""

    async def stop(self) -> bool:
        await self.close()
        async with self._connected():
            if (sandbox := await self._find()) is not None:
                await self._put_to_sleep(sandbox)
        return sandbox is not None

    async def destroy(self) -> bool:
        await self.close()
        async with self._connected():
            if (sandbox := await self._find()) is not None:
                await self._delete(sandbox)
            await anyio.to_thread.run_sync(shutil.rmtree, self._home, True)
        return sandbox is not None

    async def _open(self) -> None:
        await self._connect()
        await anyio.to_thread.run_sync(make_private, self._home)
        async with FileLock(self._home / "starting").alone():
            await self._attach()
            self._users.try_shared()
        await self.find_shell()

    async def _close(self) -> None:
        if not self._is_open:  # its platform puts it to sleep
            await self._let_go()
            return
        starting = FileLock(self._home / "starting")
        try:
            # Who holds it longer than that is about to use the sandbox.
            is_last = await starting.try_alone_for(LEAVE_SECONDS) and self._users.try_alone()
            if is_last and not await self._is_busy():
                await self._attendant.progress(f"putting {self.name} to sleep")
                await self._put_to_sleep(self._sandbox)
        finally:
            starting.release()
            await self._let_go()

    async def _remark(self, result: CommandResult) -> str:
        with suppress(EnvironmentUnavailableError):  # then nobody can tell
            if result.exit_code in {None, KILLED} and not await self._is_awake(self._sandbox):
                return f"The sandbox of {self.name} was stopped while the command ran."
        return ""

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[None, None]:
        was_unconnected = await self._connect()
        try:
            yield
        finally:
            if was_unconnected:
                await self._leave()

    async def _is_busy(self) -> bool:
        """Whether a background job runs; what sleeps already is not woken for that."""
        return await self._is_awake(self._sandbox) and await jobs.any_runs(self)

    async def _let_go(self) -> None:
        self._users.release()
        await self._leave()

    async def _leave(self) -> None:
        sandbox, self._sandbox = self._sandbox, None
        with anyio.move_on_after(LEAVE_SECONDS, shield=True):
            if sandbox is not None:
                await self._detach(sandbox)
            await self._disconnect()


def reason(error: Exception) -> str:
    """The first line of what an SDK says, to be continued in a sentence."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].rstrip(".")
