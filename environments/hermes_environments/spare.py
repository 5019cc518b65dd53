"""The next worker, started while a command runs and the model thinks."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import anyio

from hermes_environments.conversation import Worker
from hermes_tui.core.errors import EnvironmentUnavailableError

PREWARM_SECONDS = 0.03
"""After the start of a command the next worker is started, or as soon as it is needed."""
HANG_UP_SECONDS = 2.0
"""For the transport of a worker nobody needs any more to be released."""

T = TypeVar("T")


class Spare:
    """At most one worker that waits for its command."""

    def __init__(self, spawn: Callable[[], Coroutine[Any, Any, Worker]]) -> None:
        """`spawn` starts a worker."""
        self._spawn = spawn
        self._is_needed = asyncio.Event()
        """Set when the worker is to be there as soon as it can."""
        self.task: asyncio.Task[Worker] | None = None

    def prepare(self) -> None:
        """Start one in a moment, unless there is one."""
        if self.task is None:
            self._is_needed = asyncio.Event()
            self.task = asyncio.create_task(self._start(self._is_needed))
            self.task.add_done_callback(_look_at)

    async def take(self) -> Worker | None:
        """The worker, once it is there; None if there is none, or it could not be started."""
        spare, self.task = self.task, None
        if spare is None:
            return None
        self._is_needed.set()
        try:
            return await asyncio.shield(spare)
        except EnvironmentUnavailableError:
            return None
        except asyncio.CancelledError:
            if self.task is None:
                self.task = spare
            else:  # there is another one by now
                await to_the_end(_drop(spare))
            raise

    async def drop(self) -> None:
        """Let go of the worker, if there is one."""
        spare, self.task = self.task, None
        if spare is not None:
            await _drop(spare)

    async def _start(self, is_needed: asyncio.Event) -> Worker:
        # A short command has the processor to itself.
        with anyio.move_on_after(PREWARM_SECONDS):
            await is_needed.wait()
        return await self._spawn()


async def _drop(spare: asyncio.Task[Worker]) -> None:
    spare.cancel()
    await asyncio.wait({spare}, timeout=HANG_UP_SECONDS)
    if spare.done() and not spare.cancelled() and spare.exception() is None:
        with suppress(EnvironmentUnavailableError), anyio.move_on_after(HANG_UP_SECONDS):
            await spare.result().channel.close()


def _look_at(spare: asyncio.Task[Worker]) -> None:
    """A spare that could not be started is tried again, and reported, when one is needed."""
    if not spare.cancelled():
        spare.exception()


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Finish `work` although this task is cancelled, even repeatedly; then be cancelled."""
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    with anyio.CancelScope(shield=True):
        while not task.done():
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError as error:
                cancelled = error
    if cancelled is not None:
        raise cancelled
    return task.result()
