"""Another machine, over SSH: nothing is installed there, and nothing but jobs written."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

import anyio
import msgspec

from hermes_environments.base import FRIENDLY, BaseEnvironment
from hermes_environments.channel import Capabilities, ChannelLostError, with_variables
from hermes_environments.conversation import Worker
from hermes_environments.options import passed, read_options
from hermes_environments.ssh.hosts import SshOptions, Target, parse_address, resolve
from hermes_environments.ssh.sudo import SudoQuestions
from hermes_environments.threads import in_thread
from hermes_environments.worker import EXEC_ID, exporting
from hermes_tui.core.environment import Attendant, CommandResult, Ended, NoAttendant
from hermes_tui.core.errors import EnvironmentUnavailableError

if TYPE_CHECKING:  # takes 0.2 s to import
    from hermes_environments.ssh.channel import Connection, SshChannel
    from hermes_environments.ssh.connect import Dialer
    from hermes_environments.ssh.files import Files
    from hermes_environments.ssh.link import Link

RESERVED = 3
"""Channels of a connection kept for ending commands, for files and for sudo's questions."""
CONNECTIONS = 8
RETRY_PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds between attempts to connect anew."""
HEALTH_SECONDS = 3.0

T = TypeVar("T")

# Login files may print as well, so what is ours begins with a byte they hardly will.
_PROBE = r"""
w=$1; case $w in "~" | "~/"*) w=$HOME${w#"~"} ;; esac
w=$(cd -- "$w" 2>/dev/null && pwd)
sudo=; [ "$(id -u)" != 0 ] && sudo=$(command -v sudo)
printf '\036%s\0' "$HOME" "${XDG_STATE_HOME-}" "$w" "$(command -v bash)" \
  "$sudo" "${XDG_RUNTIME_DIR:-/tmp}"
"""


class SshEnvironment(BaseEnvironment):
    """Commands on a host, as whoever logs in there."""

    capabilities = Capabilities(durable=True)

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
        """`cwd` is a folder of this machine and means nothing there."""
        del cwd
        self._options = read_options(SshOptions, options, environment=name)
        if address := self._options.target or self._options.host:
            parse_address(address)
        variables = FRIENDLY | passed(pass_env) | self._options.env
        super().__init__(name, cwd=self._options.workdir, state_dir=state_dir, variables=variables)
        self._attendant = attendant or NoAttendant()
        self._dialer: Dialer | None = None
        self._target: Target | None = None
        self._connections: list[Connection] = []
        self._dialing = anyio.Lock()
        self._freed = anyio.Event()
        self._was_connected = False
        self._files: Files | None = None
        self._has_sftp = True
        self._home = ""
        self._runtime_dir = ""
        self._sudo: SudoQuestions | None = None

    async def _open(self) -> None:
        await anyio.to_thread.run_sync(self._prepare)
        await self._look_around()
        self._prewarm()

    async def _close(self) -> None:
        if self._sudo is not None:
            await self._sudo.close()
        connections, self._connections = self._connections, []
        self._files = None
        for connection in connections:
            await connection.close()
        self._was_connected = False

    async def health(self) -> str:
        target = self._target or await anyio.to_thread.run_sync(self._resolve)
        if connections := self._alive():
            seconds = await connections[0].answer_seconds()
            return f"connected to {target.label}, answers in {seconds * 1000:.0f} ms"
        if target.via is None:
            await _knock(target)
            return f"{target.label} answers"
        return f"{target.label} by way of {target.via.label}"

    async def channel(self, argv: Sequence[str], *, env: Mapping[str, str]) -> "SshChannel":
        if EXEC_ID in env:
            await self._listen_for_sudo()
        # The login shell may be any: `exec` and quoted words are what all of them know.
        command = "exec " + shlex.join(with_variables(argv, env))
        for _ in range(2 * CONNECTIONS):
            connection = await self._connection(reserved=RESERVED if EXEC_ID in env else 0)
            channel = await connection.start(command)
            if channel is not None:
                return channel
            if connection.limit == 0 and connection.link.is_active():
                break
        raise EnvironmentUnavailableError(
            f"{self._label} starts no commands.",
            hint="Check MaxSessions in sshd_config there.",
        )

    async def read_file(self, path: str, *, offset: int = 0, limit: int | None = None) -> bytes:
        if (sftp := await self._sftp()) is None:
            return await super().read_file(path, offset=offset, limit=limit)
        return await self._transfer(sftp.read, self._expanded(path), offset, limit)

    async def write_file(self, path: str, data: bytes) -> None:
        from hermes_environments.ssh.files import UnsupportedError

        if (sftp := await self._sftp()) is not None:
            with suppress(UnsupportedError):
                await self._transfer(sftp.write, self._expanded(path), data)
                return
        await super().write_file(path, data)

    async def _remark(self, result: CommandResult) -> str:
        if result.ended is not Ended.LOST:
            return ""
        return (
            f"The connection to {self._label} was lost. Nobody knows whether the command "
            "finished; it may still be running there."
        )

    async def _take(self) -> Worker:
        await self._ensure_open()
        # A spare worker may be on another connection than the listener was.
        await self._listen_for_sudo()
        return await super()._take()

    @property
    def _label(self) -> str:
        return self._target.label if self._target else self.name

    def _resolve(self) -> Target:
        return resolve(self._options, environment=self.name)

    def _prepare(self) -> None:
        from hermes_environments.ssh.connect import Dialer

        target = self._resolve()
        if self._dialer is None or target != self._target:
            self._target = target
            self._dialer = Dialer(
                target, timeout=self._options.connect_timeout, attendant=self._attendant
            )

    async def _look_around(self) -> None:
        """Find out what the host is like, and whether there is the folder to work in."""
        given = self._options.env
        workdir = self._options.workdir
        if "HOME" in given and (workdir == "~" or workdir.startswith("~/")):
            workdir = given["HOME"] + workdir[1:]
        channel = await self.channel(["sh", "-c", _PROBE, "sh", workdir], env={})
        try:
            printed = bytearray()
            while data := await channel.recv():
                printed += data
        finally:
            await channel.close()
        told = printed.partition(b"\x1e")[2].decode("utf-8", "surrogateescape")
        fields = told.rstrip("\0").split("\0\x1e")
        if len(fields) != 6:
            said = printed.decode("utf-8", "replace").strip()[-200:]
            raise EnvironmentUnavailableError(
                f"{self._label} let us in but ran no command{f': {said}' if said else ''}.",
                hint="Check that this login has a shell.",
            )
        home, state, found, bash, sudo, runtime = fields
        if not found:
            raise EnvironmentUnavailableError(
                f"There is no folder {workdir!r} on {self._label} to work in.",
                hint="Create it there, or set 'workdir'.",
            )
        if not bash.startswith("/"):
            self.use_plain_sh()
        self._home = given.get("HOME", home)
        self.keep_jobs(home, state)
        if not self._state.is_complete:
            self._first_cwd = found
            self._state = msgspec.structs.replace(self._state, cwd=found)
        if sudo:
            await self._prepare_sudo(runtime)

    async def _prepare_sudo(self, runtime_dir: str) -> None:
        """Have sudo ask the person for the password."""
        if self._sudo is None:
            self._sudo = SudoQuestions(f"sudo on {self._label}", self._attendant)
            self._runtime_dir = runtime_dir
            variables = exporting({"SUDO_ASKPASS": self._sudo.program(runtime_dir)})
            alias = b"sudo='sudo -A'\n"
            self._state = msgspec.structs.replace(
                self._state,
                exports=self._state.exports + variables,
                aliases=b"alias " + alias if self.capabilities.has_bash else alias,
            )
        await self._listen_for_sudo()

    async def _listen_for_sudo(self) -> None:
        if self._sudo is None or self._sudo.is_listening:
            return
        argv = self._sudo.argv(self._runtime_dir)
        try:
            await self._sudo.listen(await self.channel(argv, env={}))
        except ChannelLostError:
            pass  # the command that wanted it will notice, too
        except EnvironmentUnavailableError:
            self._sudo = None

    async def _connection(self, *, reserved: int) -> "Connection":
        """One with a place for another channel, which is taken."""
        from hermes_environments.ssh.channel import Connection

        while True:
            async with self._dialing:
                self._connections = alive = self._alive()
                for connection in alive:
                    if connection.used < min(connection.limit, max(1, connection.limit - reserved)):
                        connection.used += 1
                        return connection
                if len(alive) < CONNECTIONS:
                    connection = Connection(await self._dial(), self._on_freed)
                    self._connections.append(connection)
                    connection.used = 1
                    return connection
                if self._freed.is_set():  # otherwise others wait for it already
                    self._freed = anyio.Event()
                freed = self._freed
                any(connection.let_go() for connection in alive)
            await freed.wait()

    async def _dial(self) -> "Link":
        from hermes_environments.ssh.connect import UnreachableError

        assert self._dialer is not None
        pauses = iter(RETRY_PAUSES if self._was_connected else ())
        while True:
            try:
                link = await self._dialer.connect()
            except UnreachableError as error:
                if (pause := next(pauses, None)) is None:
                    raise
                await self._attendant.progress(f"{error.message} Trying again in {pause:g} s.")
                await anyio.sleep(pause)
            else:
                self._was_connected = True
                return link

    def _alive(self) -> "list[Connection]":
        return [connection for connection in self._connections if connection.link.is_active()]

    def _on_freed(self) -> None:
        self._freed.set()

    async def _sftp(self) -> "Files | None":
        """The session for files; None where the server has none to offer."""
        from hermes_environments.ssh.channel import NotStartedError

        await self._ensure_open()
        while self._has_sftp and (self._files is None or not self._files.is_open):
            connection = await self._connection(reserved=0)
            try:
                self._files = await connection.start_files()
            except NotStartedError:
                self._has_sftp = False
            if connection.limit == 0:
                self._has_sftp = False
        return self._files if self._has_sftp else None

    async def _transfer(self, work: Callable[..., T], *arguments: object) -> T:
        try:
            return await in_thread(work, *arguments)
        except (OSError, EOFError) as error:
            raise ChannelLostError(f"The connection to {self._label} was lost.") from error

    def _expanded(self, path: str) -> str:
        path = self._absolute(path)
        return self._home + path[1:] if path == "~" or path.startswith("~/") else path


async def _knock(target: Target) -> None:
    """Whether a server says its name, which it does unasked.

    Raises:
        EnvironmentUnavailableError: it does not.
    """
    try:
        with anyio.fail_after(HEALTH_SECONDS):
            async with await anyio.connect_tcp(target.host, target.port) as stream:
                if (await stream.receive(4)).startswith(b"SSH-"):
                    return
    except (OSError, TimeoutError, anyio.EndOfStream, anyio.BrokenResourceError):
        pass
    raise EnvironmentUnavailableError(
        f"{target.host} does not answer as an SSH server on port {target.port}.",
        hint="Check the name, the port and your network.",
    )
