"""Who made what outlives a process: a container, an instance, a sandbox in the cloud.

The name of an owner goes into a label or tag. A later Hermes reads it there and removes
what a dead owner left; what another machine's Hermes made is not its business.
"""

import hashlib
import os
import re
import socket
import subprocess
from contextlib import suppress
from functools import cache
from pathlib import Path


def place_name(name: str, *whose: str) -> str:
    """What the place called `name` is called where others see it, e.g. `hermes-box-01234567`."""
    key = hashlib.sha256("\n".join([*whose, name]).encode()).hexdigest()[:12]
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:24]
    return f"hermes-{slug}-{key}"


def this_process() -> str:
    """The owner's name: machine, boot, process id and when the process started."""
    pid = os.getpid()
    return f"{this_machine()}:{_boot()}:{pid}:{started(pid)}"


@cache
def this_machine() -> str:
    """The same for all processes that see each other's ids, and across reboots."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/etc/machine-id").read_text(encoding="utf-8").strip())
    with suppress(OSError):
        # Another container's process ids mean nothing here.
        parts.append(os.readlink("/proc/self/ns/pid"))  # noqa: PTH115 - it is no path
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def is_dead(owner: str) -> bool:
    """Whether the process named `owner` has certainly ended; False for another machine's."""
    machine, _, rest = owner.partition(":")
    boot, _, process = rest.partition(":")
    pid, _, since = process.partition(":")
    if machine != this_machine() or not pid.isdecimal():
        return False
    return boot != _boot() or started(int(pid)) != since


@cache
def _boot() -> str:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
    return ""


def started(pid: int) -> str:
    """When it started, in the words of the system; empty when there is no such process."""
    if Path("/proc/self/stat").exists():
        with suppress(OSError):
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            state, *fields = stat.rpartition(") ")[2].split()
            # A zombie has ended; field 22 counts clock ticks since boot (proc(5)).
            return "" if state in {"Z", "X"} else fields[18]
        return ""
    listing = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, check=False
    )
    return listing.stdout.decode(errors="replace").strip().replace(" ", "-").replace(":", ".")
