"""What makes a history one that every provider accepts, and how to close an open one.

The rules, as OpenAI-, Anthropic- and Mistral-style servers enforce them: every
tool call is answered exactly once, right after the message that made it, and a
new prompt follows an answer. Only steering follows a tool result; the wire format
takes care of that.
"""

from collections.abc import Mapping, Sequence

from hermes_tui.core.messages import Message, ToolCall, ToolResult, assistant, tool_results

INTERRUPTED = "Interrupted before it finished."


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
