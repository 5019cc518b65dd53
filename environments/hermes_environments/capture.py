"""Keeps what a command prints: both ends in memory, all of it in a file when it is long."""

import fcntl
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import anyio

from hermes_tui.core.environment import Output

HEAD_BYTES = 64 * 1024
TAIL_BYTES = 64 * 1024
SPILL_BYTES = 256 * 1024 * 1024
BATCH_BYTES = 1024 * 1024
SPILL_DAYS = 7
"""Spill files older than this are removed when a new one is made."""
ALL_SPILL_BYTES = 1024 * 1024 * 1024
"""All of them together, the new one at its full size; the oldest are removed for it."""


def make_private(folder: Path) -> None:
    """Create `folder` and its missing parents, for this user only."""
    for path in (*reversed(folder.parents), folder):
        if not path.is_dir():
            path.mkdir(mode=0o700, exist_ok=True)


class Capture:
    """Head and tail of a byte stream, and a file under `folder` once they cannot hold it.

    Without a folder there is no file.

    Memory stays below head + 2 tails + one batch. The file gets every byte up to
    `spill_bytes`; after that only counting and the tail go on. A file that cannot be
    written costs the file, not the command.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        head_bytes: int = HEAD_BYTES,
        tail_bytes: int = TAIL_BYTES,
        spill_bytes: int = SPILL_BYTES,
    ) -> None:
        self._folder = folder
        self._head_bytes = head_bytes
        self._tail_bytes = tail_bytes
        self._spill_bytes = spill_bytes
        self._head = bytearray()
        self._tail = bytearray()
        self._batch = bytearray()
        self._total = 0
        self._path: Path | None = None
        self._file: BinaryIO | None = None
        """Locked while there may be more, so that no Hermes removes it."""
        self._is_spilling = folder is not None
        """Becomes False at the cap or at the first error."""

    async def add(self, data: bytes) -> None:
        """Take the next bytes; disk writes happen in batches, in a thread."""
        self._total += len(data)
        if self._total <= self._head_bytes:
            self._head += data
            return
        if room := self._head_bytes - len(self._head):
            self._head += data[:room]
            data = data[room:]
        had_overflowed = self._path is not None or not self._is_spilling
        if not had_overflowed and self._total > self._head_bytes + self._tail_bytes:
            await self._spill(bytes(self._head + self._tail), is_first=True)
        self._tail += data
        if len(self._tail) > 2 * self._tail_bytes:
            del self._tail[: len(self._tail) - self._tail_bytes]
        if self._path is not None and self._is_spilling:
            self._batch += data
            if len(self._batch) >= BATCH_BYTES:
                await self._spill_batch()

    async def close(self) -> None:
        """Complete the file, if there is one; what is added later is not in it."""
        if self._batch:
            await self._spill_batch()
        self._let_go()

    async def output(self) -> Output:
        """What was taken so far; the file is closed."""
        await self.close()
        return Output(
            head=bytes(self._head),
            tail=bytes(self._tail[-self._tail_bytes :]),
            total_bytes=self._total,
            path=str(self._path) if self._path else None,
        )

    async def _spill_batch(self) -> None:
        batch = bytes(self._batch)
        self._batch.clear()
        await self._spill(batch)

    async def _spill(self, data: bytes, *, is_first: bool = False) -> None:
        with anyio.CancelScope(shield=True):  # a batch is written once and whole
            await anyio.to_thread.run_sync(self._write, data, is_first)

    def _write(self, data: bytes, is_first: bool) -> None:
        try:
            if is_first:
                self._create()
            assert self._file is not None
            if os.fstat(self._file.fileno()).st_nlink == 0:
                raise FileNotFoundError(self._path)
            room = self._spill_bytes - self._file.tell()
            left = memoryview(data)[:room]
            while left:
                left = left[self._file.write(left) :]
            if len(data) >= room:
                self._let_go()
        except OSError:
            self._is_spilling = False
            self._let_go()
            if self._path:
                with suppress(OSError):
                    self._path.unlink()
            self._path = None

    def _let_go(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            self._is_spilling = False

    def _create(self) -> None:
        assert self._folder is not None
        make_private(self._folder)
        _make_room(self._folder, ALL_SPILL_BYTES - self._spill_bytes)
        path = self._folder / f"{secrets.token_hex(8)}.txt"
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        self._path, self._file = path, os.fdopen(fd, "wb", buffering=0)
        with suppress(OSError):  # not every file system has locks
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)


def _make_room(folder: Path, most_bytes: int) -> None:
    """Remove files that are old, and the oldest beyond `most_bytes`, but none still written to."""
    found: list[tuple[float, int, Path]] = []
    for path in folder.glob("*.txt"):
        with suppress(OSError):
            facts = path.stat()
            found.append((facts.st_mtime, facts.st_size, path))
    total = sum(size for _, size, _ in found)
    too_old = time.time() - SPILL_DAYS * 86_400
    for changed_at, size, path in sorted(found):
        if changed_at >= too_old and total <= most_bytes:
            break
        with suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            total -= size
