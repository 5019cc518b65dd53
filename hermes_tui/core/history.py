"""What makes a history one that every provider accepts, and how to close an open one.

The rules, as OpenAI-, Anthropic- and Mistral-style servers enforce them: every
tool call is answered exactly once, right after the message that made it, and a
new prompt follows an answer. Only steering follows a tool result; the wire format
takes care of that.
"""

from collections.abc import Iterator, Mapping, Sequence, Set

from msgspec import Struct, structs

from hermes_tui.core.messages import (
    Message,
    Part,
    ToolCall,
    ToolResult,
    assistant,
    tool_results,
    user,
)
from hermes_tui.core.usage import estimated_tokens

INTERRUPTED = "Interrupted before it finished."
SHRUNK_CHARS = 400
"""How much of an old tool result the model still sees."""
REQUEST_CHARS = 4_000
"""How much of a prompt is repeated beside a summary."""
PROTECTED_TOOLS = frozenset({"skill_load"})
PROTECTED_FILE = "SKILL.md"


class Compaction(Struct, frozen=True):
    """How a history is shortened for the model. Positions count messages of the whole history."""

    head: int
    """Messages before this one are sent as they are."""
    tail: int
    """From here on they are sent again; what lies between is told by the summary."""
    whole: int
    """From here on tool output is sent whole; between `tail` and here, shrunk."""
    summary: str = ""
    """Empty when nothing is left out; then `head` equals `tail`."""


NOT_COMPACTED = Compaction(0, 0, 0)


def open_calls(history: Sequence[Message]) -> tuple[ToolCall, ...]:
    """Tool calls nobody answered; only the last assistant message can have some."""
    if not history or history[-1].role != "assistant":
        return ()
    return history[-1].tool_calls


def closing_messages(
    history: Sequence[Message],
    *,
    finished: Mapping[str, ToolResult],
    partial: str,
    note: str,
) -> list[Message]:
    """What has to be appended so that the next prompt may follow.

    Args:
        finished: Results of calls that came to their end, by call id; the others
            are answered with `INTERRUPTED`.
        partial: What the model had said of an answer that was cut off.
        note: Said in the assistant's place when it said nothing, e.g. "(Interrupted.)".
    """
    closing: list[Message] = []
    if calls := open_calls(history):
        closing.append(
            tool_results(
                finished.get(call.id, ToolResult(call.id, INTERRUPTED, is_error=True))
                for call in calls
            )
        )
    last = closing[-1] if closing else history[-1] if history else None
    if last is not None and last.role != "assistant":
        closing.append(assistant(f"{partial}\n\n{note}" if partial.strip() else note))
    return closing


def shortened(history: Sequence[Message], compaction: Compaction) -> tuple[Message, ...]:
    """The history as the model sees it."""
    sent = list(history[: compaction.head])
    if compaction.summary:
        sent.append(user(_told(history, compaction)))
    if compaction.tail < compaction.whole:
        kept = {call.id for message in history for call in message.tool_calls if _is_kept(call)}
        cut = history[compaction.tail : compaction.whole]
        sent += (_shrunk(message, kept) for message in cut)
    sent += history[compaction.whole :]
    return tuple(sent)


def message_tokens(message: Message) -> int:
    """About how many tokens a message takes in a request."""
    calls = sum(len(call.name) + len(call.arguments) for call in message.tool_calls)
    results = sum(len(result.content) for result in message.tool_results)
    return estimated_tokens(message.sent_text) + (calls + results) // 4 + 4


def _is_kept(call: ToolCall) -> bool:
    """Whether what a call brought outlives cuts and summaries: instructions to work by."""
    return call.name in PROTECTED_TOOLS or (
        call.name == "read_file" and PROTECTED_FILE in call.arguments
    )


def _shrunk(message: Message, kept: Set[str]) -> Message:
    """`message` with long tool output cut to its first and last lines."""
    if all(len(result.content) <= SHRUNK_CHARS for result in message.tool_results):
        return message
    return structs.replace(message, parts=tuple(_shrunk_part(part, kept) for part in message.parts))


def _shrunk_part(part: Part, kept: Set[str]) -> Part:
    if not isinstance(part, ToolResult) or part.call_id in kept:
        return part
    content = _ends(part.content, SHRUNK_CHARS)
    return part if content is part.content else structs.replace(part, content=content)


def _ends(text: str, limit: int) -> str:
    """`text`, or its beginning and end around a line that says how much is missing."""
    if len(text) <= limit:
        return text
    left_out = f"[… {len(text) - limit:,} characters left out to save room …]"
    return f"{text[: limit // 2]}\n{left_out}\n{text[-limit // 2 :]}"


def _told(history: Sequence[Message], compaction: Compaction) -> str:
    """The summary, with what has to stay word for word."""
    middle = history[compaction.head : compaction.tail]
    parts = [f"[What happened so far, summarised to save room]\n{compaction.summary}"]
    parts += (f"[Still in force]\n{body}" for body in _kept_results(middle))
    if compaction.tail < len(history) and history[compaction.tail].role != "user":
        asked = "\n\n".join(_ends(text, REQUEST_CHARS) for text in _request_in(history, compaction))
        parts.append(f"[The request being worked on]\n{asked}")
    return "\n\n".join(parts)


def _request_in(history: Sequence[Message], compaction: Compaction) -> list[str]:
    """The last prompt told by the summary, and what was said while it was worked on."""
    start = compaction.head
    for position in range(compaction.tail - 1, compaction.head - 1, -1):
        is_answered = position > 0 and history[position - 1].role != "assistant"
        if history[position].role == "user" and not is_answered:
            start = position
            break
    return [one.text for one in history[start : compaction.tail] if one.role == "user"]


def _kept_results(middle: Sequence[Message]) -> Iterator[str]:
    """Results that outlive the summary, the latest of each call."""
    names = {
        call.id: (call.name, call.arguments)
        for message in middle
        for call in message.tool_calls
        if _is_kept(call)
    }
    found = {
        names[result.call_id]: result.content
        for message in middle
        for result in message.tool_results
        if result.call_id in names and not result.is_error
    }
    yield from found.values()
