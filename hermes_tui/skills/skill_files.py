"""The files of a skill's folder as git would hold them, read and written without git.

Nothing here follows a symbolic link or runs a filter: a link is its target's text. What git
cannot hold (`.git` in any spelling, sockets, pipes, devices) is left alone.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

from msgspec import Struct

from hermes_tui.core.errors import HermesError
from hermes_tui.skills.library import SKIPPED
from hermes_tui.skills.skill import FILE

MAX_FILES = 2_000
MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 40
ARCHIVE = ".archive"

Mode = Literal[0o100644, 0o100755, 0o120000]
LINK: Mode = 0o120000
PROGRAM: Mode = 0o100755
PLAIN: Mode = 0o100644

# What git refuses as a name because some file system takes it for `.git` (path.c, is_ntfs_dotgit).
_GIT_NAME = re.compile(r"(\.git|git~1)[ .]*([:\\].*)?", re.IGNORECASE | re.DOTALL)


class Blob(Struct, frozen=True):
    """One file."""

    mode: Mode
    content: bytes

    @property
    def id(self) -> str:
        """What git calls it: 40 hexadecimal digits."""
        head = b"blob %d\0" % len(self.content)
        return hashlib.sha1(head + self.content, usedforsecurity=False).hexdigest()


Files = dict[str, Blob]
"""By path below the folder, with `/`; bytes that are no UTF-8 as `os.fsdecode` shows them."""


def checked_path(skill: str) -> str:
    """`skill` if it can be the path of a skill.

    Raises:
        HermesError: it is absolute, climbs, is hidden, or has a name no skill can have.
    """
    parts = skill.split("/")
    is_good = len(skill.encode(errors="replace")) <= 255 and skill.isprintable()
    if is_good and all(part and part[0] != "." and not is_git_name(part) for part in parts):
        return skill
    raise HermesError(
        f"{skill!r} cannot be the path of a skill.",
        hint="Use a relative path like 'bisect' or 'git/bisect'.",
    )


def neighbour(root: Path, skill: str) -> str:
    """The path of another skill that lies above or below `skill`; empty where none does.

    What lies below a folder that is a skill is a part of it.
    """
    parts = skill.split("/")
    for end in range(1, len(parts)):
        above = "/".join(parts[:end])
        if os.path.lexists(root / above / FILE):
            return above
    if os.path.lexists(root / skill / FILE):
        return ""
    for here, folders, files in os.walk(root / skill):
        folders[:] = [one for one in folders if one not in SKIPPED and not one.startswith(".")]
        if FILE in files:
            return Path(here).relative_to(root).as_posix()
    return ""


def is_git_name(name: str) -> bool:
    return _GIT_NAME.fullmatch(name) is not None


def read_files(folder: Path) -> Files:
    """Every file below `folder`; none where it is missing or no real folder.

    Raises:
        HermesError: a file cannot be read, or there are more than MAX_FILES, MAX_BYTES or
            MAX_DEPTH allow.
    """
    files: Files = {}
    size = 0
    try:
        for path, entry in _entries(folder):
            blob = _blob(entry)
            if blob is None:
                continue
            files[path] = blob
            size += len(blob.content)
            if len(files) > MAX_FILES or size > MAX_BYTES:
                raise _too_large(folder)
    except OSError as error:
        raise HermesError(
            f"{folder.name}: {error.filename or folder} cannot be read ({error.strerror}).",
            hint="Check who may read it.",
        ) from error
    return files


def holds_files(folder: Path) -> bool:
    """Whether `read_files` would find any."""
    return next(_entries(folder), None) is not None


def put_files(folder: Path, files: Mapping[str, Blob]) -> None:
    """Make `folder` hold exactly `files`, durably; one that is right already is not touched.

    Folders left empty go, `folder` too.

    Raises:
        OSError: the disk is full or read-only, or something git cannot hold is in the way.
    """
    present = read_files(folder)
    for path in present.keys() - files.keys():
        (folder / path).unlink(missing_ok=True)
    for here, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):
            Path(here).rmdir()
    changed = [path for path, blob in files.items() if present.get(path) != blob]
    for path in changed:
        _write(folder / path, files[path])
    sync_files(folder, changed)


def export_files(files: Files, target: Path) -> None:
    """Write `files` to a new or empty folder.

    Raises:
        HermesError: it holds something, or cannot be written.
    """
    try:
        if target.is_symlink() or (target.exists() and any(target.iterdir())):
            raise HermesError(
                f"{target} is not an empty folder.", hint="Name a folder that is not there yet."
            )
        target.mkdir(parents=True, exist_ok=True)
        put_files(target, files)
    except OSError as error:
        raise HermesError(
            f"{target} cannot be written: {error.strerror}.", hint="Choose another folder."
        ) from error


def sync(path: Path) -> None:
    """Make a file, or the names in a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_files(folder: Path, paths: Iterable[str]) -> None:
    """Make what `paths` hold survive a power cut; links and what is gone are passed over."""
    folders = {folder}
    for path in paths:
        with suppress(OSError):
            sync(folder / path)
        folders.update((folder / path).parents[: path.count("/") + 1])
    for each in folders:
        with suppress(OSError):
            sync(each)


def remove_empty_folders(folder: Path, *, below: Path) -> None:
    """Remove `folder` and what holds nothing else, up to and without `below`."""
    with suppress(OSError):
        while folder != below:
            folder.rmdir()
            folder = folder.parent


def has_linked_part(root: Path, path: str) -> bool:
    """Whether going from `root` to `path` would follow a symbolic link."""
    here = root
    for part in path.split("/"):
        here /= part
        if here.is_symlink():
            return True
    return False


def _entries(folder: Path) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
    if folder.is_symlink() or not folder.is_dir():
        return
    waiting = [(folder, "")]
    while waiting:
        here, prefix = waiting.pop()
        if prefix.count("/") > MAX_DEPTH:
            raise _too_large(folder)
        with os.scandir(here) as found:
            for entry in found:
                if is_git_name(entry.name):
                    continue
                path = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((here / entry.name, path + "/"))
                else:
                    yield path, entry


def _blob(entry: "os.DirEntry[str]") -> Blob | None:
    try:
        if entry.is_symlink():
            return Blob(LINK, os.fsencode(os.readlink(entry.path)))  # noqa: PTH115  keeps bytes
        if not entry.is_file(follow_symlinks=False):
            return None
        if entry.stat(follow_symlinks=False).st_size > MAX_BYTES:
            raise _too_large(Path(entry.path).parent)
        # Should a link or a pipe take its place in between, it is neither followed nor waited for.
        descriptor = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return None
        return Blob(PROGRAM if status.st_mode & stat.S_IXUSR else PLAIN, file.read(MAX_BYTES + 1))


def _write(path: Path, blob: Blob) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        if blob.mode == LINK:
            os.symlink(os.fsdecode(blob.content), temporary)  # noqa: PTH211  keeps bytes
        else:
            mode = 0o777 if blob.mode == PROGRAM else 0o666
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as file:
                file.write(blob.content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _too_large(folder: Path) -> HermesError:
    return HermesError(
        f"{folder} is too large for a skill: more than {MAX_FILES:,} files, "
        f"{MAX_BYTES // 2**20} MiB or {MAX_DEPTH} levels.",
        hint="Move out what is no part of it.",
    )
