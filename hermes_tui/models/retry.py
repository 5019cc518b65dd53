"""Asking again when a provider is busy, visibly and within bounds."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from secrets import SystemRandom

import anyio
from msgspec import Struct

from hermes_tui.core.errors import ModelError, RateLimitedError
from hermes_tui.core.events import Notice
from hermes_tui.core.ports import Model, ModelItem, ModelRequest
from hermes_tui.models.wrapped import WrappedModel

Sleep = Callable[[float], Awaitable[None]]

_RANDOM = SystemRandom()


class Backoff(Struct, frozen=True):
    """How often and how long; times in seconds."""

    attempts: int = 4
    """The first one included."""
    first: float = 1.0
    factor: float = 2.0
    longest: float = 60.0
    """A provider that asks for a longer wait gets none; the error is raised instead."""

    def delay(self, attempt: int, retry_after: float | None, jitter: float) -> float | None:
        """Seconds to wait after failed attempt `attempt` (from 1); None for giving up.

        `jitter` from 0 to 1 spreads clients that were turned away together.
        """
        if attempt >= self.attempts:
            return None
        if retry_after is not None:
            wait = retry_after + jitter * 0.25
            return wait if retry_after <= self.longest else None
        return min(self.longest, self.first * self.factor ** (attempt - 1)) * (0.5 + jitter / 2)


class RetryingModel(WrappedModel):
    """Repeats calls that failed for a while, as long as nothing was shown of them."""

    def __init__(
        self,
        inner: Model,
        *,
        backoff: Backoff | None = None,
        sleep: Sleep = anyio.sleep,
        jitter: Callable[[], float] = _RANDOM.random,
    ) -> None:
        super().__init__(inner)
        self._backoff = backoff or Backoff()
        self._sleep = sleep
        self._jitter = jitter

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        """Yield what the inner model yields, with a notice before each new attempt.

        Raises:
            ModelError: the last attempt's, or the first that waiting does not help.
        """
        attempt = 1
        while True:
            has_answered = False
            try:
                async with aclosing(self._inner.stream(request)) as items:
                    async for item in items:
                        has_answered = has_answered or not isinstance(item, Notice)
                        yield item
                return
            except ModelError as error:
                delay = None if has_answered else self._delay(attempt, error)
                if delay is None:
                    raise
                attempt += 1
                notice = (
                    f"{error.message.rstrip('.')}; retrying in {_seconds(delay)} "
                    f"(attempt {attempt} of {self._backoff.attempts})."
                )
            yield Notice(notice, "warning")
            await self._sleep(delay)

    def _delay(self, attempt: int, error: ModelError) -> float | None:
        if not error.is_transient:
            return None
        asked = error.retry_after if isinstance(error, RateLimitedError) else None
        return self._backoff.delay(attempt, asked, self._jitter())


def _seconds(delay: float) -> str:
    return f"{delay:.0f} s" if delay >= 2 else f"{delay:.1f} s"
