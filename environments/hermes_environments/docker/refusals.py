"""What a container of ours never gets: a way to the machine it runs on.

Each refusal is a row with its reason. They are decided on what the Docker Engine is sent,
so it makes no difference which setting or flag asked for it.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hermes_environments.docker.flags import as_boolean
from hermes_environments.host_folders import real, refusal
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

# capabilities(7): each is, or leads to, the machine's root.
HOST_CAPABILITIES = {
    "ALL", "BPF", "DAC_READ_SEARCH", "MAC_ADMIN", "MAC_OVERRIDE", "PERFMON", "SYS_ADMIN",
    "SYS_BOOT", "SYS_MODULE", "SYS_RAWIO", "SYS_TIME",
}  # fmt: skip
MEMORY_DEVICES = {"/dev/mem", "/dev/kmem", "/dev/port", "/dev/kmsg"}
DEVICE_FOLDERS = {"/dev/dri", "/dev/snd"}
"""Graphics and sound; of others every device would be given away unseen."""
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
        if _takes_protection(option):
            yield f"{option!r}", "it takes a protection away"


def _doors(host: Mapping[str, Any], sockets: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Which devices and mounts are refused, and why."""
    for device in host.get("Devices", []):
        if reason := _device_reason(device["PathOnHost"]):
            yield f"the device {device['PathOnHost']!r}", reason
    for bind in host.get("Binds", []):
        source, _, rest = bind.partition(":")
        place, _, mode = rest.partition(":")
        if source.startswith("/"):  # otherwise it is a volume
            is_read_only = "ro" in mode.split(",")
            if reason := refusal(source, is_read_only=is_read_only, sockets=tuple(sockets)):
                yield f"the mount of {source!r}", f"it {reason}"
        if place and not os.path.normpath(place).strip("/"):
            yield f"a mount at '/' ({bind!r})", "it would replace the image"


def _device_reason(path: str) -> str:
    place = real(path)
    if place in MEMORY_DEVICES:
        return "it is the machine's memory"
    try:
        mode = Path(place).stat().st_mode
    except OSError:
        return ""
    if stat.S_ISDIR(mode) and place not in DEVICE_FOLDERS:
        return "it is a folder, and all devices in it would be given away"
    return "it is a disk of the machine" if stat.S_ISBLK(mode) else ""


def _takes_protection(option: str) -> bool:
    """Whether a value of `--security-opt` leaves less than without it."""
    name, separator, value = option.replace(":", "=", 1).partition("=")
    match name:
        case "no-new-privileges":
            return bool(separator) and not as_boolean(value)
        case "apparmor":
            return value == "unconfined"
        case "seccomp":
            return value != "builtin"  # a filter may let everything pass
        case "label":
            return value == "disable" or value.endswith("spc_t")
        case _:
            return True  # e.g. systempaths=unconfined


def _refusal(what: str, reason: str, environment: str) -> ConfigError:
    return ConfigError(
        f"{what[:1].upper()}{what[1:]} of the environment {environment!r} is refused: {reason}.",
        hint="Remove it from the configuration.",
    )
