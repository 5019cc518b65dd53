"""What may be set for Daytona, and the SDK: loaded late, its errors told in a sentence."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from math import ceil, inf
from typing import Annotated, Any, Literal

import anyio
from msgspec import Meta, Struct

from hermes_environments.cloud.sandbox import reason
from hermes_environments.options import check_absolute, secret
from hermes_environments.sizes import mebibytes
from hermes_tui.core.errors import ConfigError, EnvironmentUnavailableError

URL = "https://app.daytona.io/api"
"""The SDK's own default."""
ANSWER_SECONDS = 30.0
UNAUTHORIZED, NOT_FOUND = 401, 404
MINUTE = 60.0
START_SECONDS = 300
"""For a sandbox to be there: its image may have to be built."""
ARCHIVE_MINUTES = 7 * 24 * 60


class DaytonaOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of a Daytona environment."""

    image: str = ""
    """A container image from a registry, e.g. `python:3.12`; Daytona's own when not set."""
    target: str = ""
    """The same, as given on the command line: `--env daytona:IMAGE`."""
    snapshot: str = ""
    """A snapshot of yours to start from, in place of an image."""
    workdir: str = "/home/daytona"
    """Where commands start; created when it is not there."""
    env: dict[str, str] = {}
    """Variables commands see."""
    network: Literal["open", "none"] = "open"
    """`none` cuts the sandbox off."""
    cpus: Annotated[int, Meta(ge=1)] | None = None
    """How many processors it gets; needs an `image`, as do memory and disk."""
    memory: int | str | None = None
    """How much memory it gets, e.g. `2G`; rounded up to GiB. A bare number is in MiB."""
    disk: int | str | None = None
    """How much disk it gets, e.g. `10G`; rounded up to GiB. A bare number is in MiB."""
    region: str = ""
    """Where it should run, e.g. `eu`."""
    idle_minutes: Annotated[int, Meta(ge=1, le=1440)] = 15
    """How long a sandbox in which nothing runs is paid for before Daytona stops it."""
    job_seconds: Annotated[int, Meta(ge=0, le=86_400)] = 3_600
    """How long a background job keeps its sandbox awake, and paid for, at most."""
    api_key: str = "$DAYTONA_API_KEY"
    """Best as a reference to a variable."""
    api_url: str = ""
    """Where Daytona is, if it is one of your own."""

    @property
    def source(self) -> str:
        return self.target or self.image

    def key(self, *, environment: str) -> str:
        return secret(self.api_key, setting="api_key", environment=environment)

    def creation(self, sdk: Any, name: str) -> Any:
        """What `create` is asked for."""
        common: dict[str, Any] = {
            "name": name,
            "labels": {"hermes": "environment"},
            "auto_stop_interval": self.idle_minutes,
            "auto_archive_interval": ARCHIVE_MINUTES,
            "network_block_all": self.network == "none",
            "target": self.region or None,
        }
        if self.source:
            resources = sdk.Resources(
                cpu=self.cpus, memory=_gibibytes(self.memory), disk=_gibibytes(self.disk)
            )
            return sdk.CreateSandboxFromImageParams(
                image=self.source, resources=resources, **common
            )
        return sdk.CreateSandboxFromSnapshotParams(snapshot=self.snapshot or None, **common)


def check(options: DaytonaOptions, *, name: str) -> None:
    """Refuse settings that contradict each other.

    Raises:
        ConfigError: they do.
    """
    check_absolute(options.workdir, environment=name)
    if options.source and options.snapshot:
        raise ConfigError(
            f"The environment {name!r} has both an image and a snapshot.", hint="Remove one."
        )
    for setting in ("cpus", "memory", "disk"):
        if getattr(options, setting) is not None and not options.source:
            raise ConfigError(
                f"The setting {setting!r} of {name!r} needs an image.",
                hint="Set `image`, e.g. to python:3.12.",
            )
    _gibibytes(options.memory)
    _gibibytes(options.disk)


def _gibibytes(size: int | str | None) -> int | None:
    return None if size is None else ceil(mebibytes(size) / 1024)


async def load_sdk() -> Any:
    """The daytona package; importing it takes two seconds and a half.

    Raises:
        EnvironmentUnavailableError: it is not installed.
    """
    try:
        return await anyio.to_thread.run_sync(import_module, "daytona")
    except ImportError as error:
        raise _not_installed(str(error)) from error


async def state(options: DaytonaOptions, name: str, *, environment: str) -> str:
    """The state of the sandbox called `name`, empty when there is none; asked without the SDK.

    Raises:
        EnvironmentUnavailableError: Daytona cannot serve.
    """
    import httpx

    if find_spec("daytona") is None:
        raise _not_installed("No module named 'daytona'")
    url = options.api_url or os.environ.get("DAYTONA_API_URL") or URL
    headers = {"Authorization": f"Bearer {options.key(environment=environment)}"}
    try:
        async with httpx.AsyncClient(timeout=ANSWER_SECONDS, headers=headers) as client:
            answer = await client.get(f"{url.rstrip('/')}/sandbox/{name}")
        if answer.status_code == NOT_FOUND:
            return ""
        if answer.status_code == UNAUTHORIZED:
            raise _not_accepted("it is not known")
        return str(answer.raise_for_status().json()["state"])
    except (httpx.HTTPError, ValueError, LookupError) as error:
        raise _unreachable(error) from error


@contextmanager
def explained(sdk: Any, doing: str, *, within: float = inf) -> Generator[None, None, None]:
    """Tell the SDK's errors: `Daytona could not {doing}: …`."""
    try:
        with anyio.fail_after(within):
            yield
    except TimeoutError as error:
        raise EnvironmentUnavailableError(
            f"Daytona could not be reached within {within:.0f} s.", hint="Check the network."
        ) from error
    except sdk.DaytonaAuthenticationError as error:
        raise _not_accepted(reason(error)) from error
    except sdk.DaytonaRateLimitError as error:
        raise EnvironmentUnavailableError(
            f"Daytona has had too many requests: {reason(error)}.", hint="Try again in a minute."
        ) from error
    except (sdk.DaytonaConnectionError, OSError) as error:
        raise _unreachable(error) from error
    except sdk.DaytonaError as error:
        raise EnvironmentUnavailableError(
            f"Daytona could not {doing}: {reason(error)}.",
            hint="Check the settings, and Daytona's dashboard.",
        ) from error


def _not_installed(why: str) -> EnvironmentUnavailableError:
    return EnvironmentUnavailableError(
        f"Daytona's SDK is not there: {why}.", hint="Install hermes-tui[daytona]."
    )


def _not_accepted(why: str) -> EnvironmentUnavailableError:
    return EnvironmentUnavailableError(
        f"Daytona did not accept the key: {why}.",
        hint="Set DAYTONA_API_KEY, or api_key, to a key of your account.",
    )


def _unreachable(error: Exception) -> EnvironmentUnavailableError:
    return EnvironmentUnavailableError(
        f"Daytona cannot be reached: {reason(error)}.", hint="Check the network."
    )
