"""Files on this machine, read and replaced; every function blocks."""

import errno
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from hermes_environments import files
from hermes_tui.core.errors import ToolError

_FAILURES = {
    errno.ENOENT: files.MISSING,
    errno.ENOTDIR: files.MISSING,
    errno.EISDIR: files.IS_FOLDER,
    errno.ENXIO: files.NOT_REGULAR,
    errno.ENOSPC: files.FULL,
    errno.EDQUOT: files.FULL,
}


def read(path: Path, offset: int, limit: int | None) -> bytes:
    """`limit` bytes of a regular file from byte `offset` on.

    Raises:
        ToolError: there is no such file, it is a folder or a device, or may not be read.
    """
    try:
        # A fifo without a writer would block the thread for ever.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            _check_regular(path, os.fstat(fd).st_mode, verb="read")
            if offset:
                file.seek(offset)
            return file.read() if limit is None else file.read(limit)
    except (OSError, ValueError) as error:
        raise _failure(path, error, verb="read") from error


def write(path: Path, data: bytes) -> None:
    """Replace a file atomically and durably; a link keeps pointing to it, parents are created.

    Raises:
        ToolError: it is a folder or a device, or may not be written.
    """
    try:
        mode: int | None = None
        with suppress(FileNotFoundError):
            mode = path.stat().st_mode
            _check_regular(path, mode, verb="written")
        target = path.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        _replace(target, data, mode)
    except (OSError, ValueError) as error:
        raise _failure(path, error, verb="written") from error


def _replace(target: Path, data: bytes, mode: int | None) -> None:
    temporary = target.parent / f".hermes-{secrets.token_hex(6)}"
    # 0o666 under the person's umask, as any other program's new file.
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            if mode is not None:
                os.fchmod(fd, stat.S_IMODE(mode))
            os.fsync(fd)
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _check_regular(path: Path, mode: int, *, verb: str) -> None:
    if stat.S_ISDIR(mode):
        raise files.failure(str(path), files.IS_FOLDER, verb=verb)
    if not stat.S_ISREG(mode):
        raise files.failure(str(path), files.NOT_REGULAR, verb=verb)


def _failure(path: Path, error: OSError | ValueError, *, verb: str) -> ToolError:
    if isinstance(error, ValueError):
        return ToolError(f"{str(path)!r} is not a path.", hint="Remove the NUL byte from it.")
    code = _FAILURES.get(error.errno or 0, files.DENIED)
    return files.failure(str(path), code, verb=verb)
