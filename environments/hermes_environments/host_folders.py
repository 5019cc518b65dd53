"""Which files of this machine no container gets, whichever program runs it.

A row is refused with all that is below it, by its own name and by what links lead to.
"""

import os
import re
from contextlib import suppress
from pathlib import Path, PurePosixPath

_RUNS = "holds the programs the machine itself runs"
_SOCKETS = "holds the sockets the machine is controlled by"
_REFUSED = {
    "/bin": _RUNS,
    "/boot": "is what the machine starts from",
    "/dev": "is the machine's disks and memory",
    "/etc": "holds the machine's users, passwords and settings",
    "/lib": _RUNS,
    "/lib32": _RUNS,
    "/lib64": _RUNS,
    "/libx32": _RUNS,
    "/proc": "leads to every process of the machine",
    "/root": "is the home of the machine's root",
    "/run": _SOCKETS,
    "/sbin": _RUNS,
    "/sys": "is the machine's devices",
    "/usr": _RUNS,
    "/var": "holds the sockets, jobs and data the machine is controlled by",
    "/var/lib": "holds other containers' files",
    "/var/run": _SOCKETS,
}
_EXCEPT = (
    "/dev/null",
    "/var/folders",  # macOS has a person's temporary files there,
    "/var/home",  # and some Linux systems the home folders
    "/var/tmp",  # noqa: S108
)
_EXCEPT_READ_ONLY = (
    "/etc/localtime",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/etc/ssl/certs",
    "/etc/timezone",
    "/usr/share",
)
_EXCEPT_BELOW = re.compile(r"/dev/shm/.")  # noqa: S108

DAEMON_SOCKETS = (
    "docker.sock", "podman.sock", "containerd.sock", "crio.sock", "buildkitd.sock",
)  # fmt: skip
SOCKET_REASON = "is the daemon's socket: whoever has it is root on the machine"
_SOCKETS_AT_HOME = (
    ".docker/run", ".docker/desktop", ".colima", ".colima/default", ".rd", ".orbstack/run",
)  # fmt: skip
"""Where desktop programs have theirs, in the person's home."""


def refusal(source: str, *, is_read_only: bool, sockets: tuple[str, ...] = ()) -> str:
    """Why `source` may not be mounted, to follow `it`; empty when it may.

    Args:
        source: An absolute path.
        is_read_only: Whether nothing could be written there.
        sockets: Where a daemon is known to listen.
    """
    for path in {os.path.normpath(source).replace("//", "/"), real(source)}:
        if path == "/":
            return "is the whole machine"
        if PurePosixPath(path).name in DAEMON_SOCKETS:
            return SOCKET_REASON
        if not _is_excepted(path, is_read_only=is_read_only):
            rows = [row for row in _REFUSED if _is_within(path, row)]
            if rows:
                return _REFUSED[max(rows, key=len)]
        if any(_is_within(place, path) for place in (*_daemon_sockets(path), *sockets)):
            return "holds the daemon's socket"
        if any(_is_within(real(socket), path) for socket in sockets):
            return "holds the daemon's socket"
    return ""


def real(path: str) -> str:
    """Where links lead; some of /proc may not be followed."""
    with suppress(OSError):
        return os.path.realpath(path)
    return path


def _is_excepted(path: str, *, is_read_only: bool) -> bool:
    allowed = (*_EXCEPT, *_EXCEPT_READ_ONLY) if is_read_only else _EXCEPT
    if any(_is_within(path, row) for row in allowed) or _EXCEPT_BELOW.match(path):
        return True
    # Root's own projects, but neither the home itself nor what programs keep hidden there.
    below = path.removeprefix("/root/")
    return below != path and not below.startswith(".") and Path.home() == Path("/root")


def _daemon_sockets(folder: str) -> list[str]:
    """Those of daemons in a folder itself, and where they usually are in a home."""
    home = Path.home()
    places = [Path(folder), *(home / place for place in _SOCKETS_AT_HOME)]
    found = (place / name for place in places for name in DAEMON_SOCKETS)
    return [str(path) for path in found if os.path.lexists(path)]


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")
