"""What a conversation is made of.

Values only: two messages with equal content are equal, and ids, timestamps and
storage keys live in `hermes_tui.store`. Everything here encodes to JSON with
`msgspec.json.encode` and back, so the store, `--json` output and trajectory
export share one format.
"""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

Role = Literal["user", "assistant", "tool"]


class Text(Struct, frozen=True, tag="text"):
    """Prose, as written by the person or the model."""

    text: str


class Reasoning(Struct, frozen=True, tag="reasoning"):
    """The model's visible thinking; stored and shown, never sent back as answer text."""

    text: str
    signature: str | None = None
    """Proof of origin some providers demand back with the text."""


class Hint(Struct, frozen=True, tag="hint"):
    """What Hermes tells the model beside a prompt; nothing the person said, shown or searched."""

    text: str


class ToolCall(Struct, frozen=True, tag="tool_call"):
    """The model's request to run one tool."""

    id: str
    name: str
    arguments: str
    """Raw JSON, kept as the model wrote it so that bad JSON can be shown back to it."""


class Diff(Struct, frozen=True, tag="diff"):
    """A change to one file, for people to look at."""

    path: str
    unified: str
    """A unified diff with three lines of context; empty when nothing changed."""


class Checklist(Struct, frozen=True, tag="checklist"):
    """The agent's plan as it stands."""

    items: tuple[tuple[str, str], ...]
    """(state, text) pairs; state is `pending`, `doing` or `done`."""


Display = Diff | Checklist


class ToolResult(Struct, frozen=True, tag="tool_result"):
    """What a tool call came to. Every `ToolCall` in a stored history has exactly one."""

    call_id: str
    content: str
    """What the model reads."""
    is_error: bool = False
    display: Display | None = None
    """What a person sees instead of `content`, where that is more telling; never sent."""


Part = Text | Reasoning | Hint | ToolCall | ToolResult


class Message(Struct, frozen=True):
    """One contribution to a conversation."""

    role: Role
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """All prose in this message, joined; empty for pure tool calls."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def sent_text(self) -> str:
        """What the model reads of its prose: the text, then the hints."""
        hints = [part.text for part in self.parts if isinstance(part, Hint)]
        return "\n\n".join(one for one in (self.text, *hints) if one) if hints else self.text

    @property
    def reasoning(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, Reasoning))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        return tuple(part for part in self.parts if isinstance(part, ToolCall))

    @property
    def tool_results(self) -> tuple[ToolResult, ...]:
        return tuple(part for part in self.parts if isinstance(part, ToolResult))


def user(text: str, hint: str = "") -> Message:
    return Message("user", (Text(text), Hint(hint)) if hint else (Text(text),))


def assistant(text: str) -> Message:
    return Message("assistant", (Text(text),))


def tool_results(results: Iterable[ToolResult]) -> Message:
    return Message("tool", tuple(results))
