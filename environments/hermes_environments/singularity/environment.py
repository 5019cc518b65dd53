"""Commands in an apptainer instance: a container without a daemon, as root or anybody."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import anyio
import msgspec

from hermes_environments import owners
from hermes_environments.base import FRIENDLY, BaseEnvironment
from hermes_environments.capture import make_private
from hermes_environments.channel import Capabilities, Channel, with_variables
from hermes_environments.child import Children
from hermes_environments.file_lock import PAUSE_SECONDS, FileLock
from hermes_environments.options import passed, read_options
from hermes_environments.singularity import spec
from hermes_environments.singularity.program import Instance, Program
from hermes_environments.singularity.spec import SingularityOptions
from hermes_tui.core.environment import Attendant, CommandResult, NoAttendant
from hermes_tui.core.errors import EnvironmentUnavailableError

LOCK_SECONDS = 20.0
"""For an instance that is being stopped to be gone."""

# Stopping takes seconds, so nobody waits for it. What commands left running keeps the instance.
_RETIRE = r"""
for pause in 0 0.5 0.5; do
  sleep $pause
  count=$("$1" -q exec --pwd / "instance://$2" sh -c "$3")
  [ "$count" = 0 ] && exec "$1" -q instance stop -F "$2"
done
"""
_COUNT = "cat /proc/[0-9]*/environ 2>/dev/null | grep -c HERMES_EXEC_ID="


class SingularityEnvironment(BaseEnvironment):
    """Commands in an instance that every Hermes of this user with the same settings shares."""

    capabilities = Capabilities(limits=frozenset({"network"}))

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
        """`options` are those of `SingularityOptions`; `cwd` is a folder of this machine."""
        del cwd
        self._options = read_options(SingularityOptions, options, environment=name)
        spec.check(self._options, name=name)
        super().__init__(
            name,
            cwd=self._options.workdir,
            state_dir=state_dir,
            variables={**FRIENDLY, **passed(pass_env), **self._options.env},
        )
        self._attendant = attendant or NoAttendant()
        self._key = owners.place_name(name, str(Path(state_dir).absolute()))
        self._instance_name = f"{self._key}-{spec.fingerprint(self._options)}"
        self._home = Path(state_dir).absolute() / "singularity" / self._key
        self._program: Program | None = None
        self._image = ""
        self._instance: Instance | None = None
        self._reviving = anyio.Lock()
        self._users = FileLock(self._home / "users")
        """Held shared while open; alone by whoever stops the instance."""
        self._children = Children()

    @property
    def address(self) -> str:
        """Where apptainer's own commands find the instance."""
        return f"instance://{self._instance_name}"

    async def channel(self, argv: Sequence[str], *, env: Mapping[str, str]) -> Channel:
        await self._revive()
        assert self._program is not None
        command = [self._program.path, "-q", "exec", "--pwd", "/", self.address]
        command += with_variables(argv, env)
        return self._children.start(command, env=self._program.environ)

    async def health(self) -> str:
        program = Program.find()
        self._find_image_file()
        running = await program.instances(self._instance_name)
        return f"{await program.version()}, {'running' if running else 'not running'}"

    async def stop(self) -> bool:
        await self.close()
        program = Program.find()
        instances = await program.instances(self._key)
        for instance in instances:
            await program.stop(instance.name)
        return bool(instances)

    async def destroy(self) -> bool:
        was_up = await self.stop()
        was_there = await anyio.Path(self._home).exists()
        await anyio.to_thread.run_sync(_remove, self._home)
        return was_up or was_there

    async def _open(self) -> None:
        self._program = Program.find()
        possible = await anyio.to_thread.run_sync(spec.possible_limits)
        spec.check_limits(self._options, possible, name=self.name)
        self.capabilities = msgspec.structs.replace(self.capabilities, limits=possible)
        self._image = await self._find_image()
        await anyio.to_thread.run_sync(self._make_folders)
        await self._acquire()
        await self._attach()
        await self.find_shell()

    async def _close(self) -> None:
        await self._children.let_go()
        if self._instance is not None and self._users.try_alone():
            self._retire()
        self._users.release()
        self._instance = None

    async def _remark(self, result: CommandResult) -> str:
        if self._instance is not None and not self._instance.is_alive:
            return f"The instance of {self.name} ended while the command ran."
        return await super()._remark(result)

    def _find_image_file(self) -> Path | None:
        """The image as a file or folder of this machine; None for a reference to build from."""
        if "://" in self._options.source:
            return None
        path = Path(self._options.source).expanduser().absolute()
        if not path.exists():
            raise EnvironmentUnavailableError(
                f"There is no image {str(path)!r} for {self.name!r}.",
                hint="Correct `image`, or build it with `apptainer build`.",
            )
        return path

    async def _find_image(self) -> str:
        assert self._program is not None
        path = self._find_image_file()
        if path is None:
            images = self._folder.absolute() / "singularity" / "images"
            path = await self._program.build(self._options.source, images, self._attendant)
        return str(path)

    def _make_folders(self) -> None:
        make_private(self._home / "scratch")
        if self._options.overlay != spec.IN_MEMORY:
            make_private(spec.overlay_folder(self._options, self._home))

    async def _attach(self) -> None:
        """Find the running instance, or start one."""
        assert self._program is not None
        # Of two that are started at once, apptainer forgets both.
        async with FileLock(self._home / "starting").alone():
            found = await self._program.instances(self._key)
            for instance in found:
                if instance.name == self._instance_name:
                    self._instance = instance
                    return
            if found:
                await self._replace(found)
            await self._launch()

    async def _replace(self, found: Sequence[Instance]) -> None:
        assert self._program is not None
        if not self._users.try_alone():
            raise EnvironmentUnavailableError(
                f"Another Hermes uses {self.name!r} with other settings.",
                hint="Close it, or give this environment another name.",
            )
        for instance in found:
            await self._program.stop(instance.name)
        self._users.try_shared()
        self.tell(
            f"The settings of {self.name} have changed, so its instance was started anew;"
            " what ran in it has ended."
        )

    async def _launch(self) -> None:
        assert self._program is not None
        await self._attendant.progress(f"starting {self._options.source}")
        arguments = spec.start_arguments(self._options, folder=self._home, name=self.name)
        await self._program.call(
            "-q", "instance", "start", *arguments, self._image, self._instance_name
        )
        found = await self._program.instances(self._instance_name)
        if not found:
            raise EnvironmentUnavailableError(
                f"The instance of {self.name} ended right after its start.",
                hint=f"Try `apptainer exec {self._options.source} bash`.",
            )
        self._instance = found[0]
        await self._make_workdir()

    async def _make_workdir(self) -> None:
        assert self._program is not None
        try:
            await self._program.call(
                "-q", "exec", "--pwd", "/", self.address, "mkdir", "-p", self._options.workdir
            )
        except EnvironmentUnavailableError as error:
            raise EnvironmentUnavailableError(
                f"There is no folder {self._options.workdir!r} to work in: {error.message}",
                hint="Choose another `workdir`, or mount one there.",
            ) from error

    async def _revive(self) -> None:
        """Start the instance again when it has gone behind our back."""
        if self._instance is None or self._instance.is_alive:
            return
        async with self._reviving:
            if not self._instance.is_alive:
                await self._attach()
                kept = "Changes outside mounts were kept in memory and are lost."
                self.tell(
                    f"The instance of {self.name} was gone and has been started anew; what ran in"
                    f" it has ended.{' ' + kept if self._options.overlay == 'memory' else ''}"
                )

    async def _acquire(self) -> None:
        """Register as a user of the instance, once nobody is stopping it."""
        with anyio.move_on_after(LOCK_SECONDS):
            while not self._users.try_shared():  # noqa: ASYNC110 - another process holds it
                await anyio.sleep(PAUSE_SECONDS)
            return
        raise EnvironmentUnavailableError(
            f"The instance of {self.name!r} is being stopped by another Hermes.",
            hint="Try again in a moment.",
        )

    def _retire(self) -> None:
        """Stop the instance once nothing runs in it, without waiting for that."""
        assert self._program is not None
        subprocess.run(
            ["sh", "-c", f"({_RETIRE}) &", "sh", self._program.path, self._instance_name, _COUNT],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=self._program.environ,
            pass_fds=(self._users.fd,),
            start_new_session=True,
            check=False,
        )


def _remove(folder: Path) -> None:
    # The kernel makes overlayfs's work folder without any permission.
    for path in folder.glob("overlay/work/*"):
        path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
