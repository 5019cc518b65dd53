"""Docker containers: each environment has one, made when needed and found again by name."""

import asyncio
import hashlib
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import msgspec

from hermes_environments import docker_spec, owners
from hermes_environments.base import FRIENDLY, BaseEnvironment
from hermes_environments.capture import make_private
from hermes_environments.channel import Capabilities, Channel, ChannelLostError
from hermes_environments.docker_daemon import (
    KEEP,
    KEY,
    OWNER,
    SPEC,
    Container,
    ContainerDownError,
    Daemon,
    Started,
)
from hermes_environments.worker import exporting
from hermes_tui.core.environment import Attendant, CommandResult, NoAttendant
from hermes_tui.core.errors import ConfigError, EnvironmentUnavailableError

CHUNK = 65_536
SETTLE_SECONDS = 0.25
"""For the last output of a process to arrive after the news of its end."""
EXIT_SECONDS = 0.5
"""For workers without work to end, before their container is taken for in use."""
KILLED_EXIT_CODE = 137

# Tells of the end of the process, although its children may hold the output: on stderr,
# which is a stream of its own here and which nothing else uses.
_WATCH = 'trap : HUP INT TERM; "$@" 2>/dev/null; echo $? >&2'
# By root, who may not be the one who runs the commands. What is there stays as it is.
_PREPARE = 'umask 0; for d; do [ -d "$d" ] || { mkdir -p "$d" && chmod 1777 "$d"; }; done'
_HAS_HOME = '[ -n "$HOME" ] && [ "$HOME" != / ] && [ -w "$HOME" ] && echo yes'


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
        variables = {key: os.environ[key] for key in pass_env if key in os.environ}
        variables |= {key: str(value) for key, value in self._options.env.items()}
        super().__init__(
            name,
            cwd=self._options.workdir,
            state_dir=state_dir,
            variables={**FRIENDLY, **variables},
        )
        self._attendant = attendant or NoAttendant()
        self._daemon = Daemon(self._options.host)
        self._container: Container | None = None
        self._recovering = anyio.Lock()
        # Refusals need no daemon; what only it can know is checked again before it is asked.
        sockets = (os.environ.get("DOCKER_HOST", "").removeprefix("unix://"), self._options.host)
        self._config(docker_spec.Machine(sockets=tuple(each for each in sockets if each)))

    @property
    def container_name(self) -> str:
        """The same for every Hermes with this home and these mounts, when it is kept."""
        slug = "".join(char if char.isalnum() else "-" for char in self.name.lower())[:24]
        return f"hermes-{slug.strip('-')}-{self._key}"

    @property
    def _key(self) -> str:
        whose = [owners.this_machine(), str(self._folder.absolute()), self.name]
        if not self._options.keep:
            whose += [owners.this_process(), str(id(self))]
        parts = "\n".join([*whose, *self._options.mounts])
        return hashlib.sha256(parts.encode()).hexdigest()[:12]

    # The place

    async def _open(self) -> None:
        machine = await _in_thread(self._daemon.connect)
        self.capabilities = msgspec.structs.replace(
            self.capabilities, durable=not machine.is_local, limits=machine.limits
        )
        await _in_thread(self._daemon.reap)
        await self._bring_up()
        if not await self._says_yes(_HAS_HOME):
            exports = self._state.exports + exporting({"HOME": docker_spec.HOME})
            self._state = msgspec.structs.replace(self._state, exports=exports)
        await self.find_shell()

    async def _close(self) -> None:
        container, self._container = self._container, None
        if container is None:
            return
        with suppress(EnvironmentUnavailableError):
            if not self._options.keep:
                await _in_thread(self._daemon.remove, container.id)
            elif await self._becomes_idle(container):
                await _in_thread(self._daemon.stop, container.id)
