"""Modal for the tests: its real SDK against a server of ours that runs commands here."""

import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from hermes_environments.base import BaseEnvironment
from hermes_environments.channel import Channel
from hermes_environments.cloud.modal import ModalEnvironment

from tests.environments.places import Place, Shared
from tests.environments.services import unavailable

if TYPE_CHECKING:
    from tests.doubles.modal_server import ModalServer

TOKEN = {"token_id": "ak-good", "token_secret": "as-good"}
_servers: "dict[Path, ModalServer]" = {}


class HomedModal(ModalEnvironment):
    """Has its home in a folder of the test."""

    home = ""

    async def channel(self, argv: Sequence[str], *, env: Mapping[str, str]) -> Channel:
        return await super().channel(argv, env={**env, "HOME": self.home})


def make_modal(place: Place) -> BaseEnvironment:
    modal_server(place.shared)
    environment = HomedModal(
        "modal",
        cwd=None,
        pass_env=(),
        state_dir=str(place.state_dir),
        options={"workdir": str(place.workspace), **TOKEN},
    )
    environment.home = str(place.home)
    return environment


def modal_server(shared: Shared) -> "ModalServer":
    """The double all tests of this process share."""
    if find_spec("modal") is None:
        unavailable("modal is not installed; `uv sync` brings it")
    from tests.doubles.modal_server import serve  # takes half a second

    if shared.folder not in _servers:
        server = shared.after.enter_context(serve(shared.folder / "modal"))
        _servers[shared.folder] = server
        os.environ["MODAL_SERVER_URL"] = server.url
        os.environ["MODAL_CONFIG_PATH"] = str(shared.folder / "no-modal.toml")
    return _servers[shared.folder]
