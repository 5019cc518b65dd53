"""What the model sees of a session, and how full that makes its window."""

from collections.abc import Awaitable, Callable, Sequence

import anyio

from hermes_tui.agent.compaction import Compactor, Plan
from hermes_tui.core.errors import ContextOverflowError, ModelError
from hermes_tui.core.events import HistoryCompacted, Notice
from hermes_tui.core.history import NOT_COMPACTED, Compaction, message_tokens, shortened
from hermes_tui.core.messages import Message
from hermes_tui.core.ports import Journal, Model, Prefix
from hermes_tui.core.usage import Usage, estimated_tokens

REFUSED_SHARE = 0.8
"""Of a request refused for its length: taken for what the model holds from then on."""

Show = Callable[[HistoryCompacted | Notice], Awaitable[None]]


class Context:
    """Counts, and shortens what is sent; the history itself stays whole."""

    def __init__(
        self,
        journal: Journal,
        *,
        compactor: Compactor | None = None,
        compaction: Compaction = NOT_COMPACTED,
    ) -> None:
        self._journal = journal
        self._compactor = compactor
        self._compaction = compaction
        self._counted = (0, 0)
        self._window_limit: int | None = None

    def sent(self, history: Sequence[Message]) -> tuple[Message, ...]:
        """The messages of the next request."""
        return shortened(history, self._compaction)

    def count(self, call: Usage, messages: int) -> None:
        """Take in what the provider counted for the first `messages` of the history."""
        self._counted = (call.input_tokens + call.output_tokens, messages)

    def tokens(self, history: Sequence[Message], prefix: Prefix) -> int:
        """Size of the next request: the provider's last count, and an estimate of the rest."""
        counted, messages = self._counted
        if not counted:
            return estimated_tokens(prefix.system) + sum(map(message_tokens, self.sent(history)))
        return counted + sum(map(message_tokens, history[messages:]))

    def window(self, model: Model) -> int | None:
        """Tokens `model` holds, as far as it says or has shown."""
        known = [size for size in (model.context_window, self._window_limit) if size]
        return min(known) if known else None

    def plan(self, history: Sequence[Message], model: Model) -> Plan | None:
        """What shortening now would do; None when there is nothing to shorten."""
        if self._compactor is None:
            return None
        window = self.window(model)
        return self._compactor.plan(history, self._compaction, window=window, thorough=True)

    async def make_room(
        self, history: Sequence[Message], prefix: Prefix, model: Model, show: Show
    ) -> Usage:
        """Shorten what is sent if it has grown too long; returns what the summary consumed."""
        compactor = self._compactor
        if compactor is None or not compactor.is_due(
            self.tokens(history, prefix), self.window(model)
        ):
            return Usage()
        try:
            usage = await self.compact(history, model, show)
        except ModelError as error:
            compactor.note_failure()
            usage = None
            await show(Notice(f"The history was not shortened: {error.message}", "warning"))
        if compactor.has_given_up:
            hint = "Shortening the history frees next to nothing now; a new session would."
            await show(Notice(hint, "warning"))
        return usage or Usage()

    async def make_fit(
        self,
        history: Sequence[Message],
        prefix: Prefix,
        model: Model,
        show: Show,
        refusal: ContextOverflowError,
    ) -> Usage:
        """Shorten what the provider has just refused for its length.

        Raises:
            ContextOverflowError: the `refusal`; nothing can be left out any more.
            ModelError: there is no summary.
        """
        tokens = self.tokens(history, prefix)
        self._window_limit = int(min(tokens, self.window(model) or tokens) * REFUSED_SHARE)
        usage = await self.compact(history, model, show, thorough=True)
        if usage is None:
            raise refusal
        return usage

    async def compact(
        self,
        history: Sequence[Message],
        model: Model,
        show: Show,
        *,
        focus: str = "",
        thorough: bool = False,
    ) -> Usage | None:
        """Shorten what is sent and say so; None when nothing can be left out.

        Raises:
            ModelError: there is no summary; nothing has changed.
        """
        if self._compactor is None:
            return None
        before = self._compaction
        done = await self._compactor.compact(
            history, before, window=self.window(model), focus=focus, thorough=thorough
        )
        if done is None:
            return None
        now = done.compaction
        with anyio.CancelScope(shield=True):
            await self._journal.record_compaction(now)
            self._compaction, self._counted = now, (0, 0)
            if done.usage != Usage():
                await self._journal.record_usage(done.usage, model.name)
        await show(
            HistoryCompacted(
                tokens_before=done.tokens_before,
                tokens_after=done.tokens_after,
                summarised=now.tail - now.head,
                shrunk=now.whole - max(now.tail, before.whole),
                summary=now.summary if now.summary != before.summary else "",
            )
        )
        return done.usage
