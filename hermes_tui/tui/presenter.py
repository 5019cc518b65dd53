"""From the agent's events to what is on the screen."""

from collections.abc import Sequence

from hermes_tui.core.events import (
    ApprovalPending,
    ApprovalResolved,
    Event,
    HistoryCompacted,
    MessageAdded,
    ModelCallStarted,
    Notice,
    ReasoningDelta,
    TextDelta,
    ToolFinished,
    ToolOutput,
    ToolStarted,
    TurnFinished,
    TurnStarted,
    UsageChanged,
)
from hermes_tui.core.messages import Message, ToolCall
from hermes_tui.tui.panes.tools import ToolsPane
from hermes_tui.tui.view.transcript import TranscriptView
from hermes_tui.tui.widgets.status import StatusBar

STOPS = {
    "step_limit": "Stopped: the limit of model calls for one turn was reached.",
    "loop": "Stopped: the same call kept giving the same result.",
}


class Presenter:
    """Dispatches events to the transcript, the live tools and the status line.

    Only this class sees the union of events; the widgets have methods of their own.
    """

    def __init__(self, transcript: TranscriptView, tools: ToolsPane, status: StatusBar) -> None:
        self._transcript = transcript
        self._tools = tools
        self._status = status
        self._streamed: list[str] = []
        self._open: dict[str, ToolCall] = {}
        self._running: dict[str, str] = {}
        self._is_waiting = False
        self._is_stopping = False
        self._is_busy = False
        self._is_starting = True

    def show(self, event: Event) -> None:
        """Bring one event onto the screen."""
        match event:
            case TextDelta(text=text):
                self._streamed.append(text)
                self._transcript.append_text(text)
            case ReasoningDelta(text=text):
                self._transcript.append_reasoning(text)
            case ToolOutput(call_id=call_id, chunk=chunk):
                self._transcript.write_card(call_id, chunk)
                self._tools.write(call_id, chunk)
            case MessageAdded(message=message):
                self._add(message)
            case UsageChanged():
                self._account(event)
            case Notice(text=text, level=level):
                self._transcript.add_notice(text, level)
            case HistoryCompacted(text=text):
                self._transcript.add_notice(text, "info")
            case TurnStarted() | ModelCallStarted() | TurnFinished():
                self._step(event)
            case ToolStarted() | ToolFinished() | ApprovalPending() | ApprovalResolved():
                self._call(event)

    def wait(self, *, is_waiting: bool) -> None:
        """The person is asked something, or no longer."""
        self._is_waiting = is_waiting
        self._say_state()

    def stop(self) -> None:
        """The turn has been told to stop."""
        self._is_stopping = True
        self._say_state()

    def start_over(self, messages: Sequence[Message]) -> None:
        """Show another session from its beginning."""
        self._open.clear()
        self._running.clear()
        self._tools.clear()
        self._transcript.clear()
        self._transcript.show_history(messages)
        self._is_starting = False
        self._say_state()

    def _step(self, event: TurnStarted | ModelCallStarted | TurnFinished) -> None:
        self._streamed.clear()
        match event:
            case TurnStarted():
                self._is_busy, self._is_stopping = True, False
            case ModelCallStarted():
                pass
            case TurnFinished():
                self._finish(event)
        self._say_state()

    def _finish(self, event: TurnFinished) -> None:
        self._is_busy = self._is_stopping = False
        self._running.clear()
        self._tools.abandon()
        self._transcript.finish_answer()
        if event.stop == "error":
            text = f"{event.error or 'The turn failed.'} {event.hint}".strip()
            self._transcript.add_notice(text, "error")
        elif event.stop in STOPS:
            self._transcript.add_notice(STOPS[event.stop], "warning")

    def _call(self, event: ToolStarted | ToolFinished | ApprovalPending | ApprovalResolved) -> None:
        match event:
            case ApprovalPending(request=request):
                self._open[request.call.id] = request.call
                self._transcript.mark_card_waiting(request.call)
            case ApprovalResolved():
                pass
            case ToolStarted(call=call, environment=environment):
                self._open[call.id] = call
                self._running[call.id] = call.name
                self._transcript.open_card(call, environment)
                self._tools.start(event)
            case ToolFinished(result=result, seconds=seconds):
                self._open.pop(result.call_id, None)
                self._running.pop(result.call_id, None)
                self._transcript.close_card(result, seconds)
                self._tools.finish(event)
        self._say_state()

    def _add(self, message: Message) -> None:
        match message.role:
            case "user":
                self._transcript.add_user(message.text)
            case "assistant":
                self._add_rest(message.text)
                self._transcript.finish_answer()
            case "tool":
                for result in message.tool_results:
                    if self._open.pop(result.call_id, None):
                        self._transcript.close_card(result, None)
        self._streamed.clear()

    def _add_rest(self, text: str) -> None:
        """What the message says beyond its deltas: all of it when the model did not stream."""
        streamed = "".join(self._streamed)
        if text.startswith(streamed):
            text = text[len(streamed) :]
        elif streamed:
            return
        if text:
            self._transcript.append_text(text)

    def _account(self, event: UsageChanged) -> None:
        standing = self._status.standing
        standing.usage = event.session
        standing.context_tokens = event.context_tokens
        standing.context_window = event.context_window
        self._status.show()

    def _say_state(self) -> None:
        if self._is_waiting:
            state = "waiting for you"
        elif self._is_starting:
            state = "starting"
        elif self._is_busy and self._is_stopping:
            state = "stopping"
        elif len(self._running) > 1:
            state = f"running {len(self._running)} tools"
        elif self._running:
            state = f"running {next(iter(self._running.values()))}"
        else:
            state = "thinking" if self._is_busy else "idle"
        self._status.enter(state)
