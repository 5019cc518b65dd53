"""The environments the contract is held against; a new one joins by a row in `MAKERS`."""

from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
from hermes_environments.base import BaseEnvironment
from hermes_environments.local import LocalEnvironment
from msgspec import Struct


class ShellOnlyEnvironment(LocalEnvironment):
    """This machine, but everything but the channel done as a remote place would."""

    sweep = BaseEnvironment.sweep
    read_file = BaseEnvironment.read_file
    write_file = BaseEnvironment.write_file

    @property
    def jobs_folder(self) -> bytes:
        return super(LocalEnvironment, self).jobs_folder


class Place(Struct, frozen=True):
    """What a maker is given: folders of this machine, for this test alone."""

    workspace: Path
    state_dir: Path


Make = Callable[[], BaseEnvironment]


def _local(kind: type[LocalEnvironment]) -> Callable[[Place], BaseEnvironment]:
    return lambda place: kind(
        "local", cwd=str(place.workspace), pass_env=(), state_dir=str(place.state_dir), options={}
    )


# A maker skips the test when its service is not there; see `services.required`.
MAKERS: dict[str, Callable[[Place], BaseEnvironment]] = {
    "local": _local(LocalEnvironment),
    "shell-only": _local(ShellOnlyEnvironment),
}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture(params=MAKERS)
def make(request: pytest.FixtureRequest, workspace: Path, tmp_path: Path) -> Make:
    """Makes another environment in the same place, as a later Hermes would."""
    place = Place(workspace, tmp_path / "run")
    return lambda: MAKERS[str(request.param)](place)


@pytest.fixture
async def environment(make: Make) -> AsyncGenerator[BaseEnvironment, None]:
    environment = make()
    await environment.open()
    yield environment
    await environment.close()
