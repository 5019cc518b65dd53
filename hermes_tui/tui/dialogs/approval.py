"""May this call run?"""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Literal

from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input, Static

from hermes_tui.core.events import Approval, ApprovalRequest
from hermes_tui.safety.terminal_text import visible
from hermes_tui.tui.dialogs.sheet import Sheet
from hermes_tui.tui.human import PendingApproval
from hermes_tui.tui.registry import bindings_of
from hermes_tui.tui.text import one_line, short_path

SCROLLING = {"approval.up", "approval.down", "approval.page_up", "approval.page_down"}

Verdict = Literal["once", "session", "deny"]


class ApprovalSheet(Sheet):
    """Shows everything the call would do; esc and enter refuse.

    A key that allows something counts only when no other key follows it at once:
    somebody who starts to type a sentence has not answered. Their letters go to the
    prompt, and the sheet sleeps again.
    """

    CONFIRM_SECONDS: ClassVar[float] = 0.25

    BINDINGS = bindings_of("approval")

    class Left(Message):
        """The person wants to type first, and may have begun to."""

        def __init__(self, typed: str = "") -> None:
            super().__init__()
            self.typed = typed

    def __init__(self, pending: PendingApproval, *, may_take_keyboard: Callable[[], bool]) -> None:
        super().__init__(may_take_keyboard=may_take_keyboard)
        self._pending = pending
        self._body = VerticalScroll(classes="sheet-body", can_focus=False)
        self._keys = Static(markup=False, classes="sheet-keys")
        self._allowing: Timer | None = None
        self._typed = ""
        """A printable key that came a moment ago and may be an answer."""
        self._is_left = False
        self._reason = Input(placeholder="Why not? Enter sends, empty is fine", classes="reason")
        self._actions: dict[str, Callable[[], object]] = {
            "approval.once": lambda: self._allow("once"),
            "approval.session": lambda: self._allow("session"),
            "approval.deny": self._ask_reason,
            "approval.refuse": lambda: self._resolve("deny"),
            "approval.up": lambda: self._body.scroll_up(animate=False),
            "approval.down": lambda: self._body.scroll_down(animate=False),
            "approval.page_up": lambda: self._body.scroll_page_up(animate=False),
            "approval.page_down": lambda: self._body.scroll_page_down(animate=False),
        }

    def compose(self) -> ComposeResult:
        request = self._pending.request
        with self._body:
            yield Static(
                Content(spelled_out(request.action.rstrip("\n"))), markup=False, classes="action"
            )
        yield Static(_circumstances(request), markup=False, classes="sheet-note")
        self._reason.display = False
        yield self._reason
        yield self._keys

    def on_mount(self) -> None:
        super().on_mount()
        self.watch(self, "is_awake", self._show_keys)
        self.watch(self, "has_focus", self._show_keys)
        self.watch(self._body, "virtual_size", self._show_keys)

    def count(self, position: int, total: int) -> None:
        """Say which of several requests this is."""
        of = f"   {position} of {total}" if total > 1 else ""
        self.border_title = Content(f"Allow {one_line(self._pending.request.call.name, 24)}?{of}")

    def on_resize(self) -> None:
        self._show_keys()

    def _show_keys(self) -> None:
        self._keys.update(self._key_line())

    def action_command(self, command_id: str) -> None:
        if command_id == "approval.prompt":
            self._leave("")
        elif self.is_awake or command_id in SCROLLING:
            self._actions[command_id]()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._resolve("deny", event.value.strip())

    def on_key(self, event: events.Key) -> None:
        """Tell an answer from the beginning of a sentence."""
        if not (self.has_focus and event.is_printable and event.character):
            self._stop_allowing()
        elif self._is_left or self._typed or event.key not in self.screen.active_bindings:
            event.stop()
            event.prevent_default()
            typed = self._typed + event.character
            self._stop_allowing()
            self.rest()  # the first key's own action may still be on its way
            self._leave(typed)
        else:
            self._typed = event.character

    def on_focus(self) -> None:
        self._is_left = False

    def _leave(self, typed: str) -> None:
        """Go to the prompt; keys that come before it has the keyboard follow there."""
        self._is_left = True
        self.post_message(self.Left(typed))

    def _allow(self, verdict: Literal["once", "session"]) -> None:
        if verdict == "session" and not self._pending.request.scope:
            self._typed = ""
            return
        self._allowing = self.set_timer(self.CONFIRM_SECONDS, lambda: self._resolve(verdict))

    def _stop_allowing(self) -> None:
        if self._allowing is not None:
            self._allowing.stop()
            self._allowing = None
        self._typed = ""

    def _ask_reason(self) -> None:
        if self._reason.has_focus:
            return
        self._typed = ""
        self._reason.display = True
        self._reason.focus()
        self._show_keys()

    def _resolve(self, verdict: Verdict, reason: str = "") -> None:
        self._pending.resolve(Approval(verdict, reason))

    def _key_line(self) -> Content:
        if self._reason.display:
            return _keys(("enter", "deny with this reason"), ("esc", "deny without one"))
        if not self.is_awake:
            return Content.styled("keys wake up when you stop typing", "$muted")
        if not self.has_focus:
            return _keys(("tab", "answer this first, your text stays"))
        plain = [("o", "once"), ("d", "deny and say why"), ("esc", "deny")]
        if self._body.max_scroll_y:
            plain.append(("↑↓", "scroll"))
        if not (scope := self._pending.request.scope):
            return _keys(*plain)
        session = ("s", f"this session: {one_line(scope, 60)}")
        line = _keys(plain[0], session, *plain[1:])
        if line.cell_length <= self.content_size.width:
            return line
        return Content("\n").join([_keys(*plain), _keys(session)])


def spelled_out(text: str) -> str:
    """`text` with every control character shown in its place: what runs is what is seen."""
    return visible("".join(_picture(character) for character in text))


def _picture(character: str) -> str:
    code = ord(character)
    if character == "\n" or 0x20 <= code < 0x7F or code > 0x9F:
        return character
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"⟨U+{code:04X}⟩"


def _circumstances(request: ApprovalRequest) -> Content:
    place = short_path(request.cwd, str(Path.home()), 60)
    where = Content.assemble(
        ("in ", "$muted"), (one_line(request.environment, 40), "$secondary"), f"  {place}"
    )
    if not request.reason:
        return where
    return Content.assemble(("⚠ ", "$warning"), visible(request.reason), "\n", where)


def _keys(*keys: tuple[str, str]) -> Content:
    hints = [Content.assemble((key, "$primary bold"), " ", label) for key, label in keys]
    return Content("    ").join(hints)
