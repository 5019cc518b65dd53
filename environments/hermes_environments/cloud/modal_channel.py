"""A process in a Modal sandbox as byte pipes."""

import asyncio
from contextlib import suppress
from typing import Any

from hermes_environments.channel import ChannelLostError
from hermes_environments.cloud.modal_account import ask

CHUNK = 1024 * 1024
"""Bytes sent at once; the SDK holds 16 MiB at most."""
QUIET_SECONDS = 0.2
"""After the process ended, for the last of its output, while children hold the stream."""


class ModalChannel:
    """Reads when asked; what was not read waits at Modal's."""

    def __init__(self, sdk: Any, process: Any) -> None:
        self._sdk = sdk
        self._process = process
        self._reading: asyncio.Task[bytes] | None = None
        self._ending: asyncio.Task[int] | None = None
        self._is_closed = False

    async def recv(self) -> bytes:
        reading = self._reading or asyncio.create_task(self._read())
        self._reading = reading
        if not reading.done():
            await asyncio.wait({reading, self._watch_end()}, return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            await asyncio.wait({reading}, timeout=QUIET_SECONDS)
        if not reading.done():
            if self._watch_end().exception() is not None:
                raise ChannelLostError("The sandbox has ended.")
            return b""
        self._reading = None
        try:
            return reading.result()
        except (self._sdk.exception.Error, OSError) as error:
            raise ChannelLostError(f"The connection to Modal was lost: {error}.") from error

    async def send(self, data: bytes) -> None:
        lost = self._sdk.exception
        for at in range(0, len(data), CHUNK):
            try:
                self._process.stdin.write(data[at : at + CHUNK])
                await ask(self._process.stdin.drain.aio())
            except (lost.ConnectionError, lost.ServiceError, OSError) as error:
                raise ChannelLostError(f"The connection to Modal was lost: {error}.") from error
            except lost.Error:
                return  # nobody reads any more

    async def send_eof(self) -> None:
        with suppress(self._sdk.exception.Error, OSError):
            self._process.stdin.write_eof()
            await ask(self._process.stdin.drain.aio())

    async def exit_code(self) -> int | None:
        with suppress(self._sdk.exception.Error, OSError):
            code = await asyncio.shield(self._watch_end())
            return code if code >= 0 else None
        return None

    async def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        for task in (self._reading, self._ending):
            if task is not None:
                task.cancel()
                await asyncio.wait({task})
        # An open stream keeps the sandbox awake.
        with suppress(self._sdk.exception.Error, OSError):
            await ask(self._process.stdout.aclose())

    async def _read(self) -> bytes:
        return await anext(self._process.stdout, b"")

    def _watch_end(self) -> asyncio.Task[int]:
        if self._ending is None:
            self._ending = asyncio.create_task(self._process.wait.aio())
        return self._ending
