"""Commands in a sandbox at Daytona: found by name, started when it sleeps, stopped when idle."""

import asyncio
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import anyio

from hermes_environments.base import FRIENDLY
from hermes_environments.channel import Capabilities, Channel, with_variables
from hermes_environments.cloud import daytona_account
from hermes_environments.cloud.daytona_account import DaytonaOptions, check, explained, load_sdk
from hermes_environments.cloud.daytona_channel import TerminalChannel
from hermes_environments.cloud.sandbox import CloudEnvironment
from hermes_environments.options import passed, read_options
from hermes_tui.core.environment import Attendant, Job
from hermes_tui.core.errors import EnvironmentUnavailableError

STARTED = "started"
LIMITS = frozenset({"cpus", "memory", "disk", "network"})
SLEEPING = frozenset({"stopped", "archived", "paused", "stopping", "archiving", "pausing"})
GONE = frozenset({"destroyed", "destroying", "error", "build_failed"})
STOP_SECONDS = 15
ASK_SECONDS = 10
PULSES = 3
"""How often a sandbox with a running job is told so, per idle time."""


class DaytonaEnvironment(CloudEnvironment):
    """Commands in a sandbox Daytona stops after `idle_minutes`."""

    capabilities = Capabilities(prewarm=False, durable=True, hibernate=True, limits=LIMITS)

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
        """`options` are those of `DaytonaOptions`; `cwd` is a folder of this machine."""
        del cwd
        self._options = read_options(DaytonaOptions, options, environment=name)
        check(self._options, name=name)
        super().__init__(
            name,
            workdir=self._options.workdir,
            state_dir=state_dir,
            variables={**FRIENDLY, **passed(pass_env), **self._options.env},
            attendant=attendant,
        )
        self._sdk: Any = None
        self._client: Any = None
        self._pulses: set[asyncio.Task[None]] = set()

    async def channel(self, argv: Sequence[str], *, env: Mapping[str, str]) -> Channel:
        command = with_variables(argv, env)
        channel = TerminalChannel(self._sdk, self._sandbox)
        try:
            await channel.begin(command)
        except self._sdk.DaytonaError as error:
            with explained(self._sdk, "run a command"):
                if await self._is_awake(self._sandbox):
                    raise error from None
                await self._revive(self._sandbox)
                channel = TerminalChannel(self._sdk, self._sandbox)
                await channel.begin(command)
        return channel

    async def _ask(self, argv: Sequence[str], *, until: re.Pattern[bytes] | None = None) -> bytes:
        with explained(self._sdk, "run a command"):
            done = await self._sandbox.process.exec(shlex.join(argv), timeout=ASK_SECONDS)
        return str(done.result).encode()

    async def start(self, command: str) -> Job:
        job = await super().start(command)
        self._pulses.add(pulse := asyncio.create_task(self._keep_awake(job)))
        pulse.add_done_callback(self._pulses.discard)
        return job

    async def health(self) -> str:
        state = await daytona_account.state(self._options, self._key, environment=self.name)
        known = {"": "not created yet", STARTED: "running"}
        return known.get(state, "asleep" if state in SLEEPING else state)

    async def _keep_awake(self, job: Job) -> None:
        """Daytona does not count a process as activity; asking for it is some."""
        end = anyio.current_time() + self._options.job_seconds
        pause = self._options.idle_minutes * daytona_account.MINUTE / PULSES
        while anyio.current_time() < end:
            await anyio.sleep(pause)
            try:
                if not (await job.status()).is_running:
                    return
            except EnvironmentUnavailableError:
                return

    async def _connect(self) -> bool:
        if self._client is not None:
            return False
        self._sdk = await load_sdk()
        # Without one the SDK would take what an `.env` in the current folder says.
        key = self._options.key(environment=self.name)
        with explained(self._sdk, "be used"):
            config = self._sdk.DaytonaConfig(api_key=key, api_url=self._options.api_url or None)
            self._client = self._sdk.AsyncDaytona(config)
        return True

    async def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _let_go(self) -> None:
        for pulse in self._pulses:
            pulse.cancel()
        await super()._let_go()

    async def _find(self) -> Any:
        """The sandbox, in whatever state; None when there is none."""
        within = daytona_account.ANSWER_SECONDS
        with explained(self._sdk, "look for the sandbox", within=within):
            try:
                return await self._client.get(self._key)
            except self._sdk.DaytonaNotFoundError:
                return None

    async def _is_awake(self, sandbox: Any) -> bool:
        within = daytona_account.ANSWER_SECONDS
        with explained(self._sdk, "look for the sandbox", within=within):
            try:
                await sandbox.refresh_data()
            except self._sdk.DaytonaNotFoundError:
                return False
        return sandbox.state.value == STARTED

    async def _attach(self) -> None:
        sandbox = await self._find()
        if sandbox is not None and (state := str(sandbox.state.value)) in GONE:
            await self._clear_away(sandbox, state)
            sandbox = None
        with explained(self._sdk, "start a sandbox"):
            if sandbox is None:
                sandbox = await self._create()
            elif str(sandbox.state.value) != STARTED:
                await self._wake(sandbox)
            self._sandbox = sandbox
            making = await sandbox.process.exec(f"mkdir -p {shlex.quote(self._options.workdir)}")
        if making.exit_code:
            raise EnvironmentUnavailableError(
                f"The folder {self._options.workdir!r} cannot be made in {self.name}.",
                hint="Choose another `workdir`.",
            )

    async def _create(self) -> Any:
        await self._attendant.progress(f"starting a Daytona sandbox for {self.name}")
        wanted = self._options.creation(self._sdk, self._key)
        try:
            return await self._client.create(wanted, timeout=daytona_account.START_SECONDS)
        except self._sdk.DaytonaConflictError:
            # Another Hermes was a moment faster.
            sandbox = await self._client.get(self._key)
            await sandbox.wait_for_sandbox_start(daytona_account.START_SECONDS)
            return sandbox

    async def _wake(self, sandbox: Any) -> None:
        await self._attendant.progress(f"waking the sandbox of {self.name}")
        if str(sandbox.state.value) in {"starting", "creating", "restoring", "resuming"}:
            await sandbox.wait_for_sandbox_start(daytona_account.START_SECONDS)
            return
        if str(sandbox.state.value) == "stopping":
            await sandbox.wait_for_sandbox_stop(STOP_SECONDS)
        await sandbox.start(daytona_account.START_SECONDS)

    async def _clear_away(self, sandbox: Any, state: str) -> None:
        """Make room for another of the same name, and say so."""
        self.tell(
            f"The sandbox of {self.name} was in state {state!r} and was created anew; what was"
            " installed or written is lost."
        )
        if state in {"error", "build_failed"}:
            with explained(self._sdk, "delete the broken sandbox"):
                await self._client.delete(sandbox, wait=True)

    async def _revive(self, stopped: Any) -> None:
        async with self._waking:
            if self._sandbox is not stopped or await self._is_awake(stopped):
                return
            was_lost = await self._find() is None
            await self._attach()
            if was_lost:
                self.tell(
                    f"The sandbox of {self.name} was gone and was created anew; what was installed"
                    " or written is lost."
                )
            else:
                self.tell(
                    f"The sandbox of {self.name} had been put to sleep and is awake again; what"
                    " ran in it has ended."
                )

    async def _put_to_sleep(self, sandbox: Any) -> None:
        if not await self._is_awake(sandbox):
            return
        with explained(self._sdk, "put the sandbox to sleep"):
            try:
                await sandbox.stop(STOP_SECONDS)
            except self._sdk.DaytonaTimeoutError:
                return  # it has been asked to

    async def _delete(self, sandbox: Any) -> None:
        with explained(self._sdk, "delete the sandbox"):
            await self._client.delete(sandbox, wait=True)
