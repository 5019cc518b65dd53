"""Commands in a sandbox at Modal: found by name, paid for while something runs in it."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Any

from hermes_environments.base import FRIENDLY
from hermes_environments.channel import Capabilities, Channel
from hermes_environments.cloud import modal_account
from hermes_environments.cloud.modal_account import (
    SNAPSHOT_SECONDS,
    SNAPSHOT_TTL,
    Asleep,
    Memory,
    ModalOptions,
    ask,
    explained,
    load_sdk,
)
from hermes_environments.cloud.modal_channel import ModalChannel
from hermes_environments.cloud.sandbox import CloudEnvironment
from hermes_environments.options import check_absolute, passed, read_options, secret
from hermes_tui.core.environment import Attendant, Job
from hermes_tui.core.errors import EnvironmentUnavailableError

LIMITS = frozenset({"cpus", "memory", "network"})

# A process without anybody connected: while it runs, Modal does not take the sandbox for idle.
_KEEP_AWAKE = """
end=$(( $(date +%s) + $2 ))
while [ "$(date +%s)" -lt "$end" ] && grep -qs "HERMES_EXEC_ID=$1" /proc/[0-9]*/environ; do
  sleep 1
done
"""


class ModalEnvironment(CloudEnvironment):
    """Commands in a sandbox Modal puts to sleep after `idle_seconds`."""

    # The SDK takes 64 MiB of output before it holds a command back.
    capabilities = Capabilities(
        backpressure=False, prewarm=False, durable=True, hibernate=True, limits=LIMITS
    )

    def __init__(
        self,
        name: str,
        *,
        cwd: str | None,
        pass_env: Sequence[str],
        state_dir: str,
        options: Mapping[str, object],
        attendant: Attendant | None = None,
    ) -> None:
        """`options` are those of `ModalOptions`; `cwd` is a folder of this machine."""
        del cwd
        self._options = read_options(ModalOptions, options, environment=name)
        check_absolute(self._options.workdir, environment=name)
        self._creation = self._options.creation()
        super().__init__(
            name,
            workdir=self._options.workdir,
            state_dir=state_dir,
            variables={**FRIENDLY, **passed(pass_env), **self._options.env},
            attendant=attendant,
        )
        self._memory = Memory(self._home / "asleep.json")
        self._sdk: Any = None
        self._client: Any = None
        self._endings: set[asyncio.Future[None]] = set()

    async def channel(self, argv: Sequence[str], *, env: Mapping[str, str]) -> Channel:
        sandbox = self._sandbox
        try:
            process = await self._exec(sandbox, argv, env)
        except self._sdk.exception.Error as error:
            with explained(self._sdk, "run a command"):
                if await self._is_awake(sandbox):
                    raise error from None
                sandbox = await self._revive(sandbox)
                process = await self._exec(sandbox, argv, env)
        return ModalChannel(self._sdk, process)

    async def start(self, command: str) -> Job:
        job = await super().start(command)
        if self._options.job_seconds:
            seconds = str(self._options.job_seconds)
            argv = ["sh", "-c", _KEEP_AWAKE, "awake", job.id, seconds]
            with explained(self._sdk, "keep the sandbox awake"):
                await self._exec(self._sandbox, argv, {})
        return job

    async def health(self) -> str:
        async with self._connected():
            if await self._find() is not None:
                return "running"
            return "asleep" if self._memory.load() != Asleep() else "not created yet"

    async def _connect(self) -> bool:
        if self._client is not None:
            return False
        self._sdk = await load_sdk()
        with explained(self._sdk, "be used", within=modal_account.ANSWER_SECONDS):
            if self._options.token_id:
                credentials = [
                    secret(getattr(self._options, setting), setting=setting, environment=self.name)
                    for setting in ("token_id", "token_secret")
                ]
                self._client = await ask(self._sdk.Client.from_credentials.aio(*credentials))
            else:
                self._client = await ask(self._sdk.Client.from_env.aio())
        return True

    async def _disconnect(self) -> None:
        client, self._client = self._client, None
        # The one from the environment is shared with whoever else uses it.
        if client is not None and self._options.token_id:
            await ask(client.close.aio())

    async def _detach(self, sandbox: Any) -> None:
        await ask(sandbox.detach.aio())

    async def _attach(self) -> None:
        self._sandbox = await self._find() or await self._wake()

    async def _exec(self, sandbox: Any, argv: Sequence[str], env: Mapping[str, str]) -> Any:
        ignored = self._sdk.stream_type.StreamType.DEVNULL
        starting = asyncio.ensure_future(
            sandbox.exec.aio(*argv, text=False, stderr=ignored, env=dict(env))
        )
        try:
            await asyncio.wait({starting})
        except asyncio.CancelledError:
            # It may start all the same, and would wait for its input for ever, paid for.
            starting.add_done_callback(self._end_of_input)
            raise
        return starting.result()

    def _end_of_input(self, starting: asyncio.Future[Any]) -> None:
        if not starting.cancelled() and starting.exception() is None:
            channel = ModalChannel(self._sdk, starting.result())
            self._endings.add(ending := asyncio.ensure_future(channel.send_eof()))
            ending.add_done_callback(self._endings.discard)

    async def _find(self) -> Any:
        """The running sandbox, or None."""
        with explained(self._sdk, "look for the sandbox", within=modal_account.ANSWER_SECONDS):
            try:
                sandbox = await ask(
                    self._sdk.Sandbox.from_name.aio(
                        self._options.app, self._key, client=self._client
                    )
                )
            except self._sdk.exception.NotFoundError:
                return None
            return sandbox if await self._is_awake(sandbox) else None

    async def _is_awake(self, sandbox: Any) -> bool:
        with explained(self._sdk, "look for the sandbox", within=modal_account.ANSWER_SECONDS):
            return await ask(sandbox.poll.aio()) is None

    async def _revive(self, gone: Any) -> Any:
        """The sandbox that takes the place of one Modal has ended."""
        async with self._waking:
            if self._sandbox is gone:
                await self._attach()
                self.tell(
                    f"The sandbox of {self.name} had been put to sleep and is awake again; what"
                    " ran in it has ended."
                )
            return self._sandbox

    async def _wake(self) -> Any:
        """Create the sandbox, with the files of the last one if there was one."""
        asleep = self._memory.load()
        if asleep == Asleep():
            return await self._create(self._base_image(), Asleep())
        await self._attendant.progress(f"waking the sandbox of {self.name}")
        for image in (await self._left_by(asleep.sandbox_id), self._image(asleep.image_id)):
            if image is not None:
                try:
                    return await self._create(image, asleep)
                except EnvironmentUnavailableError as error:
                    if not isinstance(error.__cause__, self._sdk.exception.NotFoundError):
                        raise
        self.tell(
            f"Modal has no files of {self.name} any more: its sandbox was created anew, and what"
            " was installed or written is lost."
        )
        return await self._create(self._base_image(), Asleep())

    async def _create(self, image: Any, asleep: Asleep) -> Any:
        await self._attendant.progress(f"starting a Modal sandbox for {self.name}")
        sdk = self._sdk
        with explained(sdk, "start a sandbox"):
            app = await ask(
                sdk.App.lookup.aio(self._options.app, create_if_missing=True, client=self._client)
            )
            arguments = {
                "app": app,
                "client": self._client,
                "image": image,
                "name": self._key,
                "tags": {"hermes": "environment", "machine": os.uname().nodename},
                **self._creation,
            }
            sandbox = await ask(sdk.Sandbox.create.aio("sleep", "infinity", **arguments))
            self._memory.save(Asleep(asleep.image_id, sandbox.object_id))
            making = await self._exec(sandbox, ["mkdir", "-p", self._options.workdir], {})
            if await ask(making.wait.aio()):
                raise EnvironmentUnavailableError(
                    f"The folder {self._options.workdir!r} cannot be made in {self.name}.",
                    hint="Choose another `workdir`.",
                )
        return sandbox

    def _base_image(self) -> Any:
        reference = self._options.target or self._options.image
        if reference:
            return self._sdk.Image.from_registry(reference)
        return self._sdk.Image.debian_slim()

    def _image(self, image_id: str) -> Any:
        return self._sdk.Image.from_id(image_id, client=self._client) if image_id else None

    async def _left_by(self, sandbox_id: str) -> Any:
        """What a sandbox had on its disk when Modal ended it; None when that was not kept."""
        if not sandbox_id:
            return None
        try:
            sandbox = await ask(self._sdk.Sandbox.from_id.aio(sandbox_id, client=self._client))
            # The only way there is to it, in 1.6.
            snapshot = sandbox._experimental_get_exit_snapshot  # noqa: SLF001
            return await ask(snapshot.aio(timeout=SNAPSHOT_SECONDS))
        except (self._sdk.exception.AuthError, self._sdk.exception.ConnectionError):
            raise
        except self._sdk.exception.Error:
            return None

    async def _put_to_sleep(self, sandbox: Any) -> None:
        with explained(self._sdk, "put the sandbox to sleep"):
            if await self._is_awake(sandbox):
                image = await ask(
                    sandbox.snapshot_filesystem.aio(SNAPSHOT_SECONDS, ttl=SNAPSHOT_TTL)
                )
                self._memory.save(Asleep(image_id=image.object_id))
                await ask(sandbox.terminate.aio())
                await self._detach(sandbox)

    async def _delete(self, sandbox: Any) -> None:
        with explained(self._sdk, "end the sandbox"):
            await ask(sandbox.terminate.aio())
            await self._detach(sandbox)
