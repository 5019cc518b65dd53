"""Reading what packages come in: folders, zip files, tar files. Nothing is unpacked to disk."""

import gzip
import io
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from hermes_tui.core.errors import ConfigError
from hermes_tui.skills.packages import MAX_BYTES, MAX_ENTRIES, MAX_PACKAGE_BYTES, Entry

MAX_LIST_BYTES = MAX_ENTRIES * 300
"""Of a zip file's list of names, all of which zipfile reads at once."""
MAX_DEPTH = 20
_END = b"PK\x05\x06"
_END_BYTES = 22
_END64_LOCATOR = b"PK\x06\x07"
_END64_LOCATOR_BYTES = 20
_MAX_COMMENT_BYTES = 65_535
_DAMAGED = (
    zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, struct.error,
    NotImplementedError, ValueError,
)  # fmt: skip
"""What zipfile, tarfile and gzip raise for bytes that are none of theirs."""
_SKIPPED = frozenset({".git", "node_modules"})


@contextmanager
def opened(path: Path) -> Generator[Iterator[Entry], None, None]:
    """What a folder or archive holds, readable until the block ends.

    Raises:
        ConfigError: it is no archive Hermes reads, is damaged, or cannot be read.
    """
    with ExitStack() as stack:
        with _explained(path):
            entries = _in_folder(path) if path.is_dir() else _in_archive(path, stack)
        yield _each(path, entries)


def _in_archive(path: Path, stack: ExitStack) -> Iterator[Entry]:
    file = stack.enter_context(path.open("rb"))
    if os.fstat(file.fileno()).st_size > MAX_PACKAGE_BYTES:
        raise ConfigError(
            f"{path.name} has more than {MAX_PACKAGE_BYTES // 2**20} MB.",
            hint="Unpack it and name the folder a skill is in.",
        )
    start = file.read(4)
    if start == b"PK\x03\x04":
        _check_list(file)
        return _in_zip(stack.enter_context(zipfile.ZipFile(file)))
    if start.startswith(b"\x1f\x8b"):
        file.seek(0)
        return _in_tar(file)
    raise ConfigError(
        f"{path.name} is neither a zip nor a tar.gz file.",
        hint="Pack the skill's folder with zip or tar.",
    )


@contextmanager
def _explained(path: Path) -> Generator[None, None, None]:
    try:
        yield
    except _DAMAGED as error:
        raise ConfigError(f"{path.name} is damaged: {error}.", hint="Get it again.") from error
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror or error}.", hint="Check who may read it."
        ) from error


def _each(path: Path, entries: Iterator[Entry]) -> Iterator[Entry]:
    with _explained(path):
        yield from entries


def _in_folder(root: Path) -> Iterator[Entry]:
    """Everything below `root`; links are not followed, and git's own folder is passed over."""
    waiting = [(root, "")]
    while waiting:
        folder, prefix = waiting.pop()
        inner: list[tuple[Path, str]] = []
        with os.scandir(folder) as found:
            for entry in sorted(found, key=lambda one: one.name):
                path = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in _SKIPPED and prefix.count("/") < MAX_DEPTH:
                        inner.append((folder / entry.name, f"{path}/"))
                elif entry.is_symlink():
                    yield Entry(path, "link", _nothing)
                elif entry.is_file(follow_symlinks=False):
                    yield Entry(path, "file", _FileContent(folder / entry.name))
                else:
                    yield Entry(path, "device", _nothing)
        waiting += reversed(inner)


class _FileContent:
    """Reads a file; what takes its place meanwhile is neither followed nor waited for."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, size: int) -> bytes:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(self._path, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ValueError("It is no regular file.")
            return file.read(size)


def _check_list(file: IO[bytes]) -> None:
    """Refuse a zip file whose list of names is too long to be read.

    Its end record is found as zipfile finds it, so that both look at the same one.

    Raises:
        ConfigError: it is too long, or says its length in the way of files over 4 GB.
    """
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - _MAX_COMMENT_BYTES - _END_BYTES)
    file.seek(start)
    tail = file.read()
    at = len(tail) - _END_BYTES
    if not (at >= 0 and tail[at:].startswith(_END) and tail.endswith(b"\0\0")):
        at = tail.rfind(_END)
    file.seek(0)
    if at < 0 or len(tail) < at + _END_BYTES:
        return  # zipfile finds no end either, and says so
    is_large = tail[: at - _END64_LOCATOR_BYTES + 4].endswith(_END64_LOCATOR)
    (list_bytes,) = struct.unpack_from("<I", tail, at + 12)
    if (is_large and at >= _END64_LOCATOR_BYTES) or list_bytes > MAX_LIST_BYTES:
        raise ConfigError(
            f"It holds more than {MAX_ENTRIES:,} files.",
            hint="Unpack it and name the folder a skill is in.",
        )


def _in_zip(archive: zipfile.ZipFile) -> Iterator[Entry]:
    for item in archive.infolist():
        # zipfile cuts the usual name at a NUL; the original one is what has to be judged.
        path = item.orig_filename
        if path.startswith("__MACOSX/"):
            continue
        if path.endswith("/"):
            continue
        mode = item.external_attr >> 16
        kind = stat.S_IFMT(mode)
        if stat.S_ISLNK(mode):
            yield Entry(path, "link", _nothing)
        elif kind not in {0, stat.S_IFREG}:
            yield Entry(path, "device", _nothing)
        else:
            yield Entry(path, "file", _ZipContent(archive, item))


class _ZipContent:
    def __init__(self, archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> None:
        self._archive = archive
        self._item = item

    def __call__(self, size: int) -> bytes:
        # zipfile inflates in steps for these two only; the others are unpacked at once.
        if self._item.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise ValueError("It is packed in a way that is not taken.")
        if self._item.flag_bits & 1:
            raise ValueError("It is encrypted.")
        try:
            with self._archive.open(self._item) as file:
                return file.read(size)
        except zipfile.BadZipFile as error:
            raise ValueError(str(error)) from error


def _in_tar(packed: IO[bytes]) -> Iterator[Entry]:
    """The members of a tar.gz file, in order; contents are read on the way."""
    with gzip.GzipFile(fileobj=packed) as unpacked:
        limited = _Limited(unpacked)
        with tarfile.open(fileobj=limited, mode="r|") as archive:
            for member in archive:
                path = member.name
                if member.isdir():
                    continue
                if member.issym() or member.islnk():
                    yield Entry(path, "link", _nothing)
                elif not member.isreg() or member.issparse():
                    yield Entry(path, "device", _nothing)
                else:
                    file = archive.extractfile(member)
                    content = file.read(MAX_BYTES + 1) if file else b""
                    yield _held(path, content)


def _held(path: str, content: bytes) -> Entry:
    return Entry(path, "file", lambda size: content[:size])


class _Limited(io.BufferedIOBase):
    """Reads until as much was inflated as a package may hold."""

    def __init__(self, inner: gzip.GzipFile) -> None:
        super().__init__()
        self._inner = inner
        self._left = MAX_PACKAGE_BYTES

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = self._left + 1
        content = self._inner.read(min(size, wanted) if size is not None and size >= 0 else wanted)
        self._left -= len(content)
        if self._left < 0:
            raise ConfigError(
                f"It unpacks to more than {MAX_PACKAGE_BYTES // 2**20} MB.",
                hint="Unpack it and name the folder a skill is in.",
            )
        return content


def _nothing(size: int) -> bytes:
    del size
    return b""
