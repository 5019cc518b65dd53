"""Blocking calls in threads of their own, which nobody has to wait for."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

T = TypeVar("T")


async def in_thread(
    work: Callable[..., T], *arguments: Any, undo: Callable[[T], object] | None = None
) -> T:
    """Do what blocks; when this is cancelled, what it comes to later is undone.

    The thread is one that nobody waits for when Hermes ends: it may be stuck in the network.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(cast("T", result))

    def run() -> None:
        result: T | None = None
        error: BaseException | None = None
        try:
            result = work(*arguments)
        except BaseException as problem:  # noqa: BLE001 - it is the waiting task's
            error = problem
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:  # the loop is closed
            if error is None and undo is not None:
                undo(cast("T", result))

    def drop(future: asyncio.Future[T]) -> None:
        if future.exception() is None and undo is not None:
            # It may block as well.
            threading.Thread(target=undo, args=(future.result(),), daemon=True).start()

    threading.Thread(target=run, name="hermes-environment", daemon=True).start()
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        future.add_done_callback(drop)
        raise
