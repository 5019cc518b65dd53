"""Everything a front end can observe about a turn, in the order it happens.

Grammar of one turn (`*` = any number, `?` = perhaps):

    TurnStarted  MessageAdded(user)
      ( ModelCallStarted  (TextDelta | ReasoningDelta)*  MessageAdded(assistant)
        ( ToolStarted  ToolOutput*  ToolFinished )*      MessageAdded(tool)? )*
    TurnFinished                                          always last, always sent
    anywhere between: Notice, UsageChanged, ApprovalPending, ApprovalResolved, MessageAdded(user),
        HistoryCompacted

Deltas are for display and may be skipped; `MessageAdded` carries the whole
message and has been stored by the time it is seen. On the wire (`--json`) an
event is `msgspec.json.encode(event)`, one a line.
"""

from typing import Literal

from msgspec import Struct

from hermes_tui.core.messages import Message, ToolCall, ToolResult
from hermes_tui.core.usage import Usage

StopReason = Literal["done", "cancelled", "step_limit", "loop", "error"]
NoticeLevel = Literal["info", "warning", "error"]


class TurnStarted(Struct, frozen=True, tag="turn_started"):
    """A prompt is being answered."""

    session_id: str


class ModelCallStarted(Struct, frozen=True, tag="model_call_started"):
    """The model is being asked."""

    step: int
    """1 for the first model call of the turn."""
    model: str


class TextDelta(Struct, frozen=True, tag="text_delta"):
    """More of the answer."""

    text: str


class ReasoningDelta(Struct, frozen=True, tag="reasoning_delta"):
    """More of the model's thinking."""

    text: str


class MessageAdded(Struct, frozen=True, tag="message_added"):
    """A whole message has joined the history and the store."""

    message: Message


class ApprovalRequest(Struct, frozen=True):
    """A tool call that may run only when the person says so."""

    call: ToolCall
    action: str
    """What would happen, in full: the command line, or the file and change."""
    reason: str
    """Why it has to be asked, one sentence."""
    environment: str
    """Where it would run, as the status bar names it."""
    cwd: str
    scope: str
    """What "for this session" would cover, e.g. `pip install …`; empty when not on offer."""


class Approval(Struct, frozen=True):
    """The answer to an `ApprovalRequest`."""

    verdict: Literal["once", "session", "deny"]
    reason: str = ""
    """Said to the model when denied."""


class ApprovalPending(Struct, frozen=True, tag="approval_pending"):
    """The agent waits for an answer; `Human.approve` is being asked."""

    request: ApprovalRequest


class ApprovalResolved(Struct, frozen=True, tag="approval_resolved"):
    """Somebody answered, or policy did."""

    call_id: str
    approval: Approval


class ToolStarted(Struct, frozen=True, tag="tool_started"):
    """A tool call begins; approval, where it was needed, has been given."""

    call: ToolCall
    environment: str = ""
    """Where its commands run; empty for tools that run none."""


class ToolOutput(Struct, frozen=True, tag="tool_output"):
    """More of what a running tool prints. Untrusted text."""

    call_id: str
    chunk: str


class ToolFinished(Struct, frozen=True, tag="tool_finished"):
    """A tool call came to an end, well or badly."""

    result: ToolResult
    seconds: float
    """Wall time in the tool, without time spent waiting for approval."""


class UsageChanged(Struct, frozen=True, tag="usage_changed"):
    """A model call was accounted for."""

    call: Usage
    session: Usage
    """Sum over the session, resumed turns included."""
    context_tokens: int
    """Size of the history as the model sees it now."""
    context_window: int | None
    """What the model can hold; None when unknown."""


class Notice(Struct, frozen=True, tag="notice"):
    """Something the person should know that is no part of the answer."""

    text: str
    level: NoticeLevel = "info"


class HistoryCompacted(Struct, frozen=True, tag="history_compacted"):
    """The model sees a shorter history from now on; everything stays in the store."""

    tokens_before: int
    tokens_after: int
    """Both estimated: what the next request holds."""
    summarised: int
    """Messages told by a summary instead of themselves."""
    shrunk: int
    """Tool results cut this time; only their beginning and end are sent."""
    summary: str
    """Empty when it stayed as it was."""

    @property
    def text(self) -> str:
        """What happened, in a line for people."""
        sizes = f"about {self.tokens_before:,} tokens became {self.tokens_after:,}"
        if self.summary:
            return f"Conversation compressed: {sizes}; {self.summarised} messages are summarised."
        return f"Conversation compressed: {sizes}; old tool output is cut."


class TurnFinished(Struct, frozen=True, tag="turn_finished"):
    """The turn is over; the history is valid for every provider."""

    stop: StopReason
    error: str | None = None
    hint: str = ""
    exit_code: int = 0
    """What `hermes run` exits with: 0, 1, 3 (refused), 4 (provider) or 130 (cancelled)."""


Event = (
    TurnStarted
    | ModelCallStarted
    | TextDelta
    | ReasoningDelta
    | MessageAdded
    | ApprovalPending
    | ApprovalResolved
    | ToolStarted
    | ToolOutput
    | ToolFinished
    | UsageChanged
    | Notice
    | HistoryCompacted
    | TurnFinished
)
