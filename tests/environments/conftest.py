"""The environments the contract is held against; a new one joins by a row in `MAKERS`."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pytest
from hermes_environments.base import BaseEnvironment
from hermes_environments.local import LocalEnvironment


class ShellOnlyEnvironment(LocalEnvironment):
    """This machine, but everything but the channel done as a remote place would."""

    sweep = BaseEnvironment.sweep
    read_file = BaseEnvironment.read_file
    write_file = BaseEnvironment.write_file

    @property
    def jobs_folder(self) -> bytes:
        return super(LocalEnvironment, self).jobs_folder


class Maker(Protocol):
    """The constructor every environment has."""

    def __call__(
        self,
        name: str,
        *,
        cwd: str | None,
        pass_env: Sequence[str],
        state_dir: str,
        options: Mapping[str, object],
    ) -> BaseEnvironment: ...


Make = Callable[[], BaseEnvironment]
MAKERS: dict[str, Maker] = {
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
