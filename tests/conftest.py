"""What every test gets: a home of its own, and no way out to the network."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest

REAL_CONNECT = socket.socket.connect


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty `HERMES_HOME` for this test alone, and none of the person's own keys."""
    for name in list(os.environ):
        if name.startswith("HERMES_") or name.endswith(("_API_KEY", "_TOKEN", "_BASE_URL")):
            monkeypatch.delenv(name)
    path = tmp_path / "hermes-home"
    monkeypatch.setenv("HERMES_HOME", str(path))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    (tmp_path / "user").mkdir()
    return path


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse any connection that would leave this machine."""

    def connect(self: socket.socket, address: Any) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6}:
            host = str(address[0])
            if not (host.startswith("127.") or host in {"::1", "localhost"}):
                raise AssertionError(f"A test tried to connect to {address!r}.")
        REAL_CONNECT(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
