"""The environments the contract is held against; a new one joins by a row in `MAKERS`."""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hermes_environments.base import BaseEnvironment
from hermes_environments.local import LocalEnvironment

from tests.environments.makers_daytona import make_daytona
from tests.environments.makers_docker import docker_maker
from tests.environments.makers_modal import make_modal
from tests.environments.makers_singularity import make_singularity
from tests.environments.makers_ssh import make_ssh
from tests.environments.places import Place, Shared
from tests.environments.services import REQUIRED, SERVICES


class ShellOnlyEnvironment(LocalEnvironment):
    """This machine, but everything but the channel done as a remote place would."""

    sweep = BaseEnvironment.sweep
    read_file = BaseEnvironment.read_file
    write_file = BaseEnvironment.write_file

    async def _open(self) -> None:
        await super()._open()
        self._jobs_folder = b""


Make = Callable[[], BaseEnvironment]


def _local(kind: type[LocalEnvironment]) -> Callable[[Place], BaseEnvironment]:
    return lambda place: kind(
        "local", cwd=str(place.workspace), pass_env=(), state_dir=str(place.state_dir), options={}
    )


# A maker skips the test when its service is not there; see `services.required`.
MAKERS: dict[str, Callable[[Place], BaseEnvironment]] = {
    "local": _local(LocalEnvironment),
    "shell-only": _local(ShellOnlyEnvironment),
    "docker": docker_maker("HERMES_TEST_DOCKER_IMAGE"),
    "docker-sh": docker_maker("HERMES_TEST_DOCKER_IMAGE_SH"),
    "singularity": make_singularity,
    "modal": make_modal,
    "daytona": make_daytona,
    "ssh": make_ssh,
}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shared, None, None]:
    with ExitStack() as after:
        yield Shared(tmp_path_factory.mktemp("shared"), after)


@pytest.fixture(params=MAKERS)
def make(request: pytest.FixtureRequest, workspace: Path, tmp_path: Path, shared: Shared) -> Make:
    """Makes another environment in the same place, as a later Hermes would."""
    place = Place(workspace, tmp_path / "run", tmp_path / "user", shared)
    return lambda: MAKERS[str(request.param)](place)


@pytest.fixture
async def environment(make: Make) -> AsyncGenerator[BaseEnvironment, None]:
    environment = make()
    await environment.open()
    yield environment
    await environment.close()


BACKENDS = ("docker", "ssh", "singularity", "modal", "daytona")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the other backends' tests where `.ci/services up` has started what they need."""
    if SERVICES or REQUIRED:
        return
    skipped = pytest.mark.skip(
        reason="`.ci/services up` starts what this needs; see CONTRIBUTING.md"
    )
    for item in items:
        if item.path.parent == Path(__file__).parent and _names_backend(item):
            item.add_marker(skipped)


def _names_backend(item: pytest.Item) -> bool:
    words = {*item.path.stem.split("_"), *item.name.partition("[")[2].rstrip("]").split("-")}
    return not words.isdisjoint(BACKENDS)
