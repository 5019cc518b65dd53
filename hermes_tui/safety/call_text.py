"""What a tool call does, said on one line."""

from typing import Any, cast

import msgspec

from hermes_tui.core.messages import ToolCall
from hermes_tui.safety.terminal_text import visible_line

TELLING = (
    "command", "query", "pattern", "path", "question", "text", "old", "action", "url", "name",
)  # fmt: skip
"""Arguments that say most about a call, the most telling first."""


def call_text(call: ToolCall, limit: int = 200) -> str:
    """Its command or path, else its arguments, in at most `limit` characters."""
    try:
        arguments: Any = msgspec.json.decode(call.arguments or "{}")
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return visible_line(call.arguments, limit=limit)
    if isinstance(arguments, dict):
        named = cast("dict[str, object]", arguments)
        for name in TELLING:
            if isinstance(value := named.get(name), str) and value:
                return visible_line(value, limit=limit)
    return "" if arguments == {} else visible_line(call.arguments, limit=limit)
