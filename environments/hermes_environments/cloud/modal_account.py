"""What may be set for Modal, and the SDK: loaded late, its errors told in a sentence."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Generator
from contextlib import contextmanager, suppress
from importlib import import_module
from math import inf
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import anyio
from msgspec import Meta, Struct

from hermes_environments.capture import make_private
from hermes_environments.cloud.sandbox import reason
from hermes_environments.sizes import mebibytes
from hermes_tui.core.errors import EnvironmentUnavailableError

T = TypeVar("T")

APP = "hermes"
ANSWER_SECONDS = 30.0
SNAPSHOT_SECONDS = 55
SNAPSHOT_TTL = 30 * 86_400
LIFETIME = 86_400
"""Seconds; the longest Modal allows."""


class ModalOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of a Modal environment."""

    image: str = ""
    """A container image from a registry, e.g. `python:3.12`; Modal's Debian when not set."""
    target: str = ""
    """The same, as given on the command line: `--env modal:IMAGE`."""
    workdir: str = "/workspace"
    """Where commands start; created when it is not there."""
    env: dict[str, str] = {}
    """Variables commands see."""
    network: Literal["open", "none"] = "open"
    """`none` cuts the sandbox off."""
    cpus: Annotated[float, Meta(gt=0)] | None = None
    """How many processors it may use."""
    memory: int | str | None = None
    """How much memory it may use, e.g. `2G`; a bare number is in MiB."""
    region: str = ""
    """Where it should run, e.g. `eu`."""
    idle_seconds: Annotated[int, Meta(ge=1, le=86_400)] = 300
    """How long a sandbox in which nothing runs is paid for before Modal puts it to sleep."""
    job_seconds: Annotated[int, Meta(ge=0, le=86_400)] = 3_600
    """How long a background job keeps its sandbox awake, and paid for, at most."""
    app: str = APP
    """The Modal app its sandboxes belong to."""
    token_id: str = ""
    """Modal's own configuration is used when this and the secret are not set."""
    token_secret: str = ""
    """Best as a reference to a variable: `$MODAL_TOKEN_SECRET`."""

    def creation(self) -> dict[str, Any]:
        """Arguments for `Sandbox.create`, limits as hard ones."""
        wanted: dict[str, Any] = {
            "timeout": LIFETIME,
            "idle_timeout": self.idle_seconds,
            "block_network": self.network == "none",
            # What a sandbox leaves when Modal ends it, or when Hermes did not get to it.
            "experimental_options": {"enable_exit_snapshot": True},
        }
        if self.cpus is not None:
            wanted["cpu"] = (self.cpus, self.cpus)
        if self.memory is not None:
            size = mebibytes(self.memory)
            wanted["memory"] = (size, size)
        if self.region:
            wanted["region"] = self.region
        return wanted


class Asleep(Struct, frozen=True):
    """Where the files of a sandbox are while it does not run."""

    image_id: str = ""
    sandbox_id: str = ""
    """The last one; it may have left an exit snapshot that is newer than `image_id`."""


class Memory:
    """The place on this machine that remembers a sandbox across runs of Hermes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Asleep:
        with suppress(OSError, ValueError, TypeError):
            return Asleep(**json.loads(self._path.read_bytes()))
        return Asleep()

    def save(self, asleep: Asleep) -> None:
        make_private(self._path.parent)
        temporary = self._path.with_suffix(".tmp")
        text = json.dumps({"image_id": asleep.image_id, "sandbox_id": asleep.sandbox_id})
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(self._path)


async def load_sdk() -> Any:
    """The modal package; importing it takes a second.

    Raises:
        EnvironmentUnavailableError: it is not installed.
    """
    try:
        sdk = await anyio.to_thread.run_sync(import_module, "modal")
    except ImportError as error:
        raise EnvironmentUnavailableError(
            f"Modal's SDK is not there: {error}.", hint="Install hermes-tui[modal]."
        ) from error
    # It writes warnings to stderr by itself, which is the screen.
    logging.getLogger("modal-client").handlers.clear()
    return sdk


async def ask(call: Awaitable[T]) -> T:
    """The result of one of the SDK's calls; to be used for each of them.

    Cancelled more than once, as an anyio scope does, the SDK never comes back: so the call is
    a task of its own, cancelled once and not waited for.
    """
    task = asyncio.ensure_future(call)
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        task.cancel()
        task.add_done_callback(_look_at)
        raise
    return task.result()


def _look_at(task: asyncio.Future[Any]) -> None:
    """Nobody else will."""
    if not task.cancelled():
        task.exception()


@contextmanager
def explained(sdk: Any, doing: str, *, within: float = inf) -> Generator[None, None, None]:
    """Tell the SDK's errors: `Modal could not {doing}: …`; it retries for minutes by itself."""
    try:
        with anyio.fail_after(within):
            yield
    except TimeoutError as error:
        raise EnvironmentUnavailableError(
            f"Modal could not be reached within {within:.0f} s.", hint="Check the network."
        ) from error
    except sdk.exception.AuthError as error:
        raise EnvironmentUnavailableError(
            f"Modal did not accept the token: {reason(error)}.",
            hint="Run `modal token new`, or set token_id and token_secret.",
        ) from error
    except (sdk.exception.ConnectionError, OSError) as error:
        raise EnvironmentUnavailableError(
            f"Modal cannot be reached: {reason(error)}.", hint="Check the network."
        ) from error
    except sdk.exception.Error as error:
        raise EnvironmentUnavailableError(
            f"Modal could not {doing}: {reason(error)}.",
            hint="Check the settings, and Modal's dashboard.",
        ) from error
