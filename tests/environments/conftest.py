"""The environments the contract is held against; a new one joins by a row in `MAKERS`."""

from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from hermes_environments.base import BaseEnvironment
from hermes_environments.local import LocalEnvironment


class ShellOnlyEnvironment(LocalEnvironment):
    """This machine, but everything but the channel done as a remote place would."""

    sweep = BaseEnvironment.sweep
    read_file = BaseEnvironment.read_file
    write_file = BaseEnvironment.write_file
    jobs_folder = BaseEnvironment.jobs_folder


Make = Callable[[], BaseEnvironment]
MAKERS: dict[str, type[BaseEnvironment]] = {
    "local": LocalEnvironment,
    "shell-only": ShellOnlyEnvironment,
}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture(params=MAKERS)
def make(request: pytest.FixtureRequest, workspace: Path, tmp_path: Path) -> Make:
    """Makes another environment in the same place, as a later Hermes would."""
    name = str(request.param)
    return lambda: MAKERS[name](
        name, cwd=str(workspace), pass_env=(), state_dir=str(tmp_path / "run"), options={}
    )


@pytest.fixture
async def environment(make: Make) -> AsyncGenerator[BaseEnvironment, None]:
    environment = make()
    await environment.open()
    yield environment
    await environment.close()
