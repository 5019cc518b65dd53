"""A lock between processes, on a file that need not hold anything."""

import fcntl
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

PAUSE_SECONDS = 0.05


class FileLock:
    """Held shared or alone, by one owner at a time or across processes; gone with its process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    @property
    def fd(self) -> int:
        """For a child process that is to hold the lock as well."""
        assert self._fd is not None
        return self._fd

    def try_shared(self) -> bool:
        """Hold it beside others; False when somebody holds it alone."""
        return self._try(fcntl.LOCK_SH)

    def try_alone(self) -> bool:
        """Hold it alone, also when it was held shared; False when others hold it."""
        return self._try(fcntl.LOCK_EX)

    def release(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    async def try_alone_for(self, seconds: float) -> bool:
        """Hold it alone; False when others hold it for that long."""
        with anyio.move_on_after(seconds):
            while not self.try_alone():  # noqa: ASYNC110 - another process holds it
                await anyio.sleep(PAUSE_SECONDS)
            return True
        return False

    @asynccontextmanager
    async def alone(self) -> AsyncGenerator[None, None]:
        """Wait, however long it takes, and hold it alone."""
        try:
            while not self.try_alone():  # noqa: ASYNC110 - another process holds it
                await anyio.sleep(PAUSE_SECONDS)
            yield
        finally:
            self.release()

    def _try(self, kind: int) -> bool:
        if self._fd is None:
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
