"""Apptainer for the tests: one instance for all of a process's tests, a home for each."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

from hermes_environments.base import BaseEnvironment
from hermes_environments.channel import Channel
from hermes_environments.file_lock import FileLock
from hermes_environments.singularity import SingularityEnvironment
from hermes_environments.singularity.program import Instance, Program

from tests.environments.places import Place
from tests.environments.services import required


class HomedSingularity(SingularityEnvironment):
    """Has its home in a folder both this machine and the instance know by the same name.

    Asks only once which instance it shares and which shell is there: it is 150 ms each time.
    """

    home = ""
    known: ClassVar[dict[str, Instance]] = {}

    async def channel(self, argv: Sequence[str], *, env: Mapping[str, str]) -> Channel:
        return await super().channel(argv, env={**env, "HOME": self.home})

    async def _attach(self) -> None:
        self._instance = self.known.get(self._instance_name)
        if self._instance is None or not self._instance.is_alive:
            await super()._attach()

    async def find_shell(self) -> None:
        assert self._instance is not None
        if self._instance_name not in self.known:
            await super().find_shell()
            self.known[self._instance_name] = self._instance
        self.keep_jobs(self.home, "")


def make_singularity(place: Place) -> BaseEnvironment:
    """One of any number of environments that share an instance, each with its own folders."""
    everything = place.shared.folder.parent
    # apptainer finds instances by the home folder, which is another one for each test.
    os.environ["APPTAINER_CONFIGDIR"] = str(place.shared.folder / "apptainer")
    environment = HomedSingularity(
        "singularity",
        cwd=None,
        pass_env=(),
        state_dir=str(place.shared.folder / "run"),
        options={
            "image": required("HERMES_TEST_SIF"),
            "workdir": str(place.workspace),
            "mounts": [f"{everything}:{everything}"],
        },
    )
    environment.home = str(place.home)
    keep(environment, place)
    return environment


def keep(environment: SingularityEnvironment, place: Place) -> None:
    """Have the instance outlive its environments, as if another Hermes used it, to the end."""
    if environment._home.exists():
        return
    environment._home.mkdir(parents=True)
    user = FileLock(environment._users._path)
    assert user.try_shared()
    place.shared.after.callback(user.release)
    place.shared.after.callback(partial(end, environment._instance_name))


def end(name: str) -> None:
    """Stop an instance without waiting for it."""
    program = Program.find()
    subprocess.run(
        ["sh", "-c", '"$0" instance stop -F "$1" &', program.path, name],
        env=program.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
