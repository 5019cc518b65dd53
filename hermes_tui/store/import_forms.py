"""The forms conversations come in from elsewhere, read into messages.

* Lines `{"session", "title", "role", "content", "time"}`, one a message; `hermes sessions
  export` adds `parts` for what `content` cannot hold.
* ShareGPT: `{"conversations": [{"from", "value"}, …]}`, one a conversation.
* OpenAI: `{"messages": [{"role", "content", "tool_calls", …}, …]}`, likewise.
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
from msgspec import Struct

from hermes_tui.core.messages import Message, Part, Role, Text, ToolCall, ToolResult

ROLES: dict[str, Role] = {
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "ai": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "function_response": "tool",
}
INSTRUCTIONS = frozenset({"system", "developer"})
"""Written for another program's model; not part of what was said."""
_MILLISECONDS_FROM = 100_000_000_000


class FormError(Exception):
    """Something cannot be read as a message or conversation; says why."""


class Said(Struct, frozen=True):
    """One message of a conversation elsewhere."""

    session: str
    """What the conversation is called there."""
    title: str
    message: Message
    at: datetime | None
    """In UTC; None where nothing is said of it."""
    cwd: str = ""


class NotKept(Struct, frozen=True):
    """A message that is deliberately left out."""

    reason: str


def read_entry(entry: Any) -> Iterator[Said | NotKept | FormError]:
    """The messages of one line, or of one element of a JSON list."""
    if not isinstance(entry, dict):
        yield FormError("is no JSON object")
        return
    fields = cast("dict[str, Any]", entry)
    for name in ("conversations", "messages"):
        if isinstance(fields.get(name), list):
            yield from _conversation(fields, cast("list[Any]", fields[name]))
            return
    if "role" not in fields and "from" not in fields:
        yield FormError("has neither `role`, `messages` nor `conversations`")
        return
    yield from _one(fields, _text(fields, "session", "session_id", "conversation_id"), fields)


def _conversation(fields: dict[str, Any], turns: list[Any]) -> Iterator[Said | NotKept | FormError]:
    session = _text(fields, "session", "id", "session_id", "conversation_id")
    if not session:
        # The same conversation is recognised when it comes again.
        digest = hashlib.sha256(msgspec.json.encode(turns, order="sorted")).hexdigest()
        session = f"sha256:{digest}"
    yield from _pictures(fields)
    for turn in turns:
        if isinstance(turn, dict):
            yield from _one(cast("dict[str, Any]", turn), session, fields)
        else:
            yield FormError("has a message that is no JSON object")


def _one(
    turn: dict[str, Any], session: str, around: dict[str, Any]
) -> Iterator[Said | NotKept | FormError]:
    """A message, after what of it is not kept."""
    try:
        name = _text(turn, "role", "from").lower()
        if name in INSTRUCTIONS:
            yield NotKept("instructions to another model")
            return
        role = ROLES.get(name)
        if role is None:
            yield FormError(f"has the unknown role {name!r}")
            return
        parts = _parts(turn, role)
        lost = [] if turn.get("parts") is not None else [*_lost(_given(turn))]
        yield from lost
        if parts:
            yield Said(
                session=session or "import",
                title=_text(turn, "title") or _text(around, "title"),
                message=Message(role, parts),
                at=_time(turn) or _time(around),
                cwd=_text(turn, "cwd") or _text(around, "cwd"),
            )
        elif not lost:
            yield NotKept("no text")
    except FormError as error:
        yield error


def _parts(turn: dict[str, Any], role: Role) -> tuple[Part, ...]:
    if turn.get("parts") is not None:
        try:
            return msgspec.convert(turn["parts"], tuple[Part, ...])
        except msgspec.ValidationError as error:
            raise FormError(f"has `parts` that do not fit: {error}") from None
    text = _content(_given(turn))
    if role == "tool" and (call := _text(turn, "tool_call_id")):
        return (ToolResult(call, text),)
    calls = tuple(_calls(turn)) if role == "assistant" else ()
    return ((Text(text),) if text.strip() else ()) + calls


def _given(turn: dict[str, Any]) -> Any:
    return turn.get("content", turn.get("value", turn.get("text")))


def _lost(content: Any) -> Iterator[NotKept]:
    """The pieces of a content that are no text."""
    for piece in cast("list[Any]", content) if isinstance(content, list) else ():
        if isinstance(piece, dict) and not _piece(piece):
            kind = _text(cast("dict[str, Any]", piece), "type")
            known = (name for name in ("image", "audio", "video", "file") if name in kind)
            if kind and not kind.endswith("text"):
                yield NotKept(next(known, kind))


def _pictures(fields: dict[str, Any]) -> Iterator[NotKept]:
    """Those that ShareGPT names beside a conversation."""
    for name in ("image", "images"):
        given = fields.get(name)
        for picture in cast("list[Any]", given) if isinstance(given, list) else [given]:
            if picture:
                yield NotKept("image")


def _content(content: Any) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        pieces = (_piece(one) for one in cast("list[Any]", content))
        return "\n".join(piece for piece in pieces if piece)
    raise FormError("has a `content` that is neither text nor a list")


def _piece(piece: Any) -> str:
    if isinstance(piece, str):
        return piece
    text = cast("dict[str, Any]", piece).get("text") if isinstance(piece, dict) else None
    return text if isinstance(text, str) else ""


def _calls(turn: dict[str, Any]) -> Iterator[ToolCall]:
    calls: Any = turn.get("tool_calls") or []
    if not isinstance(calls, list):
        raise FormError("has `tool_calls` that are no list")
    for place, call in enumerate(cast("list[Any]", calls)):
        function = cast("dict[str, Any]", call).get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            raise FormError("has a tool call without `function`")
        fields = cast("dict[str, Any]", function)
        arguments = fields.get("arguments", "{}")
        if not isinstance(arguments, str):
            arguments = msgspec.json.encode(arguments).decode()
        yield ToolCall(
            _text(cast("dict[str, Any]", call), "id") or f"call_{place}",
            _text(fields, "name"),
            arguments,
        )


def _text(fields: dict[str, Any], *names: str) -> str:
    for name in names:
        value = fields.get(name)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return ""


def _time(fields: dict[str, Any]) -> datetime | None:
    """ISO 8601 (without a zone: this machine's), or seconds or milliseconds since 1970."""
    value = next(
        (
            fields[name]
            for name in ("time", "timestamp", "created_at", "create_time", "date")
            if fields.get(name)
        ),
        None,
    )
    try:
        if isinstance(value, bool) or value is None:
            return None
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value / (1000 if value > _MILLISECONDS_FROM else 1), UTC)
        at = datetime.fromisoformat(str(value).strip())
        return at.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise FormError(f"has the time {value!r}, which is none") from None
