"""Keeping what this process knows from other processes of the same person.

Imports nothing heavy: the launcher of the screen needs it as well.
"""

# ruff: noqa: PTH123, SIM105 - pathlib and contextlib are heavier than all the rest

import os
import sys
from collections.abc import Collection

PR_SET_DUMPABLE = 4
"""See prctl(2)."""
ENV_START = 47
"""Which field of /proc/PID/stat, counted from the state, which is 0: see proc(5)."""


def forget(names: Collection[str] | None = None) -> None:
    """Blot the values of these variables, or of all, out of what /proc/PID/environ shows.

    The system shows there what the process was started with, whatever became of it
    since. What `os.environ` holds is a copy and stays. Does nothing where there is no /proc.
    """
    try:
        _blot_out(names)
    except (OSError, ValueError, IndexError):
        pass


def _blot_out(names: Collection[str] | None) -> None:
    with open("/proc/self/environ", "rb") as file:
        block = file.read()
    with open("/proc/self/stat", "rb") as file:
        # The process's name, which may hold anything, ends with the last parenthesis.
        place = int(file.read().rpartition(b") ")[2].split()[ENV_START])
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        for entry in block.split(b"\0"):
            name, _, value = entry.partition(b"=")
            if value and (names is None or os.fsdecode(name) in names):
                memory.seek(place + len(name) + 1)
                memory.write(bytes(len(value)))
            place += len(entry) + 1


def close_to_others() -> None:
    """Let no other process of this person read our memory; programs we start are not concerned.

    Neither can a debugger attach, nor a crash leave a core file with keys in it. Linux only.
    """
    if sys.platform == "linux":
        try:
            import ctypes  # 3 ms, not needed elsewhere

            ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
        except (ImportError, OSError, AttributeError):
            pass
