"""Keeping a long history within what the model can hold.

First old tool output is cut to its ends; only when that is not enough, everything between
the first exchange and the recent messages is told by a summary. The store keeps it all.
"""

from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct, structs

from hermes_tui.core.history import Compaction, message_tokens, shortened
from hermes_tui.core.messages import Message
from hermes_tui.core.usage import Usage

ASSUMED_WINDOW = 128_000
"""Tokens, for models that do not say; one that holds less answers with an error."""
HEAD_SHARE, SUMMARY_SHARE = 0.1, 0.1
"""Of the window: the first exchange, and what is told of the rest."""
TAIL_SHARE, TARGET_SHARE = 0.4, 0.6
"""Of the threshold: the recent messages, and where cutting tool output alone is enough."""
POOR_GAIN = 0.1
"""A pass that frees less than this is poor; after two of them it stops trying."""
POOR_PASSES = 2
CHECKS_AFTER_FAILURE = 5
"""How many model calls pass by before a summary that was not to be had is tried again."""


class SummaryRequest(Struct, frozen=True):
    """What a summary has to tell."""

    previous: str
    """The summary so far, to be updated; empty the first time."""
    messages: tuple[Message, ...]
    """What came since."""
    focus: str
    """What the person wants kept above all; may be empty."""
    window: int
    """Tokens the model that answers can hold."""

    @property
    def limit_tokens(self) -> int:
        return int(self.window * SUMMARY_SHARE)


class Summary(Struct, frozen=True):
    """A structured account of a conversation."""

    text: str
    usage: Usage = Usage()


Summarise = Callable[[SummaryRequest], Awaitable[Summary]]
"""Raises `ModelError` when there is no summary to be had."""


class Plan(Struct, frozen=True):
    """What a compaction would do."""

    compaction: Compaction
    """With the summary as it was."""
    fresh: tuple[Message, ...]
    """Messages the summary does not tell yet; empty when cutting tool output is enough."""
    tokens_before: int
    tokens_after: int
    """Estimates, without the prompt prefix; a new summary is taken for as long as it may get."""


class Done(Struct, frozen=True):
    """What a compaction did."""

    compaction: Compaction | None
    """None when it would not have become shorter; nothing has changed then."""
    tokens_before: int
    tokens_after: int
    usage: Usage


class Compactor:
    """Decides when a history is too long, and shortens it.

    Args:
        summarise: Writes the summaries.
        threshold: Share of the window, 0.3 to 0.9, beyond which a history is too long;
            infinite to shorten only when asked, or when the provider refuses a request.
    """

    def __init__(self, summarise: Summarise, *, threshold: float = 0.5) -> None:
        self._summarise = summarise
        self._threshold = threshold
        self._target = min(threshold, 0.5)
        self._poor = 0
        self._resting = 0

    @property
    def has_given_up(self) -> bool:
        """The last passes freed next to nothing."""
        return self._poor >= POOR_PASSES

    def note_failure(self) -> None:
        """A summary was not to be had; asking again at every step would only cost."""
        self._resting = CHECKS_AFTER_FAILURE

    def is_due(self, tokens: int, window: int) -> bool:
        """Whether messages of `tokens` should be shortened where `window` can be had for them."""
        if self._resting:
            self._resting -= 1
            return False
        return not self.has_given_up and tokens > self._threshold * window

    def plan(
        self,
        history: Sequence[Message],
        now: Compaction,
        *,
        window: int,
        thorough: bool = False,
    ) -> Plan | None:
        """What shortening would do; None when there is nothing to shorten.

        Args:
            now: How the history is shortened already.
            window: Tokens the messages may take, by the estimate of `message_tokens`.
            thorough: Summarise even where cutting tool output might do.
        """
        before = _tokens(shortened(history, now))
        head = now.head if now.summary else _end_of_head(history, int(window * HEAD_SHARE))
        told = max(now.tail, head)
        tail = _start_of_tail(history, int(window * self._target * TAIL_SHARE), not_before=told)
        cut = structs.replace(now, whole=max(now.whole, tail))
        after_cut = _tokens(shortened(history, cut))
        if not thorough and after_cut <= window * self._target * TARGET_SHARE:
            return Plan(cut, (), before, after_cut) if after_cut < before else None
        if tail <= told:
            return Plan(cut, (), before, after_cut) if after_cut < before else None
        fresh = tuple(history[told:tail])
        compaction = Compaction(head, tail, max(now.whole, tail), now.summary)
        limit = int(window * SUMMARY_SHARE)
        rest = (*history[:head], *history[tail:])
        after = _tokens(rest) + min(limit, sum(map(message_tokens, fresh)))
        return Plan(compaction, fresh, before, after) if after < before else None

    async def compact(
        self,
        history: Sequence[Message],
        now: Compaction,
        *,
        window: int,
        focus: str = "",
        thorough: bool = False,
    ) -> Done | None:
        """Shorten the history; None when there is nothing to shorten.

        Raises:
            ModelError: there is no summary; nothing has changed.
        """
        plan = self.plan(history, now, window=window, thorough=thorough)
        if plan is None:
            self._poor += 1
            return None
        summary = Summary(plan.compaction.summary)
        if plan.fresh:
            request = SummaryRequest(now.summary, plan.fresh, focus, window)
            summary = await self._summarise(request)
        compaction = structs.replace(plan.compaction, summary=summary.text.strip())
        after = _tokens(shortened(history, compaction))
        gain = 1 - after / max(1, plan.tokens_before)
        self._poor = 0 if gain >= POOR_GAIN else self._poor + 1
        is_shorter = after < plan.tokens_before
        return Done(compaction if is_shorter else None, plan.tokens_before, after, summary.usage)


def _tokens(messages: Sequence[Message]) -> int:
    return sum(map(message_tokens, messages))


def _end_of_head(history: Sequence[Message], budget: int) -> int:
    """How many messages make up the first exchange: the prompt, and a plain answer to it."""
    if not history or message_tokens(history[0]) > budget:
        return 0
    is_answered = len(history) > 1 and history[1].role == "assistant"
    if is_answered and not history[1].tool_calls and _tokens(history[:2]) <= budget:
        return 2
    return 1


def _start_of_tail(history: Sequence[Message], budget: int, *, not_before: int) -> int:
    """Where the recent messages begin: never between a call and its result."""
    best = len(history)
    spent = 0
    for position in range(len(history) - 1, not_before - 1, -1):
        spent += message_tokens(history[position])
        if spent > budget and best < len(history):
            break
        if history[position].role != "tool":
            best = position
    return max(best, not_before)
