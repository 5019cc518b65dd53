"""What `hermes run` prints: the answer on stdout, everything else on stderr."""

import sys
from typing import Protocol, TextIO

import msgspec

from hermes_tui.cli.diagnostics import Ink
from hermes_tui.cli.printing import count
from hermes_tui.core.events import (
    ApprovalResolved,
    Event,
    HistoryCompacted,
    MessageAdded,
    Notice,
    TextDelta,
    ToolFinished,
    ToolOutput,
    ToolStarted,
    TurnFinished,
)
from hermes_tui.core.messages import Diff, ToolResult
from hermes_tui.safety.call_text import call_text
from hermes_tui.safety.terminal_text import visible

RESULT_LINES = 6
"""How much of a tool's result is shown; the rest is in the transcript."""


class Printer(Protocol):
    """Shows a turn's events as they come."""

    def show(self, event: Event) -> None: ...


class JsonPrinter:
    """One event a line, as `msgspec.json.encode` writes it."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def show(self, event: Event) -> None:
        self._out.write(msgspec.json.encode(event).decode() + "\n")
        self._out.flush()


class QuietPrinter:
    """The final answer, and a sentence when there is none."""

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self._out = out
        self._err = err
        self._answer = ""

    def show(self, event: Event) -> None:
        match event:
            case MessageAdded(message=message) if message.role == "assistant":
                self._answer = message.text
            case TurnFinished(stop="done") if self._answer.strip():
                self._out.write(visible(self._answer).strip("\n") + "\n")
            case TurnFinished(stop="done"):
                self._err.write("hermes: The model's answer is empty.\n")
            case TurnFinished():
                self._err.write(f"hermes: {ending(event)}\n")
            case _:
                pass


class TextPrinter:
    """The answer as it streams, with a line on stderr for each tool and notice.

    Where stdout is a pipe only the last message goes there, so that a script
    reads the answer and not what was said on the way.
    """

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self._out = out
        self._err = err
        self._ink = Ink(err)
        self._streams = out.isatty()
        self._is_mid_line = False
        self._last = ""
        self._refused: dict[str, str] = {}
        """Why, by call; said once, below the call."""

    def show(self, event: Event) -> None:  # noqa: C901 - one flat dispatch over the events
        match event:
            case TextDelta(text=text) if self._streams:
                self._out.write(visible(text))
                self._out.flush()
                self._is_mid_line = not text.endswith("\n")
            case MessageAdded(message=message) if message.role == "assistant":
                self._last = message.text
                self._end_line()
            case ToolStarted(call=call, environment=environment):
                self._note(self._ink.accent(f"● {call.name}"), call_text(call, 100), environment)
            case ToolOutput(chunk=chunk) if self._err.isatty():
                self._say(self._ink.dim(visible(chunk).rstrip("\n")))
            case ToolFinished(result=result, seconds=seconds):
                self._finish(result, seconds)
            case ApprovalResolved(call_id=call_id, approval=approval) if approval.verdict == "deny":
                self._refused[call_id] = approval.reason
            case HistoryCompacted(text=text):
                self._note("info", text)
            case Notice(text=text, level=level):
                self._note(self._ink.warn(level) if level != "info" else level, text)
            case TurnFinished(stop="done") if self._last.strip() and not self._streams:
                self._out.write(visible(self._last).strip("\n") + "\n")
            case TurnFinished(stop="done"):
                pass
            case TurnFinished():
                self._end_line()
                self._err.write(f"hermes: {ending(event)}\n")
            case _:
                pass

    def _finish(self, result: ToolResult, seconds: float) -> None:
        mark = self._ink.error("✗") if result.is_error else self._ink.good("✓")
        if (reason := self._refused.pop(result.call_id, None)) is not None:
            shown = [f"refused: {reason}" if reason else "refused"]
        elif isinstance(result.display, Diff):
            shown = result.display.unified.splitlines()[2:]
        elif self._err.isatty() and not result.is_error:
            shown = []  # it streamed, or the answer will tell
        else:
            shown = result.content.splitlines()
        for line in shown[:RESULT_LINES]:
            self._say(self._ink.dim(f"    {visible(line)}"))
        if len(shown) > RESULT_LINES:
            self._say(self._ink.dim(f"    … {count(len(shown) - RESULT_LINES, 'more line')}"))
        self._say(f"  {mark} {self._ink.dim(f'{seconds:.1f} s')}")

    def _note(self, head: str, *rest: str) -> None:
        self._say("  ".join([head, *(visible(part) for part in rest if part)]))

    def _say(self, line: str) -> None:
        self._end_line()
        self._err.write(line + "\n")
        self._err.flush()

    def _end_line(self) -> None:
        if self._is_mid_line:
            self._out.write("\n")
            self._out.flush()
            self._is_mid_line = False


def ending(event: TurnFinished) -> str:
    """Why a turn ended, for a person."""
    match event.stop:
        case "cancelled":
            return "Interrupted; the transcript is kept."
        case "step_limit":
            return "Stopped at the limit of model calls. Raise it with --max-steps."
        case "loop":
            return "Stopped: the same call kept giving the same result."
        case "error":
            return visible(f"{event.error} {event.hint}".strip())
        case "done":
            return "Done."


def printer_for(*, as_json: bool, quiet: bool) -> Printer:
    if as_json:
        return JsonPrinter(sys.stdout)
    if quiet:
        return QuietPrinter(sys.stdout, sys.stderr)
    return TextPrinter(sys.stdout, sys.stderr)
