"""The conversation: one line-API widget over data, whatever its length."""

from collections.abc import Callable, Sequence
from time import monotonic

from msgspec.structs import replace
from textual.timer import Timer

from hermes_tui.core.events import NoticeLevel
from hermes_tui.core.messages import Message, ToolCall, ToolResult
from hermes_tui.tui.access import app_of
from hermes_tui.tui.render.palette import Glyphs
from hermes_tui.tui.tool_cards.card import Card
from hermes_tui.tui.view.blocks import (
    AnswerBlock,
    CardBlock,
    NoticeBlock,
    ReasoningBlock,
    UserBlock,
)
from hermes_tui.tui.view.history import blocks_of
from hermes_tui.tui.view.page_view import PageView

TICK_SECONDS = 0.1

DUTY = 3
"""A part that took t seconds to draw is not drawn again for DUTY times t."""


class TranscriptView(PageView, can_focus=True):
    """What the person, the model, its tools and Hermes itself have said.

    All text may be untrusted; blocks make it visible before they draw it.
    """

    def __init__(
        self,
        *,
        glyphs: Glyphs | None = None,
        clock: Callable[[], float] = monotonic,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(glyphs=glyphs, id=id, classes=classes)
        self.shows_reasoning = False
        """Whether finished thinking stays unfolded."""
        self._clock = clock
        self._cards: dict[str, int] = {}
        """Where the cards of unfinished calls are."""
        self._since: dict[str, float] = {}
        self._writing: int | None = None
        """The answer or reasoning that is still being written."""
        self._not_before = 0.0
        self._late: Timer | None = None
        self._ticker: Timer | None = None

    @property
    def block_count(self) -> int:
        return len(self.page.blocks)

    def plain_text(self) -> str:
        """Everything said, folded or not; blocks are separated by an empty line."""
        return "\n\n".join(block.plain for block in self.page.blocks)

    def on_mount(self) -> None:
        self._ticker = self.set_interval(TICK_SECONDS, self._turn, pause=True)
        self._wake()

    def clear(self) -> None:
        """Forget everything."""
        self.show_history([])

    def show_history(self, messages: Sequence[Message]) -> None:
        """Replace everything by a stored conversation, and go to its end."""
        self._cards.clear()
        self._since.clear()
        self._writing = None
        self._forget_late()
        self.put(blocks_of(messages, shows_reasoning=self.shows_reasoning))

    def add_user(self, text: str) -> None:
        self.finish_answer()
        self.add(UserBlock(text))

    def append_text(self, text: str) -> None:
        """More of the answer; opens one when none is open."""
        block = self._written()
        if isinstance(block, AnswerBlock):
            block.append(text)
            self._draw_soon()
        elif text:
            self.finish_answer()
            self._writing = self.add(AnswerBlock(text, is_open=True))

    def append_reasoning(self, text: str) -> None:
        """More of the model's thinking; opens a block when none is open."""
        block = self._written()
        if isinstance(block, ReasoningBlock):
            block.append(text)
            self._draw_soon()
        elif text:
            self.finish_answer()
            self._writing = self.add(
                ReasoningBlock(text, is_open=True, stays_unfolded=self.shows_reasoning)
            )
            self._wake()

    def finish_answer(self) -> None:
        """The answer and the thinking before it are complete."""
        block = self._written()
        if block is not None and self._writing is not None:
            block.close()
            self._forget_late()
            self.changed(self._writing)
        self._writing = None

    def mark_card_waiting(self, call: ToolCall) -> None:
        """A call waits for the person's approval."""
        self._put_card(Card(call, state="waiting"))

    def open_card(self, call: ToolCall, environment: str) -> None:
        """A call begins."""
        self._since[call.id] = self._clock()
        self._put_card(Card(call, environment))

    def write_card(self, call_id: str, text: str) -> None:
        """A running call has printed something."""
        if (index := self._cards.get(call_id)) is not None:
            block = self._card(index)
            block.card.write(text)
            block.version += 1
            if not block.folds:
                self.changed(index)

    def close_card(self, result: ToolResult, seconds: float | None) -> None:
        """A call has come to its end; unknown calls are ignored.

        `seconds` is None for one that was interrupted: it took as long as it has been open.
        """
        index = self._cards.pop(result.call_id, None)
        since = self._since.pop(result.call_id, None)
        if seconds is None and since is not None:
            seconds = self._clock() - since
        if index is not None:
            block = self._card(index)
            block.card.close(result, seconds)
            block.settle()
            self.changed(index)

    def add_notice(self, text: str, level: NoticeLevel) -> None:
        self.finish_answer()
        self.add(NoticeBlock(text, level))

    def _put_card(self, card: Card) -> None:
        index = self._cards.get(card.call.id)
        if index is None:
            self.finish_answer()
            self._cards[card.call.id] = self.add(CardBlock(card))
        else:
            block = self._card(index)
            block.card = card
            block.version += 1
            self.changed(index)
        self._wake()

    def _card(self, index: int) -> CardBlock:
        block = self.page.blocks[index]
        assert isinstance(block, CardBlock)
        return block

    def _written(self) -> AnswerBlock | ReasoningBlock | None:
        block = self.page.blocks[self._writing] if self._writing is not None else None
        return block if isinstance(block, AnswerBlock | ReasoningBlock) else None

    def _draw_soon(self) -> None:
        """Draw what is being written now, or later when drawing it takes long."""
        if self._late is not None:
            return
        wait = self._not_before - self._clock()
        if wait > 0 and self.is_mounted:
            self._late = self.set_timer(wait, self._draw_late)
        else:
            self._draw_written()

    def _draw_late(self) -> None:
        self._late = None
        self._draw_written()

    def _draw_written(self) -> None:
        if self._writing is None:
            return
        start = self._clock()
        self.changed(self._writing)
        end = self._clock()
        self._not_before = end + DUTY * (end - start)

    def _forget_late(self) -> None:
        if self._late is not None:
            self._late.stop()
            self._late = None

    def _wake(self) -> None:
        if self._ticker is not None:
            self._ticker.resume()

    def _turn(self) -> None:
        """Turn the spinners and move the clocks of what runs; sleep when nothing does."""
        drawing = self.page.drawing
        block = self._written()
        thinking = self._writing if isinstance(block, ReasoningBlock) else None
        if drawing is None or not (self._since or thinking is not None):
            if self._ticker is not None:
                self._ticker.pause()
            return
        moves = app_of(self).animation_level != "none"
        if moves:
            self.page.drawing = replace(drawing, tick=drawing.tick + 1)
        now = self._clock()
        for call_id, since in self._since.items():
            index = self._cards[call_id]
            before, self._card(index).card.seconds = self._card(index).card.seconds, now - since
            if moves or int(before or 0) != int(now - since):
                self._touch(index)
        if thinking is not None and moves:
            self._touch(thinking)

    def _touch(self, index: int) -> None:
        self.page.blocks[index].version += 1
        if self.page.layout.is_on_page(index):
            self.changed(index)
