"""Timing a command as a whole process, by the kernel's own accounting."""

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """One finished process."""

    wall: float
    cpu: float
    """User and system seconds, waited-for children included."""
    peak_mib: float


def timed(command: Sequence[str], *, env: dict[str, str] | None = None, cwd: str = "/") -> Run:
    """Run `command` to its end and account for it.

    Raises:
        RuntimeError: it failed; the message has what it printed.
    """
    started = time.monotonic()
    process = subprocess.Popen(
        command, env=env, cwd=cwd, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} exited {process.returncode}:\n{printed.decode()}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def median(runs: Sequence[Run], what: Callable[[Run], float]) -> float:
    return statistics.median(what(run) for run in runs)


def repeated(
    command: Sequence[str], *, times: int = 7, env: dict[str, str] | None = None
) -> list[Run]:
    """Runs after one that warms the caches."""
    timed(command, env=env)
    return [timed(command, env=env) for _ in range(times)]
