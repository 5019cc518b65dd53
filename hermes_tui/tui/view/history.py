"""From stored messages to blocks."""

from collections.abc import Sequence
from itertools import pairwise

from hermes_tui.core.messages import Message, Reasoning, Text, ToolCall, ToolResult
from hermes_tui.tui.tool_cards.card import Card
from hermes_tui.tui.view.blocks import (
    AnswerBlock,
    Block,
    CardBlock,
    NoticeBlock,
    ReasoningBlock,
    UserBlock,
)


def blocks_of(messages: Sequence[Message], *, shows_reasoning: bool = False) -> list[Block]:
    """The blocks of a conversation, each call with its result. Nothing is drawn yet."""
    blocks: list[Block] = []
    cards: dict[str, CardBlock] = {}
    for message in messages:
        for part in message.parts:
            match part:
                case Text(text=text) if text.strip():
                    block = UserBlock(text) if message.role == "user" else AnswerBlock(text)
                    blocks.append(block)
                case Reasoning(text=text) if text.strip():
                    blocks.append(ReasoningBlock(text, stays_unfolded=shows_reasoning))
                case ToolCall():
                    cards[part.id] = CardBlock(Card(part, state="done"))
                    blocks.append(cards[part.id])
                case ToolResult(call_id=call_id) if card := cards.pop(call_id, None):
                    card.card.close(part, None)
                    card.settle()
                case _:
                    pass
    for above, block in pairwise(blocks):
        block.gap = gap_between(above, block)
    return blocks


def gap_between(above: Block | None, block: Block) -> int:
    """Empty lines between neighbours: none within a run of cards or of notices."""
    if above is None:
        return 0
    return 0 if type(above) is type(block) and isinstance(block, CardBlock | NoticeBlock) else 1
