"""From the settings of a docker environment to what the Docker Engine is asked for.

The result is the body of `POST /containers/create`. What it may not contain is decided on
that body, so a flag in `extra_args` opens no door that a setting keeps shut.
"""

import hashlib
import os
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from hermes_environments.docker.flags import Scalar, absolute, apply_flags, split
from hermes_environments.docker.refusals import MOUNT, allowed, check_config
from hermes_environments.options import read_options
from hermes_environments.sizes import mebibytes
from hermes_tui.core.errors import ConfigError

DEFAULT_IMAGE = "python:3.12-slim-bookworm"
HOME = "/home/hermes"
"""The home folder of a user whose own cannot be written."""
IDLE = ["sleep", "2147483647"]
"""Keeps the container up; `infinity` is not known everywhere."""
# What root needs to own its own files, for apt and pip; nothing that reaches the host.
CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID")


class DockerOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `terminal.docker` and a place with `backend: docker` may say."""

    image: str = DEFAULT_IMAGE
    """Any image with `sh`; bash is used when it is there."""
    target: str = ""
    """What follows the colon in `--env docker:IMAGE`."""
    workdir: Annotated[str, Meta(pattern="^/")] = "/workspace"
    """The folder inside where commands start; made if it is not there."""
    mounts: list[str] = []
    """`FOLDER:/inside`, with `:ro` to be read only; a plain name for FOLDER is a volume."""
    env: dict[Annotated[str, Meta(pattern="^[A-Za-z_][A-Za-z0-9_]*$")], Scalar] = {}
    """Variables for the commands; not visible in `docker inspect`."""
    user: Scalar = ""
    """Name or `uid:gid`; by default the person's own when a folder is mounted."""
    network: str = "bridge"
    """`none`, `bridge` or a network's name."""
    read_only: bool = False
    """Nothing can be written but mounts, tmpfs, the working and the home folder."""
    memory: Scalar = ""
    """Most memory, e.g. `2g`, or a number of MiB; what needs more is killed."""
    cpus: Annotated[float, Meta(ge=0)] = 0
    """How many processors' worth of time; 0 is no limit."""
    pids: Annotated[int, Meta(ge=16)] = 512
    """Most processes and threads."""
    tmpfs: list[str] = []
    """Folders in memory, e.g. `/tmp:size=256m`."""
    capabilities: tuple[str, ...] = CAPABILITIES
    """What root may do inside; all others are dropped."""
    extra_args: list[Scalar] = []
    """Flags of `docker run`, e.g. `--gpus all`."""
    keep: bool = True
    """The container outlives Hermes and is found again; otherwise it is removed at the end."""
    host: str = ""
    """The daemon, e.g. `unix:///run/podman.sock`; by default what the docker command uses."""


class Machine(Struct, frozen=True):
    """What the settings mean depends on where the daemon runs."""

    sockets: tuple[str, ...] = ()
    """The daemon's own, when it is on this machine."""
    is_local: bool = True
    is_rootless: bool = False
    limits: frozenset[str] = frozenset()
    """Which of cpus, memory, pids and network the daemon enforces."""


def read(options: Mapping[str, object], *, environment: str) -> DockerOptions:
    """The settings of `environment`, and only those that may be.

    Raises:
        ConfigError: one is unknown, wrong or refused; it is named.
    """
    settings = allowed(options, environment=environment)
    for name in ("mounts", "tmpfs", "extra_args"):
        # A single one need not be a list; flags are then split as a shell does.
        if isinstance(value := settings.get(name), str):
            settings[name] = shlex.split(value) if name == "extra_args" else [value]
    result = read_options(DockerOptions, settings, environment=environment)
    image = result.target or result.image
    return msgspec.structs.replace(result, image=image, mounts=[*map(absolute, result.mounts)])


def container_config(
    options: DockerOptions, machine: Machine, *, environment: str
) -> dict[str, Any]:
    """The body of `POST /containers/create`, without labels.

    Raises:
        ConfigError: a flag or size is not understood, or the result is refused.
    """
    memory = mebibytes(str(options.memory)) * 2**20 if options.memory else 0
    tmpfs = dict(split(entry, ":", "tmpfs") for entry in options.tmpfs)
    host: dict[str, Any] = {
        "Init": True,
        "Binds": list(options.mounts),
        "NetworkMode": options.network,
        "ReadonlyRootfs": options.read_only,
        "PidsLimit": options.pids,
        "Memory": memory,
        "MemorySwap": memory,
        "NanoCpus": round(options.cpus * 1e9),
        "CapDrop": ["ALL"],
        "CapAdd": [name.upper().removeprefix("CAP_") for name in options.capabilities],
        "SecurityOpt": ["no-new-privileges"],
        "Tmpfs": tmpfs,
    }
    config: dict[str, Any] = {
        "Image": options.image,
        "Entrypoint": IDLE,
        "User": str(options.user),
        "HostConfig": host,
    }
    apply_flags([str(arg) for arg in options.extra_args], config, environment=environment)
    if not config["User"] and machine.is_local and not machine.is_rootless:
        config["User"] = _own_user(host["Binds"])
    if host["ReadonlyRootfs"]:
        for folder in ("/tmp", "/run", "/var/tmp", HOME, options.workdir):  # noqa: S108
            if not any(_is_within(folder, place) for place in (*_places(host), *tmpfs)):
                host["Tmpfs"].setdefault(folder, "exec,mode=1777")
    check_config(config, environment=environment, sockets=machine.sockets)
    return config


def spec_id(config: Mapping[str, Any]) -> str:
    """The same exactly when two containers are set up the same way."""
    return hashlib.sha256(msgspec.json.encode(config, order="deterministic")).hexdigest()[:12]


def _places(host: Mapping[str, Any]) -> list[str]:
    return [match["place"] for bind in host["Binds"] if (match := MOUNT.fullmatch(bind))]


def _is_within(folder: str, place: str) -> bool:
    return Path(folder).is_relative_to(place)


def _own_user(binds: Iterable[str]) -> str:
    """The person's own ids when a folder of theirs is mounted; its files stay theirs."""
    if os.getuid() and any(bind.startswith("/") for bind in binds):
        return f"{os.getuid()}:{os.getgid()}"
    return ""


def check_sources(config: Mapping[str, Any], *, environment: str) -> None:
    """See that what is mounted from this machine is there; the daemon would make it, as root.

    Raises:
        ConfigError: it is not.
    """
    for bind in config["HostConfig"]["Binds"]:
        source = bind.partition(":")[0]
        if source.startswith("/") and not Path(source).exists():
            raise ConfigError(
                f"There is no {source!r} to mount in the environment {environment!r}.",
                hint="Create the folder, or correct `mounts`.",
            )
