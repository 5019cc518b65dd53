"""A `Reply` put together from streamed chunks."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from hermes_tui.core.events import ReasoningDelta, TextDelta
from hermes_tui.core.messages import Message, Part, Reasoning, Text, ToolCall
from hermes_tui.core.ports import ModelRequest, Reply
from hermes_tui.core.usage import Usage, estimated_tokens
from hermes_tui.models.text_calls import (
    CallBlock,
    Said,
    Segment,
    TextParser,
    Thought,
    WrittenCall,
    written_calls,
)
from hermes_tui.models.wire import (
    CallPiece,
    Choice,
    Chunk,
    Delta,
    estimated_request_tokens,
    text_of,
)

Deltas = list[TextDelta | ReasoningDelta]


class _Slot(Struct):
    """A native tool call as far as it has arrived."""

    index: int | None
    id: str
    name: str = ""
    pieces: list[str] = []

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)


class Assembly:
    """Takes one answer's chunks and gives deltas to show, then the reply."""

    def __init__(self, request: ModelRequest, *, is_text_mode: bool = False) -> None:
        self._request = request
        self._is_text_mode = is_text_mode
        self._offered = {tool.name for tool in request.prefix.tools}
        self._parser = TextParser(finds_calls=bool(self._offered))
        self._prose: list[Said | Thought | CallBlock] = []
        self._thinking: list[str] = []
        self._slots: list[_Slot] = []
        self._signature: str | None = None
        self._usage: Usage | None = None
        self.finish_reason: str | None = None

    @property
    def is_empty(self) -> bool:
        return not (self._prose or self._thinking or self._slots)

    def add(self, chunk: Chunk) -> Deltas:
        """Take one chunk; what it adds for the eye."""
        if chunk.usage is not None:
            self._usage = chunk.usage.usage()
        deltas: Deltas = []
        for choice in chunk.choices or ():
            deltas += self._add_choice(choice)
        return deltas

    def _add_choice(self, choice: Choice) -> Deltas:
        if choice.finish_reason:
            self.finish_reason = choice.finish_reason
        delta = choice.delta or choice.message
        if delta is None:
            return []
        deltas: Deltas = []
        if thought := _thinking_in(delta):
            self._thinking.append(thought)
            deltas.append(ReasoningDelta(thought))
        for block in delta.thinking_blocks or ():
            self._signature = block.signature or self._signature
        if text := text_of(delta.content) or delta.refusal or "":
            deltas += self._shown(self._parser.feed(text))
        for piece in delta.tool_calls or ():
            self._add_call(piece)
        return deltas

    def _shown(self, segments: Sequence[Segment]) -> Deltas:
        """Keep segments for the reply; those that are no calls are shown at once."""
        deltas: Deltas = []
        for segment in segments:
            match segment:
                case Said(text=text):
                    deltas.append(TextDelta(text))
                case Thought(text=text):
                    deltas.append(ReasoningDelta(text))
                case CallBlock():
                    if not self._is_call(segment):
                        segment = Said(segment.raw)  # noqa: PLW2901  what was prose after all
                        deltas.append(TextDelta(segment.text))
            self._prose.append(segment)
        return deltas

    def _is_call(self, block: CallBlock) -> bool:
        """Whether a block is meant as calls; a native model may only be writing about them."""
        if self._is_text_mode:
            return True
        return all(call.name in self._offered for call in written_calls(block.inner))

    def _add_call(self, piece: CallPiece) -> None:
        slot = self._slot_for(piece)
        function = piece.function
        if function is None:
            return
        slot.name = slot.name or function.name or ""
        given: Any = function.arguments
        if isinstance(given, str):
            slot.pieces.append(given)
        elif given is not None:
            slot.pieces = [msgspec.json.encode(given).decode()]

    def _slot_for(self, piece: CallPiece) -> _Slot:
        """The call a piece belongs to.

        Some servers leave `index` out or number every call 0; a new id, or a name
        where there is one already, then starts the next call.
        """
        for slot in reversed(self._slots):
            if piece.index is not None and slot.index != piece.index:
                continue
            if _continues(slot, piece):
                return slot
            break
        slot = _Slot(piece.index, piece.id or "")
        self._slots.append(slot)
        return slot

    def finish(self) -> tuple[Deltas, Reply]:
        """What was still held back, and the reply; once, after the last chunk."""
        deltas = self._shown(self._parser.finish())
        parts = [*self._prose_parts(), *self._calls()]
        message = Message("assistant", tuple(parts))
        usage = self._usage
        if usage is None or not usage.input_tokens:
            usage = self._estimated(message)
        return deltas, Reply(message, usage, is_truncated=self.finish_reason == "length")

    def _prose_parts(self) -> list[Part]:
        """Thinking, then the answer, each as one part."""
        thinking = "".join(self._thinking)
        tagged = "".join(one.text for one in self._prose if isinstance(one, Thought))
        thinking = "\n".join(text for text in (thinking, tagged) if text)
        # Next to native calls a block can only be their echo or an example.
        keeps_blocks = bool(self._slots)
        text = "".join(
            one.text if isinstance(one, Said) else one.raw
            for one in self._prose
            if isinstance(one, Said) or (keeps_blocks and isinstance(one, CallBlock))
        )
        parts: list[Part] = []
        if thinking:
            parts.append(Reasoning(thinking, self._signature))
        if text.strip():
            parts.append(Text(text))
        return parts

    def _calls(self) -> list[ToolCall]:
        wanted = [
            (slot.id, WrittenCall(slot.name, slot.arguments))
            for slot in self._slots
            if slot.name or any(slot.pieces)
        ]
        if not wanted:
            blocks = [one for one in self._prose if isinstance(one, CallBlock)]
            wanted = [("", call) for block in blocks for call in written_calls(block.inner)]
        taken = {call.id for message in self._request.messages for call in message.tool_calls}
        calls: list[ToolCall] = []
        for id_, call in wanted:
            id_ = _unused(id_, taken)  # noqa: PLW2901
            taken.add(id_)
            calls.append(ToolCall(id_, call.name, call.arguments.strip() or "{}"))
        return calls

    def _estimated(self, message: Message) -> Usage:
        """A count for servers that send none; nobody knows the cost of an estimate."""
        arguments = "".join(call.arguments for call in message.tool_calls)
        return Usage(
            input_tokens=estimated_request_tokens(self._request),
            output_tokens=estimated_tokens(message.text + message.reasoning + arguments),
        )


def _thinking_in(delta: Delta) -> str:
    if delta.reasoning_content:
        return delta.reasoning_content
    return delta.reasoning if isinstance(delta.reasoning, str) else ""


def _continues(slot: _Slot, piece: CallPiece) -> bool:
    """Whether a piece under the same number belongs to this call."""
    if piece.id and slot.id:
        return piece.id == slot.id
    function = piece.function
    if function is None or not function.name or not slot.name:
        return True
    if function.name != slot.name or piece.index is None:
        return False
    return not function.arguments or not _is_json_object(slot.pieces)


def _is_json_object(pieces: Sequence[str]) -> bool:
    if not (pieces and pieces[-1].rstrip().endswith("}")):
        return False
    try:
        msgspec.json.decode("".join(pieces), type=dict[str, msgspec.Raw])
    except msgspec.DecodeError:
        return False
    return True


def _unused(id_: str, taken: set[str]) -> str:
    """`id_`, or one like it that no call of this history has."""
    if id_ and id_ not in taken:
        return id_
    stem, number = id_ or "call", len(taken) + 1
    while f"{stem}_{number}" in taken:
        number += 1
    return f"{stem}_{number}"
