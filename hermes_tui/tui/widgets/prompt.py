"""The multi-line prompt."""

from textual import events
from textual.message import Message
from textual.widgets import TextArea

from hermes_tui.tui.history import PromptHistory
from hermes_tui.tui.registry import bindings_of
from hermes_tui.tui.text import count_text
from hermes_tui.tui.widgets.completion import Completion

PASTE_SHOWN_BYTES = 10_000
"""A longer paste is kept aside: each key costs a TextArea more the longer its text is."""


class Prompt(TextArea):
    """Where the person types. Enter sends; what happens then is the screen's business."""

    BINDINGS = bindings_of("prompt", priority=True)

    class Sent(Message):
        """The person pressed enter."""

    class Tabbed(Message):
        """Tab, with nothing to complete."""

    class Typed(Message):
        """A key or paste went into the prompt."""

    class Escaped(Message):
        """Esc, with no list open to close."""

    class TakeBack(Message):
        """Up in an empty prompt: the last queued prompt is wanted back."""

    class WantsEditor(Message):
        """The text is to be edited in an editor of the person's own."""

    def __init__(self, completion: Completion) -> None:
        super().__init__(
            id="prompt",
            show_line_numbers=False,
            highlight_cursor_line=False,
            placeholder="Ask Hermes to do something. / for commands",
        )
        self.past = PromptHistory()
        self.has_queue = False
        """Whether up in an empty prompt takes back a queued one."""
        self._completion = completion
        self._pastes: dict[str, str] = {}
        self._actions = {
            "prompt.send": self._send,
            "prompt.newline": self._new_line,
            "prompt.steer": self._steer_or_complete,
            "prompt.back": self._back,
            "prompt.forward": self._forward,
            "prompt.editor": lambda: self.post_message(self.WantsEditor()),
            "prompt.escape": self._escape,
        }

    @property
    def whole_text(self) -> str:
        """The text with long pastes in place of their chips."""
        text = self.text
        for chip, pasted in self._pastes.items():
            text = text.replace(chip, pasted)
        return text

    def put(self, text: str) -> None:
        """Replace the text and go to its end."""
        self.load_text(text)
        self.move_cursor(self.document.end)

    def take_in(self, text: str) -> None:
        """Put in what was typed or pasted while the keyboard was elsewhere."""
        text = _with_line_feeds(text)
        self.insert(self._chip_of(text) or text)

    def _chip_of(self, text: str) -> str | None:
        """What stands for a long paste, which is kept aside; None for one that is shown."""
        size = len(text.encode("utf-8", "replace"))
        if size <= PASTE_SHOWN_BYTES:
            return None
        lines = text.count("\n") + 1
        chip = f"[paste {len(self._pastes) + 1}: {count_text(size)} bytes, {lines} lines]"
        self._pastes[chip] = text
        return chip

    def action_command(self, command_id: str) -> None:
        self._actions[command_id]()

    def on_text_area_changed(self) -> None:
        rows_below = self.screen.size.height - self.region.y
        self._completion.offer(self.text, rows_below=rows_below)

    async def _on_key(self, event: events.Key) -> None:
        self.post_message(self.Typed())
        await super()._on_key(event)

    async def _on_paste(self, event: events.Paste) -> None:
        """Keep a long paste aside; a shorter one is put in by TextArea's own handler, run next."""
        self.post_message(self.Typed())
        if (chip := self._chip_of(_with_line_feeds(event.text))) is not None:
            event.prevent_default()
            event.stop()
            self.insert(chip)

    def _send(self) -> None:
        if chosen := self._completion.chosen:
            self.put(f"/{chosen.slash}")
        self.post_message(self.Sent())

    def take(self) -> str:
        """The text, and an empty prompt; the text is in the history from now on."""
        text = self.whole_text.strip()
        if text:
            self.past.add(text)
        self._pastes.clear()
        self.load_text("")
        self._completion.close()
        return text

    def _new_line(self) -> None:
        self.insert("\n")

    def _steer_or_complete(self) -> None:
        if chosen := self._completion.chosen:
            self.put(f"/{chosen.slash}{' ' if chosen.argument else ''}")
        else:
            self.post_message(self.Tabbed())

    def _back(self) -> None:
        if self._completion.is_open:
            self._completion.action_cursor_up()
        elif not self.cursor_at_first_line:
            self.action_cursor_up()
        elif not self.text and self.has_queue:
            self.post_message(self.TakeBack())
        elif (earlier := self.past.back(self.text)) is not None:
            self._recall(earlier)

    def _forward(self) -> None:
        if self._completion.is_open:
            self._completion.action_cursor_down()
        elif not self.cursor_at_last_line:
            self.action_cursor_down()
        elif (later := self.past.forward()) is not None:
            self._recall(later)

    def _recall(self, text: str) -> None:
        self.put(text)
        if text.startswith("/"):
            self.call_after_refresh(self._completion.close)

    def _escape(self) -> None:
        if self._completion.is_open:
            self._completion.close()
        else:
            self.post_message(self.Escaped())


def _with_line_feeds(text: str) -> str:
    """A paste as it was copied: many terminals send a return for each line end."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
