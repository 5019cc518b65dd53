"""What a container of ours never gets: a way to the machine it runs on.

Each refusal is a row with its reason. They are decided on what the Docker Engine is sent,
so it makes no difference which setting or flag asked for it.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from hermes_tui.core.errors import ConfigError

MOUNT = re.compile(r"(?P<source>[^:]+):(?P<place>/[^:]*)(?::(?P<mode>[a-zA-Z,]+))?")

HOST_NAMESPACES = {
    "NetworkMode": "would see and reach everything the machine's own programs listen on",
    "PidMode": "could see and stop the machine's own processes",
    "IpcMode": "would share memory with the machine's own processes",
    "UTSMode": "could rename the machine",
    "UsernsMode": "would be the machine's own root",
    "CgroupnsMode": "would see the machine's control groups",
}
"""Settings that are refused with the value `host` or another container's, and why."""

HOST_FOLDERS = {
    "/": "is the whole machine",
    "/boot": "is what the machine starts from",
    "/dev": "is the machine's disks and memory",
    "/etc": "holds the machine's users and passwords",
    "/proc": "leads to every process of the machine",
    "/run": "holds the sockets the machine is controlled by",
    "/sys": "is the machine's devices",
    "/var": "holds the sockets and data the machine is controlled by",
    "/var/lib": "holds other containers' files",
    "/var/lib/containerd": "holds other containers' files",
    "/var/lib/docker": "holds other containers' files",
    "/var/run": "holds the sockets the machine is controlled by",
}
WHOLLY = ("/proc", "/sys", "/dev", "/var/lib/docker", "/var/lib/containerd")
"""Refused with all that is below them."""
SOCKETS = ("docker.sock", "podman.sock", "containerd.sock", "crio.sock", "buildkitd.sock")
SOCKET_REASON = "is the daemon's socket: whoever has it is root on the machine"

# capabilities(7): each is, or leads to, the machine's root.
HOST_CAPABILITIES = {
    "ALL", "BPF", "DAC_READ_SEARCH", "MAC_ADMIN", "MAC_OVERRIDE", "PERFMON", "SYS_ADMIN",
    "SYS_BOOT", "SYS_MODULE", "SYS_RAWIO", "SYS_TIME",
}  # fmt: skip
MEMORY_DEVICES = {"/dev/mem", "/dev/kmem", "/dev/port", "/dev/kmsg"}
_SETTINGS = {
    "privileged": "would have every right of the machine's root",
    "pid": HOST_NAMESPACES["PidMode"],
    "ipc": HOST_NAMESPACES["IpcMode"],
    "uts": HOST_NAMESPACES["UTSMode"],
    "userns": HOST_NAMESPACES["UsernsMode"],
    "cgroupns": HOST_NAMESPACES["CgroupnsMode"],
}


def allowed(settings: Mapping[str, object], *, environment: str) -> dict[str, object]:
    """`settings` without those that are only there to be refused, but are switched off.

    Raises:
        ConfigError: one is not switched off.
    """
    for name, reason in _SETTINGS.items():
        if settings.get(name) not in (None, False, "", "private"):
            raise _refusal(f"{name!r}", f"the container {reason}", environment)
    return {name: value for name, value in settings.items() if name not in _SETTINGS}


def check_config(
    config: Mapping[str, Any], *, environment: str, sockets: Sequence[str] = ()
) -> None:
    """Refuse the body of `POST /containers/create` for what it would open.

    Args:
        config: It.
        environment: For the message.
        sockets: Where the daemon listens on this machine.

    Raises:
        ConfigError: it leads to the machine, or a mount is not understood.
    """
    host = config["HostConfig"]
    for what, reason in (*_rights(host), *_doors(host, sockets)):
        raise _refusal(what, reason, environment)
    for bind in host.get("Binds", []):
        if MOUNT.fullmatch(bind) is None:
            raise ConfigError(
                f"The mount {bind!r} of the environment {environment!r} is not understood.",
                hint="Write FOLDER:/inside, or FOLDER:/inside:ro.",
            )


def _rights(host: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Which rights are refused, and why."""
    if host.get("Privileged"):
        yield "'privileged'", f"the container {_SETTINGS['privileged']}"
    for key, reason in HOST_NAMESPACES.items():
        mode = str(host.get(key, ""))
        if mode == "host":
            yield f"{key} 'host'", f"the container {reason}"
        if mode.startswith(("container:", "ns:")):
            yield f"{key} {mode!r}", "it is another container's, which may not be shut in"
    for name in host.get("CapAdd", []):
        if name in HOST_CAPABILITIES:
            yield f"the capability {name}", "it leads to the machine's root"
    for option in host.get("SecurityOpt", []):
        if option.endswith(("unconfined", "disable", "no-new-privileges=false", ":false")):
            yield f"{option!r}", "it takes a protection away"


def _doors(host: Mapping[str, Any], sockets: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Which devices and mounts are refused, and why."""
    for device in host.get("Devices", []):
        if reason := _device_reason(device["PathOnHost"]):
            yield f"the device {device['PathOnHost']!r}", reason
    for bind in host.get("Binds", []):
        source, _, rest = bind.partition(":")
        if reason := _source_reason(source, sockets):
            yield f"the mount of {source!r}", f"it {reason}"
        if os.path.normpath(rest.partition(":")[0]) == "/":
            yield f"a mount at '/' ({bind!r})", "it would replace the image"


def _device_reason(path: str) -> str:
    real = _real(path)
    if real in MEMORY_DEVICES:
        return "it is the machine's memory"
    try:
        is_disk = stat.S_ISBLK(Path(real).stat().st_mode)
    except OSError:
        is_disk = False
    return "it is a disk of the machine" if is_disk else ""


def _source_reason(source: str, sockets: Sequence[str]) -> str:
    if not source.startswith("/"):
        return ""  # a volume
    for path in {os.path.normpath(source).replace("//", "/"), _real(source)}:
        if path in HOST_FOLDERS:
            return HOST_FOLDERS[path]
        if PurePosixPath(path).name in SOCKETS:
            return SOCKET_REASON
        for folder in WHOLLY:
            if path.startswith(f"{folder}/") and not path.startswith("/dev/shm/"):  # noqa: S108
                return HOST_FOLDERS[folder]
        if any(_holds(path, socket) for socket in sockets):
            return "holds the daemon's socket"
    return ""


def _holds(path: str, socket: str) -> bool:
    return any(PurePosixPath(place).is_relative_to(path) for place in {socket, _real(socket)})


def _real(path: str) -> str:
    """Where links lead; some of /proc may not be followed."""
    with suppress(OSError):
        return os.path.realpath(path)
    return path


def _refusal(what: str, reason: str, environment: str) -> ConfigError:
    return ConfigError(
        f"{what[:1].upper()}{what[1:]} of the environment {environment!r} is refused: {reason}.",
        hint="Remove it from the configuration.",
    )
