"""What the model sees of a session, and how full that makes its window."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import anyio
import msgspec

from hermes_tui.agent.compaction import ASSUMED_WINDOW, Compactor, Plan
from hermes_tui.core.errors import ContextOverflowError, HermesError
from hermes_tui.core.events import HistoryCompacted, Notice
from hermes_tui.core.history import NOT_COMPACTED, Compaction, message_tokens, shortened
from hermes_tui.core.messages import Message
from hermes_tui.core.ports import Journal, Model, Prefix
from hermes_tui.core.usage import Usage

REFUSED_SHARE = 0.8
"""Of a request refused for its length: taken for what the model holds from then on."""
SCALES = (0.5, 6.0)
"""Bounds of how many tokens the provider counts for one of our estimate; CJK takes about four."""
LEAST_ROOM = 500

Show = Callable[[HistoryCompacted | Notice], Awaitable[None]]


class Context:
    """Counts, and shortens what is sent; the history itself stays whole.

    Messages are estimated at four characters a token. The provider's own count of the last
    request says how far off that is, and what prompt and tools take.
    """

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
        """Tokens, and how many messages of the history they cover."""
        self._scale = 1.0
        self._limits: dict[str, int] = {}
        """What models have shown to hold, by name."""
        self._measured: tuple[Prefix, int] | None = None

    def sent(self, history: Sequence[Message]) -> tuple[Message, ...]:
        """The messages of the next request."""
        return shortened(history, self._compaction)

    def count(self, call: Usage, history: Sequence[Message], prefix: Prefix) -> None:
        """Take in what the provider counted for the history, its reply included."""
        counted = call.input_tokens + call.output_tokens
        self._counted = (counted, len(history))
        estimated = self._overhead(prefix) + self._said(history)
        if counted and estimated:
            self._scale = min(max(counted / estimated, SCALES[0]), SCALES[1])

    def tokens(self, history: Sequence[Message], prefix: Prefix) -> int:
        """Size of the next request: the provider's last count, and an estimate of the rest."""
        counted, messages = self._counted
        if not counted:
            return int((self._overhead(prefix) + self._said(history)) * self._scale)
        return counted + int(sum(map(message_tokens, history[messages:])) * self._scale)

    def window(self, model: Model) -> int | None:
        """Tokens `model` holds, as far as it says or has shown."""
        known = [size for size in (model.context_window, self._limits.get(model.name)) if size]
        return min(known) if known else None

    def plan(self, history: Sequence[Message], prefix: Prefix, model: Model) -> Plan | None:
        """What shortening now would do; None when there is nothing to shorten."""
        if self._compactor is None:
            return None
        room = self._room(prefix, model)
        return self._compactor.plan(history, self._compaction, window=room, thorough=True)

    async def make_room(
        self, history: Sequence[Message], prefix: Prefix, model: Model, show: Show
    ) -> Usage:
        """Shorten what is sent if it has grown too long; returns what the summary consumed."""
        compactor = self._compactor
        if compactor is None or not compactor.is_due(
            self._said(history), self._room(prefix, model)
        ):
            return Usage()
        try:
            _, usage = await self.compact(history, prefix, model, show)
        except HermesError as error:
            compactor.note_failure()
            await show(Notice(f"The history was not shortened: {error.message}", "warning"))
            return Usage()
        if compactor.has_given_up:
            hint = "Shortening the history frees next to nothing now; a new session would."
            await show(Notice(hint, "warning"))
        return usage

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
        """
        tokens = self.tokens(history, prefix)
        limit = int(min(tokens, self.window(model) or tokens) * REFUSED_SHARE)
        self._limits[model.name] = limit
        is_shorter, usage = False, Usage()
        with suppress(HermesError):  # without a summary, tool output can still be cut
            is_shorter, usage = await self.compact(history, prefix, model, show, thorough=True)
        if not is_shorter and not await self._cut_everything(history, show):
            raise refusal
        return usage

    async def compact(
        self,
        history: Sequence[Message],
        prefix: Prefix,
        model: Model,
        show: Show,
        *,
        focus: str = "",
        thorough: bool = False,
    ) -> tuple[bool, Usage]:
        """Shorten what is sent and say so: whether it became shorter, and what that consumed.

        Raises:
            HermesError: there is no summary; nothing has changed.
        """
        if self._compactor is None:
            return False, Usage()
        room = self._room(prefix, model)
        done = await self._compactor.compact(
            history, self._compaction, window=room, focus=focus, thorough=thorough
        )
        if done is None:
            return False, Usage()
        if done.usage != Usage():
            with anyio.CancelScope(shield=True):
                await self._journal.record_usage(done.usage, model.name)
        if done.compaction is None:
            return False, done.usage
        sizes = (int(done.tokens_before * self._scale), int(done.tokens_after * self._scale))
        await self._go_on_with(done.compaction, sizes, show)
        return True, done.usage

    async def _cut_everything(self, history: Sequence[Message], show: Show) -> bool:
        """Cut tool output up to the last message: the request was refused for what it brought."""
        now = self._compaction
        cut = Compaction(now.head, now.tail, len(history), now.summary)
        before, after = self._said(history), _estimated(shortened(history, cut))
        if after >= before:
            return False
        sizes = (int(before * self._scale), int(after * self._scale))
        await self._go_on_with(cut, sizes, show)
        return True

    async def _go_on_with(self, now: Compaction, sizes: tuple[int, int], show: Show) -> None:
        before = self._compaction
        with anyio.CancelScope(shield=True):
            await self._journal.record_compaction(now)
            self._compaction, self._counted = now, (0, 0)
        await show(
            HistoryCompacted(
                tokens_before=sizes[0],
                tokens_after=sizes[1],
                summarised=now.tail - now.head,
                shrunk=now.whole - max(now.tail, before.whole),
                summary=now.summary if now.summary != before.summary else "",
            )
        )

    def _room(self, prefix: Prefix, model: Model) -> int:
        """Estimated tokens the window has for messages, beside prompt and tools."""
        window = self.window(model) or ASSUMED_WINDOW
        return max(LEAST_ROOM, int(window / self._scale) - self._overhead(prefix))

    def _said(self, history: Sequence[Message]) -> int:
        return _estimated(self.sent(history))

    def _overhead(self, prefix: Prefix) -> int:
        """Estimated tokens of prompt and tools."""
        if self._measured is None or self._measured[0] is not prefix:
            self._measured = (prefix, len(msgspec.json.encode(prefix)) // 4)
        return self._measured[1]


def _estimated(messages: Sequence[Message]) -> int:
    return sum(map(message_tokens, messages))
