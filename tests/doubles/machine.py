"""What a cloud double rents out: a folder of this machine and the processes started in it."""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path

MARK = "HERMES_DOUBLE_MACHINE"
CHUNK = 65_536
HELD_BYTES = 1024 * 1024
"""Output held for a reader; beyond that the process waits."""


class Machine:
    """Runs commands of this machine, in `disk`, and knows what it would cost."""

    def __init__(self, disk: Path) -> None:
        self.id = secrets.token_hex(8)
        self.disk = disk
        self.processes: dict[str, Process] = {}
        self._awake_before = 0.0
        self._awake_since: float | None = None
        self.busy_at = time.monotonic()
        """When something last ran."""

    @property
    def is_awake(self) -> bool:
        return self._awake_since is not None

    @property
    def awake_seconds(self) -> float:
        """What is paid for."""
        now = time.monotonic()
        return self._awake_before + (now - self._awake_since if self._awake_since else 0.0)

    @property
    def running(self) -> int:
        return sum(process.code is None for process in self.processes.values())

    @property
    def idle_seconds(self) -> float:
        if self.running:
            self.busy_at = time.monotonic()
        return time.monotonic() - self.busy_at

    async def wake(self, files: Path | None = None) -> None:
        """Start it with the files of another disk, or with those it has."""
        if files is not None:
            await copy(files, self.disk)
        (self.disk / "home").mkdir(parents=True, exist_ok=True)
        self._awake_since = self.busy_at = time.monotonic()

    def sleep(self) -> None:
        """Stop it: every process ends, the files stay."""
        self._awake_before = self.awake_seconds
        self._awake_since = None
        self.kill_all()

    def kill_all(self) -> None:
        mark = f"{MARK}={self.id}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    os.kill(int(folder.name), signal.SIGKILL)

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """What a process in it sees."""
        own = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.disk / "home"),
            "LANG": "C.UTF-8",
            MARK: self.id,
        }
        return {**own, **env}

    async def start(
        self, key: str, argv: Sequence[str], env: Mapping[str, str], *, cwd: str | None = None
    ) -> "Process":
        """Start a process, known as `key`, on pipes."""
        child = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd=cwd or self.disk / "home",
            env=self.environment(env),
            start_new_session=True,
        )
        self.processes[key] = process = Process(child)
        await process.begin()
        return process


class Process:
    """One process; what it prints is held until somebody reads it, and a little longer."""

    def __init__(self, child: "subprocess.Popen[bytes]") -> None:
        self.code: int | None = None
        self.readers = 0
        self._child = child
        self._base = 0
        self._held = bytearray()
        self._read_to = 0
        self._is_at_end = child.stdout is None
        self._changed = asyncio.Condition()
        self._tasks = [asyncio.create_task(self._reap())]

    async def begin(self) -> None:
        loop = asyncio.get_running_loop()
        if self._child.stdout is not None:
            stdout = asyncio.StreamReader(limit=CHUNK)
            self._output, _ = await loop.connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(stdout), self._child.stdout
            )
            self._tasks.append(asyncio.create_task(self._pump(stdout)))
        if self._child.stdin is not None:
            transport, protocol = await loop.connect_write_pipe(
                asyncio.streams.FlowControlMixin, self._child.stdin
            )
            self._stdin = asyncio.StreamWriter(transport, protocol, None, loop)

    async def wait(self) -> int:
        async with self._changed:
            await self._changed.wait_for(lambda: self.code is not None)
        assert self.code is not None
        return self.code

    async def write(self, data: bytes, *, eof: bool) -> None:
        with contextlib.suppress(ConnectionError):
            self._stdin.write(data)
            await self._stdin.drain()
            if eof:
                self._stdin.close()

    async def read(self, offset: int) -> AsyncGenerator[bytes, None]:
        """All it prints from byte `offset` on, until nobody can print any more."""
        self.readers += 1
        try:
            while True:
                async with self._changed:
                    while not self._is_at_end and self._base + len(self._held) <= offset:
                        await self._changed.wait()
                    at = max(0, offset - self._base)
                    data = bytes(self._held[at : at + CHUNK])
                if not data:
                    return
                yield data
                async with self._changed:
                    offset += len(data)
                    self._read_to = max(self._read_to, offset)
                    self._forget()
                    self._changed.notify_all()
        finally:
            self.readers -= 1

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        async with self._changed:
            self.code = self._child.wait() if self.code is None else self.code
            self._is_at_end = True
            self._changed.notify_all()
        if self._child.stdin is not None:
            self._stdin.close()
        if self._child.stdout is not None:
            self._output.close()

    def _forget(self) -> None:
        """Keep what a reader whose connection broke may ask for again."""
        spare = self._read_to - self._base - HELD_BYTES // 4
        if spare > 0:
            del self._held[:spare]
            self._base += spare

    async def _reap(self) -> None:
        # asyncio's own processes count as running while a child of theirs holds the output.
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        watched = os.pidfd_open(self._child.pid)
        try:
            loop.add_reader(watched, ended.set)
            await ended.wait()
        finally:
            loop.remove_reader(watched)
            os.close(watched)
            code = self._child.wait()
        async with self._changed:
            self.code = code
            self._changed.notify_all()

    async def _pump(self, stdout: asyncio.StreamReader) -> None:
        while data := await stdout.read(CHUNK):
            async with self._changed:
                self._held += data
                self._changed.notify_all()
                if self.code is not None and not self.readers:
                    self._read_to = self._base + len(self._held)
                    self._forget()
                await self._changed.wait_for(
                    lambda: (
                        self._base + len(self._held) - self._read_to < HELD_BYTES
                        or (self.code is not None and not self.readers)
                    )
                )
        async with self._changed:
            self._is_at_end = True
            self._changed.notify_all()


async def copy(source: Path, target: Path) -> None:
    """Replace `target` by the files of `source`, pipes and links included."""
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    child = await asyncio.create_subprocess_exec("cp", "-a", str(source), str(target))
    assert await child.wait() == 0
