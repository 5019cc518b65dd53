"""How a message lies in its row: the text once, and what the text does not say beside it.

`text` holds everything worth searching, joined by line breaks: prose, the arguments of
tool calls, the content of tool results. `layout` lists the parts in order, with the length
of a text in place of the text. A message that is one piece of prose needs no layout.
"""

import re
from typing import Any, TypeVar, cast

import msgspec
from msgspec import Struct

from hermes_tui.core.errors import StoreError
from hermes_tui.core.messages import (
    Display,
    Hint,
    Message,
    Part,
    Reasoning,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from hermes_tui.store.words import has_unspaced, spaced

S = TypeVar("S", bound=Struct)

SEPARATOR = "\n"
INDEXED_TOOL_HEAD = 3000
INDEXED_TOOL_TAIL = 1000


class _Text(Struct, frozen=True, array_like=True, tag="text"):
    text: int


class _Reasoning(Struct, frozen=True, array_like=True, tag="reasoning"):
    text: str
    signature: str | None


class _Hint(Struct, frozen=True, array_like=True, tag="hint"):
    text: str


class _Call(Struct, frozen=True, array_like=True, tag="call"):
    id: str
    name: str
    arguments: int


class _Result(Struct, frozen=True, array_like=True, tag="result"):
    call_id: str
    content: int
    is_error: bool
    display: Display | None


_Entry = _Text | _Reasoning | _Hint | _Call | _Result
_decoder = msgspec.json.Decoder(tuple[_Entry, ...])
_encoder = msgspec.json.Encoder()
_SURROGATE = re.compile("[\ud800-\udfff]")


class Row(Struct, frozen=True):
    """The columns of `messages` that hold a message."""

    role: Role
    text: str
    layout: str | None
    search_text: str | None


def to_row(message: Message) -> Row:
    """The row of a message that `storable` has passed."""
    texts: list[str] = []
    layout: list[_Entry] = []
    for part in message.parts:
        match part:
            case Text(text=text):
                texts.append(text)
                layout.append(_Text(len(text)))
            case Reasoning(text=text, signature=signature):
                layout.append(_Reasoning(text, signature))
            case Hint(text=text):
                layout.append(_Hint(text))
            case ToolCall(id=call_id, name=name, arguments=arguments):
                texts.append(arguments)
                layout.append(_Call(call_id, name, len(arguments)))
            case ToolResult(call_id=call_id, content=content, is_error=is_error, display=display):
                texts.append(content)
                layout.append(_Result(call_id, len(content), is_error, display))
    text = SEPARATOR.join(texts)
    is_prose = len(layout) == 1 and isinstance(layout[0], _Text)
    return Row(
        message.role,
        text,
        None if is_prose else _encoder.encode(layout).decode(),
        _search_text(message.role, text),
    )


def from_row(message_id: int, role: str, text: str, layout: str | None) -> Message:
    """The message a row holds.

    Raises:
        StoreError: the row was changed by another program and does not fit together.
    """
    if layout is None:
        return Message(cast("Role", role), (Text(text),))
    try:
        entries = _decoder.decode(layout)
    except msgspec.MsgspecError as error:
        raise StoreError(
            f"Message {message_id} is damaged: {error}.",
            hint="Delete its session, or repair the row as docs/store.md describes.",
        ) from error
    parts: list[Part] = []
    start = 0

    def take(length: int) -> str:
        nonlocal start
        taken = text[start : start + length]
        start += length + len(SEPARATOR)
        return taken

    for entry in entries:
        match entry:
            case _Text(text=length):
                parts.append(Text(take(length)))
            case _Reasoning(text=thought, signature=signature):
                parts.append(Reasoning(thought, signature))
            case _Hint(text=hint):
                parts.append(Hint(hint))
            case _Call(id=call_id, name=name, arguments=length):
                parts.append(ToolCall(call_id, name, take(length)))
            case _Result(call_id=call_id, content=length, is_error=is_error, display=display):
                parts.append(ToolResult(call_id, take(length), is_error, display))
    return Message(cast("Role", role), tuple(parts))


def _search_text(role: Role, text: str) -> str | None:
    """What the index must see instead of `text`: scripts without spaces, spaced."""
    if not has_unspaced(text):
        return None
    if role == "tool" and len(text) > INDEXED_TOOL_HEAD + INDEXED_TOOL_TAIL:
        text = f"{text[:INDEXED_TOOL_HEAD]}{SEPARATOR}{text[-INDEXED_TOOL_TAIL:]}"
    return spaced(text)


def storable(value: S) -> S:
    """`value` with half surrogate pairs replaced by U+FFFD.

    Neither UTF-8 JSON nor SQLite can hold them; a model's broken escapes or a badly decoded
    file name may contain them.
    """
    try:
        _encoder.encode(value)
    except UnicodeEncodeError:
        return msgspec.convert(_without_surrogates(msgspec.to_builtins(value)), type(value))
    return value


def storable_text(text: str) -> str:
    """`text` with half surrogate pairs replaced by U+FFFD."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _without_surrogates(value: Any) -> Any:
    match value:
        case str():
            return storable_text(value)
        case list() | tuple():
            return [_without_surrogates(item) for item in cast("list[Any]", value)]
        case dict():
            items = cast("dict[str, Any]", value).items()
            return {_without_surrogates(key): _without_surrogates(item) for key, item in items}
        case _:
            return value
