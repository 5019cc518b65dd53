"""The one thing a new environment has to provide: a process as byte pipes."""

import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from hermes_tui.core.errors import EnvironmentUnavailableError


class ChannelLostError(EnvironmentUnavailableError):
    """The transport died under a running process; its exit code is unknown."""


class Channel(Protocol):
    """A process started inside the environment.

    Output that is not received stays with the producer, which then blocks; an environment
    that cannot hold it back says so in `Capabilities.backpressure`. What the process writes
    to stderr before the worker's script runs is of no interest and is discarded.

    Every method raises `ChannelLostError` when the transport is gone.
    """

    async def recv(self) -> bytes:
        """The next bytes of stdout, any size.

        `b""` at end of output, or once the process itself ended and all it wrote has been
        received, although children of it may still hold the pipe.
        """
        ...

    async def send(self, data: bytes) -> None:
        """Write to stdin; returns when the transport took all of it, or nobody reads any more."""
        ...

    async def send_eof(self) -> None: ...

    async def exit_code(self) -> int | None:
        """The status once the process ended, 128+n for signal n; None if nobody knows."""
        ...

    async def close(self) -> None:
        """Release the transport. Idempotent, at once, and kills nothing.

        Children left in the background must not fail for writing to the old pipe: go on
        discarding what they write where the transport would not.
        """
        ...


def with_variables(argv: Sequence[str], env: Mapping[str, str]) -> list[str]:
    """A command line that runs `argv` with `env` added to what it finds."""
    return ["env", *(f"{name}={value}" for name, value in env.items()), *argv] if env else [*argv]


async def read_all(channel: Channel, *, until: re.Pattern[bytes] | None = None) -> bytes:
    """All a process prints, or up to the line `until` matches; the channel is closed then."""
    heard = b""
    try:
        # dockerd 20.10 tells of an end late when children of another process hold its output.
        while not (until and heard.endswith(b"\n") and until.search(heard)):
            if not (data := await channel.recv()):
                break
            heard += data
    finally:
        await channel.close()
    return heard


class Capabilities(Struct, frozen=True, kw_only=True):
    """What an environment can do beyond the contract."""

    has_bash: bool = True
    """Commands run in bash; otherwise in plain sh, which cannot hand on functions."""
    backpressure: bool = True
    """Output that is not received blocks the producer."""
    prewarm: bool = True
    """An idle worker costs nothing and does not keep a paid machine awake."""
    durable: bool = False
    """Background jobs survive the loss of this client's machine."""
    hibernate: bool = False
    """`close` stops paying and keeps the files."""
    limits: frozenset[str] = frozenset()
    """Which of cpus, memory, pids, disk and network are enforced."""
