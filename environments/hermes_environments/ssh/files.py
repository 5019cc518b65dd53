"""Files on an SSH host, over SFTP; every function blocks."""

import errno
import io
import posixpath
import secrets
import stat
import threading
from contextlib import suppress

import paramiko

from hermes_environments import files
from hermes_environments.worker import encode
from hermes_tui.core.errors import ToolError

PIECE = 32_768
"""Bytes that every server can handle in one request (SFTP draft 2, section 3)."""
LINKS = 40
"""As many as Linux follows."""

_FAILURES = {errno.ENOENT: files.MISSING, errno.ENOSPC: files.FULL}


class UnsupportedError(Exception):
    """The server cannot replace a file atomically."""


class Files:
    """One SFTP session; requests wait for each other, as paramiko confuses their answers."""

    def __init__(self, client: paramiko.SFTPClient) -> None:
        self._client = client
        self._turn = threading.Lock()

    @property
    def is_open(self) -> bool:
        channel = self._client.get_channel()
        return channel is not None and not channel.closed

    def close(self) -> None:
        self._client.close()

    def read(self, path: str, offset: int, limit: int | None) -> bytes:
        """`limit` bytes of a regular file from byte `offset` on.

        Raises:
            ToolError: there is no such file, it is a folder or a device, or may not be read.
        """
        with self._turn:
            try:
                return self._read(encode(path), offset, limit)
            except OSError as error:
                raise self._failure(path, error, verb="read") from error

    def write(self, path: str, data: bytes) -> None:
        """Replace a file atomically; a link keeps pointing to it, parents are created.

        Raises:
            ToolError: it is a folder or a device, or may not be written.
            UnsupportedError: the server cannot replace a file; nothing was changed.
        """
        with self._turn:
            try:
                target = self._target(encode(path))
                mode = self._mode(target)
                self._check_regular(path, mode, verb="written")
                self._make_folder(posixpath.dirname(target))
                self._replace(target, data, mode)
            except OSError as error:
                raise self._failure(path, error, verb="written") from error

    def _read(self, path: bytes, offset: int, limit: int | None) -> bytes:
        attributes = self._client.stat(path)
        self._check_regular(path.decode("utf-8", "replace"), attributes.st_mode, verb="read")
        size = max(0, (attributes.st_size or 0) - offset)
        wanted = size if limit is None else min(limit, size)
        with self._client.open(path, "rb") as file:
            file.seek(offset)
            if not attributes.st_size:  # what /proc holds has no size
                return file.read() if limit is None else file.read(limit)
            if wanted > PIECE:
                file.prefetch(offset + wanted)
            # One read of it all copies what it has for every packet that comes in.
            pieces: list[bytes] = []
            while wanted and (piece := file.read(min(wanted, PIECE))):
                pieces.append(piece)
                wanted -= len(piece)
            return b"".join(pieces)

    def _target(self, path: bytes) -> bytes:
        for _ in range(LINKS):
            mode = self._mode(path, follows=False)
            if mode is None or not stat.S_ISLNK(mode):
                return path
            link = self._client.readlink(path)
            path = posixpath.join(posixpath.dirname(path), encode(link or ""))
        raise OSError(errno.ELOOP, "Too many links")

    def _mode(self, path: bytes, *, follows: bool = True) -> int | None:
        with suppress(FileNotFoundError):
            look = self._client.stat if follows else self._client.lstat
            return look(path).st_mode
        return None

    def _make_folder(self, folder: bytes) -> None:
        if self._mode(folder) is None:
            self._make_folder(posixpath.dirname(folder))
            self._client.mkdir(folder)

    def _replace(self, target: bytes, data: bytes, mode: int | None) -> None:
        name = f".hermes-{secrets.token_hex(6)}".encode()
        temporary = posixpath.join(posixpath.dirname(target), name)
        try:
            self._put(data, temporary)
            if mode is not None:
                self._client.chmod(temporary, stat.S_IMODE(mode))
            try:
                self._client.posix_rename(temporary, target)
            except OSError as error:
                if error.errno is None and "nsupported" in str(error):
                    raise UnsupportedError from error
                raise
        except BaseException:
            with suppress(OSError, EOFError, paramiko.SSHException):
                self._client.remove(temporary)
            raise

    def _put(self, data: bytes, path: bytes) -> None:
        """Write a new file, whose mode follows the umask."""
        try:
            self._client.putfo(io.BytesIO(data), path, confirm=True)
        except OSError as error:
            # The protocol knows no better word for a full disk than failure.
            if error.errno is None and self.is_open and self._mode(path) is not None:
                raise OSError(errno.ENOSPC, "No space left") from error
            raise

    def _check_regular(self, path: str, mode: int | None, *, verb: str) -> None:
        if mode is None or stat.S_ISREG(mode):
            return
        code = files.IS_FOLDER if stat.S_ISDIR(mode) else files.NOT_REGULAR
        raise files.failure(path, code, verb=verb)

    def _failure(self, path: str, error: OSError, *, verb: str) -> ToolError | OSError:
        """The error to raise: what is wrong with the file, or with the connection."""
        if not self.is_open:
            return error
        return files.failure(path, _FAILURES.get(error.errno or 0, files.DENIED), verb=verb)
