"""Finds and ends every process a command started on this machine, and no other.

Two marks are inherited by everything a worker starts. The variable HERMES_EXEC_ID is in
its initial environment; `env -i` sheds that one. The second is a soft limit on real-time
CPU (RLIMIT_RTTIME) of more than 100,000 years that encodes the same id: it limits nothing,
survives exec, setsid and re-parenting, and anybody may read it in /proc/PID/limits.
A mark identifies its command exactly, which descent from an adopted child could not.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from hermes_environments.worker import EXEC_ID

PROC = Path("/proc")
HAS_PROC = (PROC / "self" / "environ").exists()
_FIRST_MARK = 1 << 62
"""Microseconds."""


def mark(pid: int, exec_id: str) -> None:
    """Put the limit's mark on a process that has no children yet, where this is possible."""
    if sys.platform == "linux":
        import resource

        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        with suppress(OSError, ValueError):
            if resource.getrlimit(resource.RLIMIT_RTTIME) == unlimited:
                limits = (_FIRST_MARK | int(exec_id, 16), resource.RLIM_INFINITY)
                resource.prlimit(pid, resource.RLIMIT_RTTIME, limits)


def marked(exec_id: str) -> set[int]:
    """The living processes with the marks of `exec_id`."""
    if not HAS_PROC:
        return _marked_by_ps(exec_id)
    pids = {int(entry.name) for entry in os.scandir(PROC) if entry.name.isdecimal()}
    return {pid for pid in pids if _is_marked(pid, exec_id)}


def sweep(exec_id: str, *, grace: float, patience: float) -> int:
    """End every process marked `exec_id`; blocks for at most `grace + patience` seconds.

    TERM first, KILL after `grace`. Returns how many could not be ended, e.g. because
    they belong to another user.
    """
    found = marked(exec_id)
    _signal(found, signal.SIGTERM)
    _signal(found, signal.SIGCONT)  # a stopped process takes its TERM only then
    pause, end = 0.002, time.monotonic() + grace
    while found and time.monotonic() < end:
        time.sleep(pause)
        pause = min(pause * 2, 0.05)
        found = {pid for pid in found if _is_marked(pid, exec_id)}
    pause, end = 0.001, time.monotonic() + patience
    while found := marked(exec_id):
        refused = _signal(found, signal.SIGKILL)
        if refused == found or time.monotonic() > end:
            return len(found)
        time.sleep(pause)
        pause = min(pause * 2, 0.05)
    return 0


def _signal(pids: set[int], number: int) -> set[int]:
    """Signal each; returns those we may not signal."""
    refused: set[int] = set()
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
        except PermissionError:
            refused.add(pid)
    return refused


def _is_marked(pid: int, exec_id: str) -> bool:
    if not HAS_PROC:
        return pid in _marked_by_ps(exec_id)
    folder = PROC / str(pid)
    with suppress(OSError):
        if f"{EXEC_ID}={exec_id}".encode() in (folder / "environ").read_bytes().split(b"\0"):
            return True
    with suppress(OSError):
        if str(_FIRST_MARK | int(exec_id, 16)).encode() in (folder / "limits").read_bytes():
            # A zombie keeps its limits until somebody waits for it.
            state = (folder / "stat").read_bytes().rpartition(b") ")[2][:1]
            return state not in {b"Z", b"X", b""}
    return False


def _marked_by_ps(exec_id: str) -> set[int]:
    """Without /proc (macOS): ps shows the environment of this user's processes."""
    listing = subprocess.run(
        ["ps", "-Eww", "-ax", "-o", "pid=,command="], capture_output=True, check=False
    ).stdout
    lines = listing.split(b"\n")
    return {int(line.split()[0]) for line in lines if f"{EXEC_ID}={exec_id}".encode() in line}
