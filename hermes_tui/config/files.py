"""Reading and rewriting the small files a person keeps in the home."""

import fcntl
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from hermes_tui.config.paths import shown
from hermes_tui.core.errors import ConfigError, HermesError


class SmallFile(Struct, frozen=True):
    """What a file held, and its permission bits at that moment."""

    content: bytes
    mode: int


def read_regular(path: Path, *, max_bytes: int) -> SmallFile:
    """The file at `path`, whole.

    Raises:
        FileNotFoundError: there is none.
        ConfigError: it cannot be read, is no regular file, or is larger than `max_bytes`.
    """
    try:
        # Non-blocking, so that a named pipe in its place is found out instead of waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise ConfigError(
                f"{shown(path)} is not a regular file.", hint="Move it out of the way."
            )
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(max_bytes + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigError(
            f"{shown(path)} cannot be read: {error.strerror}.", hint="Check who may read it."
        ) from None
    if len(content) > max_bytes:
        raise ConfigError(
            f"{shown(path)} is larger than {max_bytes // 1024} KiB.",
            hint="Take out what does not belong there.",
        )
    return SmallFile(content, stat.S_IMODE(status.st_mode))


def replace_file(path: Path, content: bytes, *, mode: int) -> None:
    """Make `content` the whole of `path` at once: a crash leaves the old file or the new one.

    A symbolic link stays one; what it points to is replaced. The folder must be there.

    Raises:
        HermesError: the folder is read-only or gone, or the disk is full.
    """
    target = path.resolve()
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, mode)
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync(target.parent)
    except OSError as error:
        raise HermesError(
            f"{shown(path)} cannot be written: {error.strerror}.",
            hint="Check who may write there and how much space is left; nothing was changed.",
        ) from None


@contextmanager
def editing(path: Path) -> Generator[None, None, None]:
    """Keep other Hermes processes from changing `path` between our reading and replacing it.

    The lock is on its folder, which must be there; no lock file is left behind.
    """
    descriptor = os.open(path.resolve().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sync(folder: Path) -> None:
    """Make a renaming in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
