"""One SQLite file, one writer thread, one reader thread.

Nothing in this package opens the database with Python's own `open()`: closing such a
file drops SQLite's POSIX locks for the whole process, after which another process may
delete the write-ahead log in use. Modes are set by path with `os.chmod`.
"""

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import SimpleQueue
from typing import Self, TypeVar

import anyio

from hermes_tui.core.errors import StoreError

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

APPLICATION_ID = 0x48726D73  # "Hrms"
BUSY_SECONDS = 10.0
DAY = 24 * 3600 * 1_000_000
"""In stamps."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A day before the last one, so that every time zone can show it.
_LATEST = (datetime(9999, 12, 30, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


def stamp(at: datetime) -> int:
    """Microseconds since 1970 in UTC, as stored; `at` is timezone-aware."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def moment(microseconds: int) -> datetime:
    """The UTC time a stored stamp stands for; one out of all reason is held within 9998 years."""
    return _EPOCH + timedelta(microseconds=min(max(microseconds, 0), _LATEST))


def now() -> int:
    """The stamp of this moment."""
    return time.time_ns() // 1000


class Database:
    """Reads and writes, each in a transaction of its own."""

    def __init__(
        self, path: Path, writer: "_ConnectionThread", reader: "_ConnectionThread"
    ) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader
        self._identity = _identity(path)

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncGenerator[Self, None]:
        """Open the file, creating it and its folder (mode 0600 and 0700) where they are missing.

        Raises:
            StoreError: it cannot be read or written, is damaged, or is not Hermes's.
        """
        path = path.absolute()  # noqa: ASYNC240  asks only for the working directory
        writer = _ConnectionThread("hermes-store-writer")
        reader = _ConnectionThread("hermes-store-reader")
        try:
            await writer.open(lambda: _connect(path))
            await reader.open(lambda: _connect_reader(path))
            yield cls(path, writer, reader)
        finally:
            with anyio.CancelScope(shield=True):
                await reader.close()
                await writer.close()

    async def write(self, work: Work[T]) -> T:
        """Run `work` between BEGIN IMMEDIATE and COMMIT; durable when this returns.

        Once asked for, a write completes even when the caller is cancelled.

        Raises:
            StoreError: the disk is full, read-only or damaged, or another process holds on.
        """
        with anyio.CancelScope(shield=True):
            return await self._writer.run(lambda connection: self._in_write(connection, work))
        raise AssertionError("a shielded scope swallows nothing")

    async def read(self, work: Work[T]) -> T:
        """Run `work` on one snapshot of the committed state.

        Raises:
            StoreError: the file cannot be read or is damaged.
        """
        return await self._reader.run(lambda connection: self._in_read(connection, work))

    def _in_write(self, connection: sqlite3.Connection, work: Work[T]) -> T:
        if _identity(self.path) != self._identity:
            raise StoreError(
                f"{self.path} was moved, deleted or replaced while Hermes was using it.",
                hint="Put it back, or restart Hermes to begin with what is there now.",
            )
        return _transaction(connection, self.path, "BEGIN IMMEDIATE", work)

    def _in_read(self, connection: sqlite3.Connection, work: Work[T]) -> T:
        return _transaction(connection, self.path, "BEGIN", work)


def _transaction(connection: sqlite3.Connection, path: Path, begin: str, work: Work[T]) -> T:
    try:
        connection.execute(begin)
        try:
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    except sqlite3.Error as error:
        raise explained(error, path) from error
    return result


class _ConnectionThread:
    """A thread that owns one connection and runs one piece of work at a time.

    A hand-over costs 30 µs of CPU, half of `anyio.to_thread`, and a turn makes many.
    """

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._connection: sqlite3.Connection | None = None
        # A daemon, so that an interpreter going down without `close` does not wait for it.
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    async def open(self, connect: Callable[[], sqlite3.Connection]) -> None:
        def work() -> None:
            self._connection = connect()

        # A connection must not outlive the thread unnoticed, so opening is not cut short.
        with anyio.CancelScope(shield=True):
            await self._hand_over(work)

    async def run(self, work: Work[T]) -> T:
        def bound() -> T:
            if self._connection is None:
                raise StoreError("The session store is closed.")
            return work(self._connection)

        return await self._hand_over(bound)

    async def close(self) -> None:
        def work() -> None:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

        await self._hand_over(work)
        self._jobs.put(None)
        self._thread.join()

    async def _hand_over(self, work: Callable[[], T]) -> T:
        if not self._thread.is_alive():
            raise StoreError("The session store is closed.")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            if future.done():  # the reader who asked was cancelled
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # pyright: ignore[reportArgumentType]

        def job() -> None:
            result: T | None = None
            failure: BaseException | None = None
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001  raised again in the caller
                failure = error
            with suppress(RuntimeError):  # the loop is gone, and with it whoever waited
                loop.call_soon_threadsafe(settle, result, failure)

        self._jobs.put(job)
        return await future

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


def _connect(path: Path) -> sqlite3.Connection:
    """A connection that may write, to a database that is ours or empty."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"The folder {path.parent} cannot be created: {error.strerror}.",
            hint="Set HERMES_HOME to a folder you can write to.",
        ) from error
    try:
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            # Before anything is written, so that no reader of a wider mode ever sees a byte.
            _restrict(path)
            check_ours(connection, path)
            _set_up(connection)
            # Heeded in a new file only; rows of half a kilobyte waste less of larger pages.
            connection.execute("PRAGMA page_size = 8192")
            _use_wal(connection)
            connection.execute("PRAGMA wal_autocheckpoint = 500")
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise explained(error, path) from error
    return connection


def _connect_reader(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        _set_up(connection)
        connection.execute("PRAGMA query_only = ON")
    except sqlite3.Error as error:
        raise explained(error, path) from error
    return connection


def _set_up(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA trusted_schema = OFF")


def _restrict(path: Path) -> None:
    """Mode 0600 for the database and its side files, as far as they exist and are ours."""
    for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        with suppress(OSError):
            if name.stat().st_mode & 0o077:
                os.chmod(name, 0o600)  # noqa: PTH101  by path, like everything done to this file


def check_ours(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse another program's database.

    Raises:
        StoreError: it is one.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application == APPLICATION_ID:
        return
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application or objects:
        raise StoreError(
            f"{path} is a database of another program.",
            hint="Set HERMES_HOME to a folder of its own.",
        )


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging where the file system can share memory, else stay as is."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            # SQLite does not apply the busy timeout to this switch.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


_SALVAGE = (
    "Move it and its -wal and -shm files to another folder and start again; "
    "docs/store.md says how to salvage sessions."
)
_WRITABLE = "Make the folder and the file writable for you, or set HERMES_HOME to another folder."
_EXPLANATIONS = {
    sqlite3.SQLITE_NOTADB: ("is damaged, or not a database at all", _SALVAGE),
    sqlite3.SQLITE_CORRUPT: ("is damaged", _SALVAGE),
    sqlite3.SQLITE_FULL: ("cannot grow: the disk is full", "Free some space and try again."),
    sqlite3.SQLITE_READONLY: ("may only be read", _WRITABLE),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened for writing", _WRITABLE),
    sqlite3.SQLITE_PERM: ("may not be accessed", _WRITABLE),
    sqlite3.SQLITE_BUSY: (
        f"has been locked by another process for {BUSY_SECONDS:.0f} s",
        "Close other programs that use it and try again.",
    ),
    sqlite3.SQLITE_IOERR: (
        "cannot be read or written: the disk reports an error, or is full",
        "Check the disk and its free space.",
    ),
}


def explained(error: sqlite3.Error, path: Path) -> Exception:
    """A `StoreError` for what circumstances cause; a programming error stays as it is."""
    # Errors raised by the sqlite3 module rather than by SQLite carry no code.
    code = getattr(error, "sqlite_errorcode", None)
    if code is None or code & 0xFF not in _EXPLANATIONS:
        return error
    fact, hint = _EXPLANATIONS[code & 0xFF]
    return StoreError(f"{path} {fact}.", hint=hint)
