"""Docker containers: each environment has one, made when needed and found again by name."""

import asyncio
import os
import re
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import anyio
import anyio.from_thread
import msgspec

from hermes_environments import owners
from hermes_environments.base import FRIENDLY, BaseEnvironment
from hermes_environments.capture import make_private
from hermes_environments.channel import Capabilities, Channel, read_all
from hermes_environments.docker import spec as docker_spec
from hermes_environments.docker.channel import DockerChannel, watched
from hermes_environments.docker.daemon import (
    HOME,
    KEEP,
    KEY,
    LABEL,
    NAME,
    OWNER,
    SPEC,
    Container,
    ContainerDownError,
    Daemon,
    Started,
)
from hermes_environments.options import passed
from hermes_environments.threads import in_thread
from hermes_environments.worker import EXEC_ID
from hermes_tui.core.environment import Attendant, CommandResult, Ended, NoAttendant
from hermes_tui.core.errors import EnvironmentUnavailableError

EXIT_SECONDS = 0.5
"""For workers without work to end, before their container is taken for in use."""
HEALTH_SECONDS = 2.5
"""For the daemon to say how it is, before it is said to be stuck."""
KILLED = 137
SETTLE_SECONDS = 1.0
"""For the daemon to know that a container ended, after a process in it did."""
RUNNING = {"running", "paused", "restarting"}
NOT_STARTED = {1, 2, 126, 254}
"""What shells and runtimes that cannot fork end with."""

# Prints which folders are missing; HOME when that of the user is none to write to. To root,
# busybox calls everything writable, so a file is written.
_MISSING = """[ -d "$1" ] || echo "$1"
t=$HOME/.hermes-$$
[ "${HOME:-/}" != / ] && ( : >"$t" ) 2>/dev/null && rm -f "$t" || echo HOME"""
# Where control groups of version 2 and 1 count what was refused for the limit on processes.
_PIDS_EVENTS = "cd /sys/fs/cgroup && cat pids.events pids/pids.events 2>/dev/null | head -n 1"
_NO_PROCESS = re.compile(rb"[Cc]an(?:not|'t) (?:fork|start new thread)|fork: |EAGAIN"
                         rb"|[Rr]esource temporarily unavailable")  # fmt: skip
# By root, who may not be the one that runs the commands.
_MAKE = 'umask 0; for d; do mkdir -p "$d" && chmod 1777 "$d"; done'


class DockerEnvironment(BaseEnvironment):
    """Commands in a container that is shut in as far as work allows."""

    capabilities = Capabilities(limits=frozenset({"cpus", "memory", "pids", "network"}))

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
        """`options` as in `docker_spec.DockerOptions`; `cwd`, a folder of this machine, is unused.

        Raises:
            ConfigError: an option is unknown, wrong or refused.
        """
        del cwd
        self._options = docker_spec.read(options, environment=name)
        variables = passed(pass_env) | {key: str(value) for key, value in self._options.env.items()}
        super().__init__(
            name,
            cwd=self._options.workdir,
            state_dir=state_dir,
            variables=FRIENDLY | variables,
        )
        self._attendant = attendant or NoAttendant()
        self._daemon = Daemon(self._options.host)
        self._container: Container | None = None
        self._coming: Container | None = None
        """One that is up but not ready to work in yet."""
        self._home = variables.get("HOME", "")
        """Where it is not the one of the user inside; our own scripts need it too."""
        self._times_full = 0
        self._recovering = anyio.Lock()
        # What is refused needs no daemon to be; it is checked again with what the daemon knows.
        hosts = (self._options.host, os.environ.get("DOCKER_HOST", ""))
        sockets = (host.removeprefix("unix://") for host in hosts if host.startswith("unix://"))
        self._config(docker_spec.Machine(sockets=tuple(sockets)))

    @property
    def container_name(self) -> str:
        """The same for every Hermes with this home and these mounts, unless it is not kept."""
        whose = [owners.this_machine(), str(self._folder.absolute())]
        if not self._options.keep:
            whose += [owners.this_process(), str(id(self))]
        return owners.place_name(self.name, *whose, *self._options.mounts)

    @property
    def _home_mark(self) -> str:
        """Tells containers of this home on this machine from those of others."""
        return owners.place_name("home", owners.this_machine(), str(self._folder.absolute()))

    async def channel(self, argv: Sequence[str], *, env: Mapping[str, str]) -> Channel:
        container = self._container or await self._recover(None)
        try:
            return await self._execute(container, argv, env=env)
        except ContainerDownError:
            container = await self._recover(container)
            return await self._execute(container, argv, env=env)

    async def health(self) -> str:
        with anyio.move_on_after(HEALTH_SECONDS):
            return await self._state_told()
        raise EnvironmentUnavailableError(
            f"The Docker daemon did not answer within {HEALTH_SECONDS:g} s.",
            hint="Restart it, e.g. with `sudo systemctl restart docker`.",
        )

    async def _state_told(self) -> str:
        await in_thread(self._daemon.connect)
        if found := await in_thread(self._daemon.find, self.container_name):
            return f"{found.status}, {found.image}"
        image = self._options.image
        if await in_thread(self._daemon.has_image, image):
            return f"ready, {image}"
        return f"ready, pulls {image} at first"

    async def stop(self) -> bool:
        await self.close()
        found = await in_thread(self._daemon.find, self.container_name)
        if found is None or found.status not in RUNNING:
            return False
        await in_thread(self._daemon.stop, found.id)
        return True

    async def destroy(self) -> bool:
        await self.close()
        await in_thread(self._daemon.reap, self.container_name)
        if found := await in_thread(self._daemon.find, self.container_name):
            await in_thread(self._daemon.remove, found.id)
        await anyio.Path(self._trace).unlink(missing_ok=True)
        return found is not None

    async def count_all(self) -> int:
        """How many containers have this name, whatever their mounts are."""
        return len(await in_thread(self._daemon.left_of, self.name, self._home_mark))

    async def destroy_all(self) -> int:
        """Remove every container of this name, whatever its mounts are; how many that were."""
        await self.close()
        found = await in_thread(self._daemon.left_of, self.name, self._home_mark)
        for container_id in found:
            await in_thread(self._daemon.remove, container_id)
        return len(found)

    async def _open(self) -> None:
        machine = await in_thread(self._daemon.connect)
        self.capabilities = msgspec.structs.replace(
            self.capabilities, durable=not machine.is_local, limits=machine.limits
        )
        await in_thread(self._daemon.reap, self.container_name)
        await self._bring_up()
        await self.find_shell()

    async def _close(self) -> None:
        container = self._container or self._coming
        self._container = self._coming = None
        if container is None:
            return
        with suppress(EnvironmentUnavailableError):  # then there is nothing to release
            if not self._options.keep:
                await in_thread(self._daemon.remove, container.id)
            elif await self._becomes_idle(container):
                await in_thread(self._daemon.stop, container.id)

    async def _becomes_idle(self, container: Container) -> bool:
        with anyio.move_on_after(EXIT_SECONDS):
            while not await in_thread(self._daemon.is_idle, container.id):  # noqa: ASYNC110
                await anyio.sleep(0.02)  # the daemon tells nobody
            return True
        return False

    async def _remark(self, result: CommandResult) -> str:
        if self._container is None:
            return ""
        output = result.output
        if _NO_PROCESS.search(output.head + output.tail) and await self._is_full(self._container):
            return (
                f"No more processes could be started: the container may have"
                f" {self._options.pids} at once. Raise `pids` for more."
            )
        if result.ended is Ended.TIMEOUT:
            return ""
        was_killed = result.exit_code in {None, KILLED}
        if was_killed or self._options.memory:
            oom = partial(
                self._daemon.ran_out_of_memory, self._container.id, seconds=result.seconds
            )
            if await in_thread(oom):
                most = self._options.memory or "what there is"
                return (
                    f"Out of memory: the container may use {most}, and something was killed."
                    " Raise `memory` for more."
                )
        if was_killed:
            with suppress(EnvironmentUnavailableError):
                found = await in_thread(self._daemon.find, self._container.id)
                if found is None or found.status != "running":
                    is_gone = found is None or found.status in {"removing", "dead"}
                    how = "removed" if is_gone else "stopped"
                    return f"The container was {how} while the command ran."
        return ""

    async def _is_full(self, container: Container) -> bool:
        """Whether the limit on processes was reached since this was asked last."""
        with suppress(EnvironmentUnavailableError):
            told = await self._told(container, ["sh", "-c", _PIDS_EVENTS])
            before = self._times_full
            self._times_full = int(told.strip().rpartition(" ")[2] or 0)
            return self._times_full > before
        return False

    def _not_begun(self, exit_code: int) -> EnvironmentUnavailableError:
        if exit_code in NOT_STARTED:
            return EnvironmentUnavailableError(
                "No more processes can be started in the container.",
                hint="Stop it with `hermes env stop`, or allow more with `pids`.",
            )
        return super()._not_begun(exit_code)

    async def _recover(self, seen: Container | None) -> Container:
        """The container, up again, unless another command saw to that meanwhile."""
        async with self._recovering:
            if self._container is None or self._container is seen:
                return await self._bring_up()
            return self._container

    async def _bring_up(self) -> Container:
        """Find, wake or make the container; what was lost is told with the next result."""
        was_up = self._container is not None
        had_one = await anyio.Path(self._trace).exists()
        machine = await in_thread(self._daemon.connect)
        config = self._config(machine)
        spec = docker_spec.spec_id(config)
        found = await in_thread(self._daemon.find, self.container_name)
        if found is not None and found.labels.get(SPEC) != spec:
            await self._discard(found)
            found = None
        if found is None:
            container = await self._make(config, spec, is_first=not (was_up or had_one))
        else:
            container = await in_thread(self._daemon.start, found, undo=self._daemon.retire)
            if was_up and found.status != "running":
                self.tell("The container had been stopped; what ran in it has ended.")
        self._coming = container
        try:
            await self._furnish(container)
        except ContainerDownError as error:
            if found is None:
                raise await self._short_lived(container) from error
            # Another Hermes may have stopped it as it left.
            await self._furnish(await in_thread(self._daemon.start, found))
        self._container, self._coming = container, None
        return container

    async def _short_lived(self, container: Container) -> EnvironmentUnavailableError:
        words = await in_thread(self._daemon.last_words, container.id)
        await in_thread(self._daemon.remove, container.id)
        return EnvironmentUnavailableError(
            f"The container ended as soon as it was started: {words or 'it said nothing'}.",
            hint="Choose an image that has `sleep` and `sh`.",
        )

    async def _discard(self, container: Container) -> None:
        """Make room for one with other settings."""
        is_up = container.status == "running"
        if is_up and not await in_thread(self._daemon.is_idle, container.id):
            raise EnvironmentUnavailableError(
                f"The container of {self.name!r} has other settings than are configured now,"
                " and something still runs in it.",
                hint=f"Stop it with `hermes env stop {self.name}`.",
            )
        await in_thread(self._daemon.remove, container.id)

    async def _make(self, config: dict[str, Any], spec: str, *, is_first: bool) -> Container:
        if self._daemon.machine.is_local:
            docker_spec.check_sources(config, environment=self.name)
        if not await in_thread(self._daemon.has_image, self._options.image):
            await self._pull()
        labels = {
            LABEL: "1",
            KEY: self.container_name,
            OWNER: owners.this_process(),
            SPEC: spec,
            NAME: self.name,
            HOME: self._home_mark,
            KEEP: "yes" if self._options.keep else "no",
        }
        config["Labels"] = config.get("Labels", {}) | labels
        container = await in_thread(
            self._daemon.create, self.container_name, config, undo=self._daemon.retire
        )
        if not is_first:
            self.tell(
                f"The container is a new one, made from {self._options.image}: what was installed"
                " or written outside its mounts is gone."
            )
        await in_thread(self._leave_trace)
        self._baseline = None
        return container

    async def _pull(self) -> None:
        is_over = threading.Event()

        def tell(text: str) -> None:
            if is_over.is_set():
                raise EnvironmentUnavailableError("The pull was interrupted.")
            anyio.from_thread.run(self._attendant.progress, text)

        try:
            await anyio.to_thread.run_sync(
                self._daemon.pull, self._options.image, tell, abandon_on_cancel=True
            )
        finally:
            is_over.set()

    async def _furnish(self, container: Container) -> None:
        """See that there is a folder to work in, and a home that can be written."""
        missing = await self._told(container, ["sh", "-c", _MISSING, "sh", self._options.workdir])
        folders = [docker_spec.HOME if line == "HOME" else line for line in missing.splitlines()]
        if folders:
            await self._told(container, ["sh", "-c", _MAKE, "sh", *folders], user="0:0")
        if docker_spec.HOME in folders:
            self._home = self._home or docker_spec.HOME

    async def _told(self, container: Container, argv: Sequence[str], *, user: str = "") -> str:
        """What a command of ours prints."""
        channel = await self._execute(container, argv, env={}, user=user)
        return (await read_all(channel)).decode(errors="replace")

    async def _execute(
        self,
        container: Container,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        user: str = "",
    ) -> DockerChannel:
        if self._home:
            env = {**env, "HOME": self._home}
        argv = watched(argv) if EXEC_ID in env else argv
        call = partial(self._daemon.execute, container.id, argv, env=env, user=user)
        starting = asyncio.ensure_future(in_thread(call, undo=Started.close))
        try:
            started = await asyncio.shield(starting)
        except asyncio.CancelledError:
            # What was started for nobody ends when its connection is released.
            await asyncio.wait({starting}, timeout=1)
            starting.add_done_callback(_let_go)
            starting.cancel()
            raise
        ask = partial(self._exit_code, container, started.id)
        return DockerChannel(started, ask)

    async def _exit_code(self, container: Container, exec_id: str) -> int | None:
        with suppress(EnvironmentUnavailableError):
            code = await in_thread(self._daemon.exit_code, exec_id)
            if code in {None, KILLED}:
                await self._settles(container)
            return code
        # With the container, the daemon forgets what ran in it.
        with suppress(EnvironmentUnavailableError):
            found = await in_thread(self._daemon.find, container.id)
            return KILLED if found is None or found.status != "running" else None
        return None

    async def _settles(self, container: Container) -> None:
        """Wait until the daemon knows that a container ended, if it did."""
        with anyio.move_on_after(SETTLE_SECONDS):
            while found := await in_thread(self._daemon.find, container.id):
                if found.status != "running":
                    break
                await anyio.sleep(0.05)  # the daemon tells nobody

    def _config(self, machine: docker_spec.Machine) -> dict[str, Any]:
        return docker_spec.container_config(self._options, machine, environment=self.name)

    @property
    def _trace(self) -> str:
        """A file that says there has been a container of this name."""
        return str(self._folder / "docker" / self.container_name)

    def _leave_trace(self) -> None:
        if self._options.keep:
            make_private(self._folder / "docker")
            (self._folder / "docker" / self.container_name).touch()


def _let_go(starting: asyncio.Future[Started]) -> None:
    """Release a process that was started for somebody who no longer waits."""
    if not starting.cancelled() and starting.exception() is None:
        starting.result().close()
