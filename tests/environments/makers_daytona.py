"""Daytona for the tests: its real SDK against a server of ours that runs commands here."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from hermes_environments.base import BaseEnvironment
from hermes_environments.channel import Channel
from hermes_environments.cloud.daytona import DaytonaEnvironment
from hermes_environments.file_lock import FileLock

from tests.environments.places import Place, Shared
from tests.environments.services import unavailable

if TYPE_CHECKING:
    from tests.doubles.daytona_server import DaytonaServer

_servers: "dict[Path, DaytonaServer]" = {}


class HomedDaytona(DaytonaEnvironment):
    """Has its home in a folder of the test, and asks only once which shell is there."""

    home = ""
    has_bash = False

    async def find_shell(self) -> None:
        if not HomedDaytona.has_bash:
            await super().find_shell()
            HomedDaytona.has_bash = True
        self.keep_jobs(self.home, "")

    async def channel(self, argv: Sequence[str], *, env: Mapping[str, str]) -> Channel:
        return await super().channel(argv, env={**env, "HOME": self.home})


def make_daytona(place: Place) -> BaseEnvironment:
    environment = HomedDaytona(
        "daytona",
        cwd=None,
        pass_env=(),
        state_dir=str(place.shared.folder / "run"),
        options={
            "workdir": str(place.workspace),
            **account(place.shared),
        },
    )
    environment.home = str(place.home)
    if not environment._home.exists():
        # Starting and stopping the sandbox for each test is for tests of that.
        environment._home.mkdir(parents=True)
        user = FileLock(environment._users._path)
        assert user.try_shared()
        place.shared.after.callback(user.release)
    return environment


def account(shared: Shared) -> dict[str, str]:
    """Settings that lead to the double, with a key it accepts."""
    return {"api_key": "dtn_good", "api_url": f"{daytona_server(shared).url}/api"}


def daytona_server(shared: Shared) -> "DaytonaServer":
    """The double all tests of this process share."""
    if find_spec("daytona") is None:
        unavailable("daytona is not installed; `uv sync` brings it")
    from tests.doubles.daytona_server import serve

    if shared.folder not in _servers:
        server = shared.after.enter_context(serve(shared.folder / "daytona"))
        _servers[shared.folder] = server
    return _servers[shared.folder]
