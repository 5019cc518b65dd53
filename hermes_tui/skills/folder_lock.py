"""One writer at a time in a folder, across processes and threads."""

import errno
import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct

from hermes_tui.core.errors import HermesError

POLL_SECONDS = 0.01


class Held(Struct, frozen=True):
    """A lock somebody has."""

    descriptor: int
    """A child that inherits it keeps the lock until it ends, should we die first."""
    interrupted: str
    """What the last holder was at when it died; empty after one that let go."""


class FolderLock:
    """An advisory lock on a file of its own, which stays behind."""

    def __init__(self, path: Path, *, wait_seconds: float = 15.0) -> None:
        self._path = path
        self._wait_seconds = wait_seconds

    @contextmanager
    def held(self, work: str) -> Generator[Held, None, None]:
        """Hold the lock for `work`, one line that the next holder reads if we die.

        Raises:
            HermesError: others kept it for longer than we wait, or the disk has no locks.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(self._path, flags, 0o600)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            self._wait(descriptor)
            try:
                interrupted = os.pread(descriptor, 4096, 0).decode(errors="replace")
                os.ftruncate(descriptor, 0)
                with suppress(OSError):  # a full disk must not keep what is on it from being read
                    os.pwrite(descriptor, work.encode(errors="replace"), 0)
                yield Held(descriptor, interrupted)
            finally:
                os.ftruncate(descriptor, 0)
                fcntl.flock(descriptor, fcntl.LOCK_UN)
        finally:
            os.close(descriptor)

    def _wait(self, descriptor: int) -> None:
        deadline = time.monotonic() + self._wait_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError as error:
                if error.errno not in {errno.EAGAIN, errno.EACCES, errno.EINTR}:
                    raise self._unusable(error) from error
            if time.monotonic() > deadline:
                raise HermesError(
                    f"Another Hermes has been changing skills for {self._wait_seconds:g} seconds.",
                    hint="Try again when it is done.",
                )
            time.sleep(POLL_SECONDS)

    def _unusable(self, error: OSError) -> HermesError:
        return HermesError(
            f"{self._path} cannot be locked: {error.strerror}.",
            hint="Put Hermes's home on a disk you may write to that has locks, with HERMES_HOME.",
        )
