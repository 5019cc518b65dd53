"""Tool calls and thinking that a model writes into its text.

Hermes models, and others without a tool-call API, write

    <think>Two files should do.</think>
    <tool_call>
    {"name": "read_file", "arguments": {"path": "a.py"}}
    </tool_call>

`TextParser` takes such text in whatever pieces it arrives and gives the same
parts for any cutting. A closing tag inside a JSON string does not close.
"""

import re
from collections.abc import Iterable
from typing import Any, Literal, cast

import msgspec
from msgspec import Struct

from hermes_tui.core.messages import ToolCall, ToolResult
from hermes_tui.core.ports import ToolSpec

THINK, THINK_END = "<think>", "</think>"
CALL, CALL_END = "<tool_call>", "</tool_call>"


class Said(Struct, frozen=True):
    """More of the answer."""

    text: str


class Thought(Struct, frozen=True):
    """More of the thinking."""

    text: str


class CallBlock(Struct, frozen=True):
    """One whole `<tool_call>` block."""

    inner: str
    """What stands between the tags, trimmed."""
    raw: str
    """As the model wrote it, with tags and the white space before them."""


Segment = Said | Thought | CallBlock


class WrittenCall(Struct, frozen=True):
    """A tool call read from text."""

    name: str
    arguments: str
    """Raw JSON; as the model wrote it where that is no JSON object."""


class TextParser:
    """Splits streamed text into answer, thinking and tool-call blocks.

    An opening tag right after a backtick is prose about the tag. White space
    around blocks and at the ends of thinking is dropped.
    """

    def __init__(self, *, finds_calls: bool) -> None:
        self._openings = (THINK, CALL) if finds_calls else (THINK,)
        self._state: Literal["text", "think", "call"] = "text"
        self._buffer: str = ""
        self._space: list[str] = []
        """White space held back until it is known what follows."""
        self._last: str = ""
        """The character before the buffer."""
        self._is_fresh = True
        """Nothing but white space since the start or the last call."""
        self._has_said = False
        self._is_thought_empty = True
        self._scan = CallScan()
        self._call: list[str] = []
        """What stands before the buffer in a call block."""
        self._before_call = ""

    def feed(self, piece: str) -> list[Segment]:
        """The segments that are certain after `piece`."""
        self._buffer += piece
        found: list[Segment] = []
        while self._step(found, is_end=False):
            pass
        return found

    def finish(self) -> list[Segment]:
        """What was held back, at the end of the text. Open blocks end here."""
        found: list[Segment] = []
        while (self._buffer or self._state == "call") and self._step(found, is_end=True):
            pass
        return found

    def _step(self, found: list[Segment], *, is_end: bool) -> bool:
        """Consume from the buffer what can be; True when another step may find more."""
        if self._state == "text":
            return self._text_step(found, is_end=is_end)
        if self._state == "think":
            return self._think_step(found, is_end=is_end)
        return self._call_step(found, is_end=is_end)

    def _text_step(self, found: list[Segment], *, is_end: bool) -> bool:
        position, tag = self._next_opening()
        if tag is None:
            keep = 0 if is_end else _partial_tag_length(self._buffer, self._openings)
            self._say(self._take(len(self._buffer) - keep), found)
            return False
        self._say(self._take(position), found)
        before, self._space = "".join(self._space), []
        if tag == THINK and before and not self._is_fresh:
            found.append(Said(before))
        self._buffer = self._buffer[len(tag) :]
        if tag == CALL:
            self._state, self._scan, self._before_call = "call", CallScan(), before
        else:
            self._state = "think"
            self._is_thought_empty = True
        return True

    def _next_opening(self) -> tuple[int, str | None]:
        start = 0
        while (position := self._buffer.find("<", start)) >= 0:
            for tag in self._openings:
                if self._buffer.startswith(tag, position):
                    before = self._buffer[position - 1] if position else self._last
                    if before != "`":
                        return position, tag
            start = position + 1
        return -1, None

    def _take(self, length: int) -> str:
        text, self._buffer = self._buffer[:length], self._buffer[length:]
        if text:
            self._last = text[-1]
        return text

    def _say(self, text: str, found: list[Segment]) -> None:
        """Emit answer text, holding back the white space at its end."""
        if body := self._body(text, is_first=self._is_fresh):
            if self._is_fresh and self._has_said:
                body = "\n\n" + body
            self._is_fresh, self._has_said = False, True
            found.append(Said(body))

    def _think_step(self, found: list[Segment], *, is_end: bool) -> bool:
        position = self._buffer.find(THINK_END)
        is_closed = position >= 0
        if is_closed:
            text = self._take(position)
            self._buffer = self._buffer[len(THINK_END) :]
        else:
            keep = 0 if is_end else _partial_tag_length(self._buffer, (THINK_END,))
            text = self._take(len(self._buffer) - keep)
        if body := self._body(text, is_first=self._is_thought_empty):
            self._is_thought_empty = False
            found.append(Thought(body))
        if is_closed:
            self._state, self._space, self._last = "text", [], ">"
        return is_closed

    def _body(self, text: str, *, is_first: bool) -> str:
        """`text` behind the white space held back; what ends `text` is held back now.

        When it `is_first`, white space at its start is dropped.
        """
        if not text.strip():
            if is_first:
                self._space = []
            elif text:
                self._space.append(text)
            return ""
        text = "".join(self._space) + text
        if is_first:
            text = text.lstrip()
        body = text.rstrip()
        self._space = [text[len(body) :]]
        return body

    def _call_step(self, found: list[Segment], *, is_end: bool) -> bool:
        end = self._scan.find_end(self._buffer)
        if end < 0 and not is_end:
            scanned = self._scan.go_on()
            self._call.append(self._buffer[:scanned])
            self._buffer = self._buffer[scanned:]
            return False
        before = "".join(self._call)
        self._buffer, self._call = before + self._buffer, []
        end = end + len(before) if end >= 0 else _best_end(self._buffer)
        if end < 0:
            inner, raw, self._buffer = self._buffer, CALL + self._buffer, ""
        else:
            inner = self._buffer[:end]
            raw = CALL + inner + CALL_END
            self._buffer = self._buffer[end + len(CALL_END) :]
        found.append(CallBlock(inner.strip(), self._before_call + raw))
        self._state, self._last, self._is_fresh = "text", ">", True
        return True


class CallScan:
    """Finds the closing tag outside JSON strings, resuming where it stopped."""

    def __init__(self) -> None:
        self._position = 0
        self._is_in_string = False

    def find_end(self, text: str) -> int:
        """Where the closing tag starts, or -1.

        Since the last call `text` may only have grown, and lost what `go_on` said.
        """
        for found in _MARKS.finditer(text, self._position):
            mark = found[0]
            if mark == CALL_END and not self._is_in_string:
                return found.start()
            if mark == '"':
                self._is_in_string = not self._is_in_string
            elif mark == "\\" and found.end() == len(text):
                self._position = found.start()
                return -1
            self._position = found.end()
        self._position = max(self._position, len(text) - len(CALL_END) + 1)
        return -1

    def go_on(self) -> int:
        """How much of the text at its start is done with; the next one begins after that."""
        scanned, self._position = self._position, 0
        return scanned


# A backslash hides the character after it; one at the very end waits for it.
_MARKS = re.compile(r'\\.|\\\Z|"|</tool_call>', re.DOTALL)


def _best_end(text: str) -> int:
    """The closing tag to believe when quotes do not pair up.

    The first that leaves JSON before it; if none does, the first.
    """
    start = first = text.find(CALL_END)
    while start >= 0:
        if _decoded(text[:start]) is not None:
            return start
        start = text.find(CALL_END, start + 1)
    return first


def _partial_tag_length(text: str, tags: Iterable[str]) -> int:
    """How many characters at the end of `text` may be the start of one of `tags`."""
    position = text.rfind("<")
    if position < 0:
        return 0
    tail = text[position:]
    return len(tail) if any(tag.startswith(tail) for tag in tags) else 0


def written_calls(inner: str) -> list[WrittenCall]:
    """The calls in one block; what is not JSON becomes one call carrying it raw.

    The agent answers such a call with what is wrong with it.
    """
    value = _decoded(inner)
    if isinstance(value, list) and value:
        return [_written_call(one, inner) for one in cast("list[Any]", value)]
    return [_written_call(value, inner)]


def _written_call(value: Any, inner: str) -> WrittenCall:
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        name = fields.get("name")
        if isinstance(name, str) and name:
            given = fields.get("arguments", fields.get("parameters"))
            if given is None:
                return WrittenCall(name, "{}")
            text = given if isinstance(given, str) else msgspec.json.encode(given).decode()
            return WrittenCall(name, text)
    named = re.search(r'"name"\s*:\s*"([^"\\]{1,64})"', inner)
    return WrittenCall(named[1] if named else "tool_call", inner)


def _decoded(inner: str) -> Any:
    """The JSON value, code fences allowed; None when it is none."""
    text = inner.strip()
    if text.startswith("```"):
        text = text.strip("`").removeprefix("json").strip()
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None


def instructions(tools: Iterable[ToolSpec]) -> str:
    """What to append to the system prompt so that a model writes its calls as text."""
    schemas = "\n".join(
        msgspec.json.encode(
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                },
            }
        ).decode()
        for tool in tools
    )
    return (
        "You can call functions. Their signatures, one a line:\n"
        f"<tools>\n{schemas}\n</tools>\n"
        "To call one, write a JSON object with its name and its arguments between tags, "
        "one block for each call:\n"
        f'{CALL}\n{{"name": "…", "arguments": {{…}}}}\n{CALL_END}\n'
        "Stop after your calls; each result comes back in <tool_response> tags."
    )


def call_as_text(call: ToolCall) -> str:
    """A call as the model would have written it."""
    try:
        arguments: Any = msgspec.json.decode(call.arguments or "{}")
    except msgspec.DecodeError:
        # The model's own mistake, shown back to it unchanged.
        return f"{CALL}\n{call.arguments}\n{CALL_END}"
    written = msgspec.json.encode({"name": call.name, "arguments": arguments}).decode()
    return f"{CALL}\n{written}\n{CALL_END}"


def result_as_text(result: ToolResult, name: str) -> str:
    content = msgspec.json.encode({"name": name, "content": result.content}).decode()
    return f"<tool_response>\n{content}\n</tool_response>"
