"""`extra_args`: flags of `docker run`, put into the body of `POST /containers/create`."""

import difflib
import os
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hermes_environments.sizes import amount
from hermes_tui.core.errors import ConfigError

Scalar = str | int | float
Put = Callable[[dict[str, Any], str], None]


def apply_flags(args: Sequence[str], config: dict[str, Any], *, environment: str) -> None:
    """Add what `args` say to `config`; `--flag VALUE` may be one of them or two.

    Raises:
        ConfigError: one is unknown, lacks its value or has a wrong one.
    """
    rest = [word for arg in args for word in (shlex.split(arg) if arg.startswith("-") else [arg])]
    while rest:
        word = rest.pop(0)
        flag, equals, value = word.partition("=")
        flag = _SHORT.get(flag, flag)
        if flag in _SWITCHES:
            key = _SWITCHES[flag]
            if key:
                config["HostConfig"][key] = not equals or as_boolean(value)
            continue
        if flag not in _FLAGS:
            raise _unknown(flag, environment)
        if not equals:
            if not rest:
                raise ConfigError(
                    f"{flag!r} in `extra_args` of the environment {environment!r} has no value.",
                    hint=f"Write {flag}=VALUE.",
                )
            value = rest.pop(0)
        try:
            _FLAGS[flag](config, value)
        except ValueError as error:
            raise ConfigError(
                f"{value!r} is no value for {flag!r} in `extra_args` of {environment!r}.",
                hint="Correct it in the configuration.",
            ) from error


def as_boolean(text: str) -> bool:
    """As the docker command reads one.

    Raises:
        ConfigError: it is none.
    """
    if text in {"1", "t", "T", "TRUE", "true", "True"}:
        return True
    if text in {"0", "f", "F", "FALSE", "false", "False"}:
        return False
    raise ConfigError(f"{text!r} is neither true nor false.", hint="Write true or false.")


def size(text: Scalar) -> int:
    """Bytes, of `512m`, `2g`, `1.5 GiB` or a number.

    Raises:
        ConfigError: it is none of these.
    """
    if (found := amount(text)) is None:
        raise ConfigError(f"{text!r} is not a size.", hint="Write it like 512m or 2g.")
    number, unit = found
    return int(number * 1024 ** " kmgt".index(unit or " "))


def absolute(mount: str) -> str:
    """`FOLDER:/inside` with the folder written out, as the daemon wants it."""
    source, colon, rest = mount.partition(":")
    if not source.startswith(("~", ".", "/")):
        return mount
    return os.path.abspath(Path(source).expanduser()) + colon + rest  # noqa: PTH100 - keeps links


def _unknown(flag: str, environment: str) -> ConfigError:
    near = difflib.get_close_matches(flag, [*_FLAGS, *_SWITCHES], n=1)
    if setting := _SETTINGS.get(flag):
        hint = f"Use the setting `{setting}` instead."
    else:
        hint = f"Did you mean {near[0]!r}?" if near else "See docs/environments/docker.md."
    return ConfigError(
        f"{flag!r} in `extra_args` of the environment {environment!r} is not supported.",
        hint=hint,
    )


def _one(key: str, convert: Callable[[str], object] = str) -> Put:
    def put(config: dict[str, Any], value: str) -> None:
        config["HostConfig"][key] = convert(value)

    return put


def _many(key: str, convert: Callable[[str], object] = str) -> Put:
    def put(config: dict[str, Any], value: str) -> None:
        config["HostConfig"].setdefault(key, []).append(convert(value))

    return put


def _pair(key: str, separator: str = "=") -> Put:
    def put(config: dict[str, Any], value: str) -> None:
        name, what = split(value, separator, key)
        config["HostConfig"].setdefault(key, {})[name] = what

    return put


def _top(key: str) -> Put:
    def put(config: dict[str, Any], value: str) -> None:
        config[key] = value

    return put


def _publish(config: dict[str, Any], value: str) -> None:
    *outside, inside = value.split(":")
    port = inside if "/" in inside else f"{inside}/tcp"
    where = {"HostPort": outside[-1] if outside else "", "HostIp": ":".join(outside[:-1])}
    config.setdefault("ExposedPorts", {})[port] = {}
    config["HostConfig"].setdefault("PortBindings", {}).setdefault(port, []).append(where)


def _device(value: str) -> dict[str, str]:
    source, _, rest = value.partition(":")
    inside, _, rights = rest.partition(":")
    return {
        "PathOnHost": source,
        "PathInContainer": inside or source,
        "CgroupPermissions": rights or "rwm",
    }


def _gpus(value: str) -> dict[str, object]:
    request: dict[str, object] = {"Capabilities": [["gpu"]]}
    if value.startswith("device="):
        return request | {"DeviceIDs": value.removeprefix("device=").split(",")}
    return request | {"Count": -1 if value == "all" else int(value)}


def _ulimit(value: str) -> dict[str, object]:
    name, limits = split(value, "=", "--ulimit")
    soft, _, hard = limits.partition(":")
    return {"Name": name, "Soft": int(soft), "Hard": int(hard or soft)}


def split(value: str, separator: str, what: str) -> tuple[str, str]:
    """Name and value of a setting called `what`; the value may be empty."""
    name, _, rest = value.partition(separator)
    if not name:
        raise ConfigError(f"{value!r} for {what} has no name.", hint=f"Write NAME{separator}VALUE.")
    return name, rest


_FLAGS: dict[str, Put] = {
    "--add-host": _many("ExtraHosts"),
    "--cap-add": _many("CapAdd", lambda name: name.upper().removeprefix("CAP_")),
    "--cap-drop": _many("CapDrop", lambda name: name.upper().removeprefix("CAP_")),
    "--cgroup-parent": _one("CgroupParent"),
    "--cgroupns": _one("CgroupnsMode"),
    "--cpus": _one("NanoCpus", lambda count: round(float(count) * 1e9)),
    "--cpuset-cpus": _one("CpusetCpus"),
    "--device": _many("Devices", _device),
    "--dns": _many("Dns"),
    "--gpus": _many("DeviceRequests", _gpus),
    "--group-add": _many("GroupAdd"),
    "--hostname": _top("Hostname"),
    "--ipc": _one("IpcMode"),
    "--memory": _one("Memory", size),
    "--memory-swap": _one("MemorySwap", size),
    "--network": _one("NetworkMode"),
    "--pid": _one("PidMode"),
    "--pids-limit": _one("PidsLimit", int),
    "--publish": _publish,
    "--runtime": _one("Runtime"),
    "--security-opt": _many("SecurityOpt"),
    "--shm-size": _one("ShmSize", size),
    "--storage-opt": _pair("StorageOpt"),
    "--sysctl": _pair("Sysctls"),
    "--tmpfs": _pair("Tmpfs", ":"),
    "--ulimit": _many("Ulimits", _ulimit),
    "--user": _top("User"),
    "--userns": _one("UsernsMode"),
    "--uts": _one("UTSMode"),
    "--volume": _many("Binds", absolute),
}
_SHORT = {
    "--net": "--network",
    "-h": "--hostname",
    "-m": "--memory",
    "-p": "--publish",
    "-u": "--user",
    "-v": "--volume",
}
_SWITCHES = {
    "--privileged": "Privileged",
    "--read-only": "ReadonlyRootfs",
    # What is so anyway.
    "--init": "",
    "--detach": "",
    "-d": "",
}
# Flags for which there is something better.
_SETTINGS = {
    "--env": "env",
    "--mount": "mounts",
    "--rm": "keep: false",
    "--workdir": "workdir",
    "-e": "env",
    "-w": "workdir",
}
