"""The `apptainer` command, older systems' `singularity`: called, timed, its errors told."""

import hashlib
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import anyio
import msgspec
from anyio.streams.text import TextReceiveStream
from msgspec import Struct

from hermes_environments import owners
from hermes_environments.capture import make_private
from hermes_tui.core.environment import Attendant
from hermes_tui.core.errors import EnvironmentUnavailableError

NAMES = ("apptainer", "singularity")
CALL_SECONDS = 60.0

_PASSED = frozenset(
    {
        "PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "XDG_RUNTIME_DIR",
        "DBUS_SESSION_BUS_ADDRESS", "APPTAINER_CONFIGDIR", "SINGULARITY_CONFIGDIR",
    }
)  # fmt: skip
_PASSED_TO_BUILDS = re.compile(
    r"(?i)(?:https?|no|all)_proxy|ssl_cert_(?:file|dir)|"
    r"(?:apptainer|singularity)_(?:cachedir|tmpdir|nohttps|docker_username|docker_password)"
)
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_LEVEL = re.compile(r"^(?:FATAL|ERROR|WARNING|INFO):?\s+")


class Instance(Struct, frozen=True):
    """A running instance, by the process that keeps it."""

    name: str
    pid: int
    started: str = ""
    """What tells its process from a later one with the same number."""

    @property
    def is_alive(self) -> bool:
        return bool(self.started) and owners.started(self.pid) == self.started


class _Row(Struct):
    instance: str
    pid: int


class _Listing(Struct):
    instances: list[_Row] | None = None


class Program:
    """One installed apptainer."""

    def __init__(self, path: str) -> None:
        self.path = path
        # Nothing else: `exec` into an instance hands all of its own environment on.
        self.environ = {name: value for name, value in os.environ.items() if name in _PASSED}

    @classmethod
    def find(cls) -> "Program":
        for name in NAMES:
            if path := shutil.which(name):
                return cls(path)
        raise EnvironmentUnavailableError(
            "Neither apptainer nor singularity is on the PATH.",
            hint="Install apptainer, or choose another environment.",
        )

    async def version(self) -> str:
        return (await self.call("--version")).strip()

    async def instances(self, prefix: str) -> list[Instance]:
        """Those of this user whose name begins with `prefix`."""
        listing = msgspec.json.decode(await self.call("instance", "list", "--json"), type=_Listing)
        return [
            Instance(name=row.instance, pid=row.pid, started=owners.started(row.pid))
            for row in listing.instances or []
            if row.instance.startswith(prefix)
        ]

    async def stop(self, name: str) -> None:
        with suppress(EnvironmentUnavailableError):  # it is gone already
            # Its init passes TERM on to nobody: without force there is only a wait before KILL.
            await self.call("-q", "instance", "stop", "-F", name)

    async def call(self, *arguments: str) -> str:
        """What the command prints.

        Raises:
            EnvironmentUnavailableError: it failed, for the reason it gave.
        """
        try:
            with anyio.fail_after(CALL_SECONDS):
                done = await anyio.run_process(
                    [self.path, *arguments], cwd="/", env=self.environ, check=False
                )
        except TimeoutError as error:
            raise EnvironmentUnavailableError(
                f"{Path(self.path).name} did not answer within {CALL_SECONDS:.0f} s.",
                hint="Check that the disk its files are on responds.",
            ) from error
        if done.returncode:
            raise self._failure(done.stderr.decode("utf-8", "replace"))
        return done.stdout.decode("utf-8", "replace")

    async def build(self, source: str, folder: Path, attendant: Attendant) -> Path:
        """A SIF file in `folder` for the reference `source`; built when it is not there yet."""
        name = hashlib.sha256(source.encode()).hexdigest()[:16]
        image = folder / f"{name}.sif"
        if image.exists():
            return image
        make_private(folder)
        temporary = folder / f"{name}.{secrets.token_hex(4)}.tmp"
        try:
            await self._build(source, temporary, attendant)
            temporary.replace(image)
        finally:
            temporary.unlink(missing_ok=True)
        await attendant.progress(f"built {source}")
        return image

    async def _build(self, source: str, image: Path, attendant: Attendant) -> None:
        passed = {k: v for k, v in os.environ.items() if _PASSED_TO_BUILDS.fullmatch(k)}
        await attendant.progress(f"building {source}")
        said: list[str] = []
        rest = ""
        async with await anyio.open_process(
            [self.path, "build", str(image), source],
            cwd="/",
            env={**self.environ, **passed},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        ) as process:
            assert process.stderr is not None
            async for text in TextReceiveStream(process.stderr, errors="replace"):
                *lines, rest = (rest + text).split("\n")
                for line in lines:
                    await attendant.progress(f"building {source}: {_plain(line)}")
                said = [*said, *lines][-20:]
            code = await process.wait()
        if code:
            text = "\n".join((*said, rest))
            raise self._failure(text, what=f"{source} could not be built into an image")

    def _failure(self, said: str, what: str = "") -> EnvironmentUnavailableError:
        program = Path(self.path).name
        reason = _reason(said)
        hint = next((hint for sign, hint in _HINTS.items() if sign in reason), "")
        return EnvironmentUnavailableError(
            f"{what or f'{program} refused'}: {reason}.",
            hint=hint or f"Try the same with {program} by hand.",
        )


_HINTS: Mapping[str, str] = {
    "overlay": "Set `overlay: memory`, or an `overlay` folder on a local disk.",
    "capability set": "Set `userns: true`.",
    "user namespace": "Have unprivileged user namespaces enabled, or apptainer's setuid part.",
    "fuse": "Make /dev/fuse available, or use a folder as the image.",
    "mount source": "Create the folder, or correct `mounts`.",
    "no space left": "Free some space on the disk.",
    "connect": "Check the network and the name of the image.",
    "unauthorized": "Log in with `apptainer registry login`, or correct the name of the image.",
}


def _reason(said: str) -> str:
    lines = [_plain(line) for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if "while executing starter" not in line]
    return (telling or lines or ["no reason given"])[-1].rstrip(".")


def _plain(line: str) -> str:
    return _LEVEL.sub("", _ANSI.sub("", line).strip())
