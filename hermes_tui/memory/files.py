"""`MEMORY.md` and `USER.md`: short lists of facts that people can read and edit.

Sizes are Unicode characters of the whole text, separators included. All changes are
made while the folder is locked; the file before the last change stays beside it.
"""

import fcntl
import hashlib
import os
import random
import stat
import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
from msgspec import Struct, structs

from hermes_tui.config.files import read_regular, replace_file
from hermes_tui.config.paths import shown
from hermes_tui.core.errors import ConfigError, HermesError, ToolError
from hermes_tui.core.memory import Target
from hermes_tui.memory.layout import SEPARATOR, joined, parse

NAMES: dict[Target, str] = {"memory": "MEMORY.md", "user": "USER.md"}
LIMITS: dict[Target, int] = {"memory": 2200, "user": 1375}
MAX_BYTES = 64 * 1024
LOCK_SECONDS = 30.0
_LOCK_RETRY_SECONDS = 0.02


class MemoryFile(Struct, frozen=True):
    """One memory file as it stands."""

    name: str
    path: Path
    text: str
    """Its entries with separators between them."""
    limit: int
    """Characters the prompt has room for."""
    problems: tuple[str, ...] = ()
    """What is wrong with it, as sentences for the person."""
    is_usable: bool = True
    """Whether it can be read; what cannot is not written either."""

    @property
    def size(self) -> int:
        return len(self.text)

    @property
    def entries(self) -> list[str]:
        return [entry.strip() for entry in self.text.split(SEPARATOR) if entry.strip()]


class MemoryFiles:
    """The memory files of one home."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._turn = anyio.Lock()

    def read(self, target: Target) -> MemoryFile:
        """The file as it is on disk now; empty when there is none. Never raises."""
        path = self._folder / NAMES[target]
        empty = MemoryFile(NAMES[target], path, "", LIMITS[target])
        try:
            raw = read_regular(path, max_bytes=MAX_BYTES).content
        except FileNotFoundError:
            if not path.is_symlink():
                return empty
            why = f"{shown(path)} is a link to a file that is not there."
            return structs.replace(empty, problems=(why,), is_usable=False)
        except ConfigError as error:
            return structs.replace(empty, problems=(_why(path, error),), is_usable=False)
        content = parse(raw)
        file = structs.replace(empty, text=joined(content.entries))
        problems = [f"{file.name} {problem}." for problem in content.problems]
        if file.size > file.limit:
            problems.append(
                f"{file.name} has {file.size:,} of {file.limit:,} characters; the prompt has what "
                "fits, and the next thing Hermes learns moves the least important to the archive."
            )
        return structs.replace(file, problems=tuple(problems))

    def for_prompt(self, target: Target) -> MemoryFile:
        """The file with as many entries, from the top, as its limit has room for."""
        file = self.read(target)
        entries = file.entries
        while entries and len(joined(entries)) > file.limit:
            entries.pop()
        return structs.replace(file, text=joined(entries))

    @asynccontextmanager
    async def locked(self) -> AsyncGenerator[None, None]:
        """Keep every other Hermes from changing the files.

        Raises:
            HermesError: another process has held on for `LOCK_SECONDS`, or the folder cannot
                be made.
        """
        async with self._turn:
            descriptor = self._open_folder()
            try:
                await _lock(descriptor, self._folder)
                self._sweep()
                yield
            finally:
                os.close(descriptor)

    async def write(self, before: MemoryFile, entries: Sequence[str]) -> MemoryFile:
        """Put `entries` in place of the file's; call it while `locked`.

        Raises:
            ToolError: the file is one that cannot be read.
            HermesError: the disk is full or read-only; nothing has changed.
        """
        if not before.is_usable:
            raise ToolError(
                f"{' '.join(before.problems)}", hint="Nothing can be kept there until it is mended."
            )
        return await anyio.to_thread.run_sync(self._write_now, before, tuple(entries))

    def _write_now(self, before: MemoryFile, entries: Iterable[str]) -> MemoryFile:
        text = joined(entries)
        path = before.path
        if path.exists():
            old = read_regular(path, max_bytes=MAX_BYTES).content
            if parse(old).problems:
                digest = hashlib.sha256(old).hexdigest()[:8]
                replace_file(path.with_name(f"{path.name}.broken-{digest}"), old, mode=0o600)
            replace_file(path.with_name(f"{path.name}.bak"), old, mode=0o600)
        replace_file(path, f"{text}\n".encode() if text else b"", mode=0o600)
        return structs.replace(before, text=text, problems=())

    def erase_copies(self, text: str) -> None:
        """Remove earlier versions that hold `text`; call it while `locked`."""
        for copy in self._folder.glob("*.md.*"):
            with suppress(OSError):
                if text in copy.read_text(encoding="utf-8", errors="replace"):
                    copy.unlink()

    def _open_folder(self) -> int:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise HermesError(
                f"{shown(self._folder)} cannot be used: {error.strerror}.",
                hint="Make it a folder you can write to.",
            ) from None

    def _sweep(self) -> None:
        """Remove what a killed writer left; nobody else writes while the folder is locked."""
        for name in NAMES.values():
            for left in self._folder.glob(f".{name}*.tmp"):
                with suppress(OSError):
                    left.unlink()


async def _lock(descriptor: int, folder: Path) -> None:
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise HermesError(
                    f"Another Hermes has held {shown(folder)} for {LOCK_SECONDS:.0f} s.",
                    hint="Close it, or wait for it, and try again.",
                ) from None
            await anyio.sleep(random.random() * _LOCK_RETRY_SECONDS)  # noqa: S311  spreads waiters
        else:
            return


def _why(path: Path, error: ConfigError) -> str:
    with suppress(OSError):
        if stat.S_ISDIR(path.stat().st_mode):
            return f"{shown(path)} is a folder, not a file."
    return error.message
