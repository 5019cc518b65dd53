"""Docker for the tests: one container for all of a process's tests, a home for each."""

import subprocess
from collections.abc import Callable
from typing import ClassVar

from hermes_environments.base import BaseEnvironment
from hermes_environments.docker import DockerEnvironment
from hermes_environments.docker.daemon import Container, Daemon

from tests.environments.places import Place
from tests.environments.services import required


class SharedDocker(DockerEnvironment):
    """Leaves its container to the next test, and asks only once what is in it."""

    daemon: ClassVar[Daemon] = Daemon()
    known: ClassVar[dict[str, Container]] = {}
    knows_bash: ClassVar[dict[str, bool]] = {}

    async def _open(self) -> None:
        self._daemon = self.daemon
        self._container = self.known.get(self.container_name)
        await super()._open()

    async def _bring_up(self) -> Container:
        if self._container is None or self.known.get(self.container_name) is not self._container:
            self.known[self.container_name] = await super()._bring_up()
        return self.known[self.container_name]

    async def find_shell(self) -> None:
        name = self.container_name
        if name not in self.knows_bash:
            await super().find_shell()
            self.knows_bash[name] = self.capabilities.has_bash
        elif not self.knows_bash[name]:
            self.use_plain_sh()
        self.keep_jobs("", "")
        self._notices.clear()

    async def _becomes_idle(self, container: Container) -> bool:
        return False


def docker_maker(variable: str) -> Callable[[Place], BaseEnvironment]:
    """Makes environments of the image `variable` names."""

    def make(place: Place) -> BaseEnvironment:
        # Below it are all the tests' folders, known by the same name inside.
        everything = place.shared.folder.parent
        environment = SharedDocker(
            f"docker-{variable.rpartition('_')[2].lower()}",
            cwd=None,
            pass_env=(),
            state_dir=str(place.shared.folder / "run"),
            options={
                "image": required(variable),
                "workdir": str(place.workspace),
                "mounts": [f"{everything}:{everything}"],
                "env": {"HOME": str(place.home)},
                "network": "none",
            },
        )
        name = environment.container_name
        if name not in SharedDocker.known:
            place.shared.after.callback(remove, name)
        return environment

    return make


def remove(name: str) -> None:
    subprocess.run(["docker", "rm", "-f", "-v", name], capture_output=True, check=False)
