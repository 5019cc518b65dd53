"""Where commands run: the contract every environment keeps.

`hermes_environments` implements it; the promises are spelled out in
`environments/README.md` and each is a test in `tests/environments/`.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from hermes_tui.core.errors import RefusedError


class Ended(StrEnum):
    """How a command came to its end."""

    EXIT = "exit"
    TIMEOUT = "timeout"
    LOST = "lost"
    """The transport died; nobody knows what became of the command."""


class Output(Struct, frozen=True):
    """What a command printed, stdout and stderr in the order written."""

    head: bytes
    tail: bytes
    """Empty when `head` holds everything."""
    total_bytes: int
    path: str | None = None
    """A file on this machine with all of it, when head and tail do not hold everything."""

    @property
    def is_complete(self) -> bool:
        return len(self.head) + len(self.tail) == self.total_bytes

    @property
    def text(self) -> str:
        """Head and tail with one line between that says what is missing."""
        if self.is_complete:
            return (self.head + self.tail).decode("utf-8", "replace")
        missing = self.total_bytes - len(self.head) - len(self.tail)
        head = self.head.decode("utf-8", "replace")
        tail = self.tail.decode("utf-8", "replace")
        return f"{head}\n[… {missing:,} of {self.total_bytes:,} bytes not shown …]\n{tail}"


class CommandResult(Struct, frozen=True):
    """What a foreground command came to."""

    exit_code: int | None
    """The command's own, 128+n for signal n; 124 after TIMEOUT, None after LOST."""
    ended: Ended
    output: Output
    cwd: str
    """Where the next command starts."""
    seconds: float
    notice: str = ""
    """What the model must know besides, e.g. that the machine was recreated."""


class JobStatus(Struct, frozen=True):
    """How a background job stands."""

    id: str
    command: str
    started_at: datetime
    is_running: bool
    exit_code: int | None
    """None while running, or when nobody could record it."""
    output_bytes: int


class Job(Protocol):
    """A background command; it outlives the call that started it."""

    @property
    def id(self) -> str: ...

    async def status(self) -> JobStatus: ...

    async def read(self, offset: int, limit: int = 65_536) -> tuple[bytes, int]:
        """Output from byte `offset` on, and the offset after it."""
        ...

    async def tail(self, limit: int = 65_536) -> bytes: ...

    async def send(self, data: bytes) -> None:
        """Write to the command's stdin."""
        ...

    async def wait(self, timeout: float) -> JobStatus:
        """The status once it ended, or after `timeout` seconds."""
        ...

    async def kill(self) -> None:
        """End it and every process it started."""
        ...


class Spot(Struct, frozen=True):
    """Where a call would work, for the person who is asked about it."""

    name: str = ""
    """The environment; empty for a tool that uses none."""
    cwd: str = ""


class Attendant(Protocol):
    """Whoever stands by while an environment opens and works: hears progress, answers questions."""

    async def progress(self, text: str) -> None:
        """What takes long, e.g. `pulling python:3.12, 40 %`; one line."""
        ...

    async def confirm(self, question: str) -> bool:
        """A yes or no, e.g. whether a host key is trusted. False when nobody is there."""
        ...

    async def secret(self, question: str) -> str:
        """A password or passphrase, typed hidden, never stored.

        Raises:
            RefusedError: nobody is there, or they would not say.
        """
        ...


class NoAttendant:
    """Nobody: trusts nothing and knows no secret."""

    async def progress(self, text: str) -> None:
        del text

    async def confirm(self, question: str) -> bool:
        del question
        return False

    async def secret(self, question: str) -> str:
        raise RefusedError(f"Nobody is there to answer: {question}")


OnOutput = Callable[[bytes], Awaitable[None]]


class Environment(Protocol):
    """One shell's worth of state in a place where commands run.

    state     cwd, exported variables, functions, aliases and shell options set by one `run`
              are seen by the next; a command that was killed leaves them as they were.
    output    bytes in the order written, stdout and stderr as one stream, bounded memory.
    ending    `run` returns when the command ends, even if background children hold its output.
    killing   after a timeout or cancellation nothing the command started is left, children
              that called setsid included; nothing else is touched.
    stdin     empty unless given; never the terminal.
    secrets   nothing of Hermes's own environment reaches a command unless configured.
    failure   an environment that cannot serve raises; it never falls back to another.
    """

    @property
    def name(self) -> str:
        """As configured and shown: `local`, `docker`, `ssh:box`."""
        ...

    @property
    def cwd(self) -> str:
        """Where the next command starts."""
        ...

    async def open(self) -> None:
        """Find, wake or create the place. Idempotent.

        Raises:
            EnvironmentUnavailableError: it cannot serve.
        """
        ...

    async def close(self) -> None:
        """Release the place, hibernating what can be; background jobs go on where they can."""
        ...

    async def health(self) -> str:
        """How the place is, in a few words, e.g. `running`; creates and wakes nothing.

        Raises:
            EnvironmentUnavailableError: it cannot serve.
        """
        ...

    async def stop(self) -> bool | None:
        """End all that runs in the place, and what it costs, but keep its files where it can.

        False when there was nothing to end.
        """
        ...

    async def destroy(self) -> bool | None:
        """Remove the place with all its files, if Hermes made it; False when there is none."""
        ...

    async def run(
        self,
        command: str,
        *,
        timeout: float,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        on_output: OnOutput | None = None,
        keep_state: bool = True,
    ) -> CommandResult:
        """Run `command` in the shell; `timeout` in seconds.

        Cancelling the call kills the command first. With `keep_state=False` the
        command sees the state but does not change it, and may run beside others.
        """
        ...

    async def start(self, command: str) -> Job:
        """Start `command` in the background."""
        ...

    async def jobs(self) -> list[Job]:
        """Background jobs, newest first, also those of an earlier Hermes."""
        ...

    async def read_file(self, path: str, *, offset: int = 0, limit: int | None = None) -> bytes:
        """Bytes of a file; a relative `path` is taken from `cwd`.

        Raises:
            ToolError: there is no such file, it is a directory, or it may not be read.
        """
        ...

    async def write_file(self, path: str, data: bytes) -> None:
        """Replace a file atomically, keeping its mode; parents are created.

        Raises:
            ToolError: it may not be written.
        """
        ...
