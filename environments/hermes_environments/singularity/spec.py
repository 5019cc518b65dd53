"""What may be set for apptainer, and the arguments it becomes."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from hermes_environments.host_folders import real, refusal
from hermes_environments.options import check_absolute
from hermes_tui.core.errors import ConfigError, EnvironmentUnavailableError

IN_MEMORY = "memory"
_SWITCHES = frozenset(
    {
        "--compat", "--disable-cache", "--fakeroot", "--no-eval", "--no-https", "--no-init",
        "--no-privs", "--no-tmp-sandbox", "--no-umask", "--nohttps", "--nv", "--nvccli",
        "--oom-kill-disable", "--rocm", "--underlay", "--unsquash", "--uts", "-f",
    }
)  # fmt: skip
"""Arguments that open nothing; anything else might, also by way of short ones put together."""
_VALUED = frozenset(
    {
        "--blkio-weight", "--blkio-weight-device", "--cpu-shares", "--cpuset-cpus",
        "--cpuset-mems", "--dns", "--drop-caps", "--hostname", "--memory-reservation",
        "--memory-swap", "--no-mount", *("--cpus", "--memory", "--pids-limit"),
    }
)  # fmt: skip
_LIMITS = {"cpus": "--cpus", "memory": "--memory", "pids": "--pids-limit"}


class SingularityOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of an apptainer environment."""

    image: str = ""
    """A SIF file, a folder with a root file system, or a reference such as
    `docker://python:3.12`, which is built into a SIF file once."""
    target: str = ""
    """The same, as given on the command line: `--env singularity:IMAGE`."""
    workdir: str = "/workspace"
    """Where commands start; created when it is not there."""
    mounts: list[str] = []
    """Folders of this machine inside the instance, as `source:destination` or
    `source:destination:ro`."""
    env: dict[str, str] = {}
    """Variables commands see."""
    network: Literal["host", "none"] = "host"
    """`none` leaves only a loopback device."""
    overlay: str = ""
    """The folder of this machine that keeps changes to the image; one of Hermes's own when not
    set. `memory` keeps them only while the instance runs."""
    userns: bool | None = None
    """Whether the instance gets a user namespace; when not set, it does if Hermes runs as root."""
    cpus: float | None = None
    """How many processors it may use. Limits need cgroups v2 and systemd."""
    memory: int | str | None = None
    """How much memory it may use, e.g. `2G`."""
    pids: int | None = None
    """How many processes it may have."""
    extra_args: list[str] = []
    """Further arguments for `apptainer instance start`, e.g. `--nv`."""

    @property
    def source(self) -> str:
        return self.target or self.image


def check(options: SingularityOptions, *, name: str) -> None:
    """Refuse what would let commands out of the instance.

    Raises:
        ConfigError: there is no image, or a setting opens this machine to commands.
    """
    if not options.source:
        raise ConfigError(
            f"The environment {name!r} has no image.",
            hint="Set `image` to a SIF file, a folder, or e.g. docker://debian:12.",
        )
    if options.source.startswith("instance://"):
        raise ConfigError(
            f"The image of {name!r} cannot be an instance.",
            hint="Name the image the instance was started from.",
        )
    check_absolute(options.workdir, environment=name)
    _check_arguments(options.extra_args, name=name)
    for mount in options.mounts:
        _bind(mount, name=name)
    if real(str(Path(options.source).expanduser())) == "/":
        raise ConfigError(
            f"The image of {name!r} is refused: it is the whole machine.",
            hint="Name a SIF file, or a folder with another root file system.",
        )
    overlay = str(Path(options.overlay).expanduser().absolute())
    if options.overlay not in {"", IN_MEMORY} and (reason := refusal(overlay, is_read_only=False)):
        raise ConfigError(
            f"The overlay {overlay!r} of {name!r} is refused: it {reason}.",
            hint="Name a folder of its own, or remove the setting.",
        )


def _check_arguments(arguments: Sequence[str], *, name: str) -> None:
    """Refuse what is not known to open nothing.

    Raises:
        ConfigError: an argument is refused, or lacks its value.
    """
    rest = list(arguments)
    while rest:
        flag, equals, value = rest.pop(0).partition("=")
        if flag in _SWITCHES and not equals:
            continue
        if flag not in _VALUED:
            raise ConfigError(
                f"The argument {flag!r} of {name!r} is refused: it could open this machine to"
                " commands.",
                hint="Use the settings mounts, overlay, network and env, or remove it.",
            )
        value = value if equals else rest.pop(0) if rest else ""
        if not value or value.startswith("-"):
            raise ConfigError(
                f"The argument {flag!r} of {name!r} has no value.", hint=f"Write {flag}=VALUE."
            )


def start_arguments(options: SingularityOptions, *, folder: Path, name: str) -> list[str]:
    """What stands between `instance start` and the image; `folder` is the instance's own."""
    arguments = ["--containall", "--cleanenv", "--workdir", str(folder / "scratch")]
    if options.overlay == IN_MEMORY:
        arguments.append("--writable-tmpfs")
    else:
        arguments += ["--overlay", str(overlay_folder(options, folder))]
    if options.userns if options.userns is not None else os.geteuid() == 0:
        arguments.append("--userns")
    if options.network == "none":
        arguments += ["--net", "--network", "none"]
    for mount in options.mounts:
        arguments += ["--bind", _bind(mount, name=name)]
    for setting in wanted_limits(options):
        arguments += [_LIMITS[setting], str(getattr(options, setting))]
    return arguments + options.extra_args


def overlay_folder(options: SingularityOptions, folder: Path) -> Path:
    return Path(options.overlay).expanduser().absolute() if options.overlay else folder / "overlay"


def wanted_limits(options: SingularityOptions) -> list[str]:
    return [setting for setting in _LIMITS if getattr(options, setting) is not None]


def possible_limits() -> frozenset[str]:
    """Which limits apptainer can enforce on this machine (its manual, "Limiting Resources")."""
    has_cgroups = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    has_systemd = Path("/run/systemd/system").exists()
    return frozenset({"network", *(_LIMITS if has_cgroups and has_systemd else ())})


def check_limits(options: SingularityOptions, possible: frozenset[str], *, name: str) -> None:
    """Refuse limits that would be none.

    Raises:
        EnvironmentUnavailableError: one that is set cannot be enforced.
    """
    for setting in wanted_limits(options):
        if setting not in possible:
            raise EnvironmentUnavailableError(
                f"apptainer cannot limit {setting} for {name!r} on this machine: that needs"
                " cgroups v2 and systemd.",
                hint=f"Remove the setting {setting!r}, or use docker.",
            )


def fingerprint(options: SingularityOptions) -> str:
    """Equal for settings an instance can be shared under."""
    shared = msgspec.structs.replace(options, workdir="/", env={})
    return hashlib.sha256(msgspec.json.encode(shared)).hexdigest()[:8]


def _bind(mount: str, *, name: str) -> str:
    source, _, rest = mount.partition(":")
    destination, _, mode = rest.partition(":")
    if not source or not destination.startswith("/") or mode not in {"", "ro", "rw"}:
        raise ConfigError(
            f"The mount {mount!r} of {name!r} is not `source:destination` or"
            " `source:destination:ro`.",
            hint="Give both as paths, the destination absolute.",
        )
    if "," in mount:
        raise ConfigError(
            f"The mount {mount!r} of {name!r} has a comma, which apptainer takes for a separator.",
            hint="Rename the folder, or mount its parent.",
        )
    path = Path(source).expanduser().absolute()
    reason = refusal(str(path), is_read_only=mode == "ro")
    if not reason and not os.path.normpath(destination).strip("/"):
        reason = "would replace the image"
    if reason:
        raise ConfigError(
            f"The mount {mount!r} of {name!r} is refused: it {reason}.",
            hint="Mount only the folders the work is about.",
        )
    return f"{path.resolve()}:{destination}:{mode or 'rw'}"
