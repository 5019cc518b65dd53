"""The bottom line: the keys that matter now."""

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from hermes_tui.tui.registry import BY_ID, key_name

IDLE = ("prompt.send", "prompt.newline", "palette", "session.pick", "help", "quit", "pane.tools",
        "pane.memory", "pane.skills")  # fmt: skip
BUSY = ("prompt.escape", "prompt.send", "prompt.steer", "palette", "pane.tools", "help")
ASKED = ("approval.refuse", "approval.prompt", "palette", "help")
CHAT = ("chat.prompt", "chat.step", "chat.fold", "chat.copy", "palette", "help")
LIST = ("list.back", "list.open", "palette", "help")
TOOLS = ("list.back", "chat.scroll", "palette", "help")

LABELS = {
    "busy": {"prompt.escape": "stop", "prompt.send": "queue"},
    "asked": {"approval.refuse": "deny", "approval.prompt": "prompt"},
    "chat": {"chat.prompt": "prompt"},
    "list": {"list.back": "prompt", "list.open": "open"},
    "tools": {"list.back": "prompt", "chat.scroll": "scroll"},
}
"""What a key does in one situation, where the table's own label says something else."""

SITUATIONS = {"idle": IDLE, "busy": BUSY, "asked": ASKED, "chat": CHAT, "list": LIST,
              "tools": TOOLS}  # fmt: skip


class Hints(Widget):
    """Key hints, most likely first; those that do not fit are left out."""

    situation: reactive[str] = reactive("idle")
    flash_text: reactive[str] = reactive("")

    def __init__(self) -> None:
        super().__init__(id="hints")
        self.keymap: dict[str, str] = {}

    def render(self) -> Content:
        if self.flash_text:
            return Content.assemble(" ", (self.flash_text, "$warning"))
        line = Content("")
        for command_id in SITUATIONS[self.situation]:
            command = BY_ID[command_id]
            label = LABELS.get(self.situation, {}).get(command_id, command.label)
            key = key_name(self.keymap.get(command_id, command.keys[0]).split(",")[0])
            hint = Content.assemble(" ", (key, "$primary"), (f" {label}  ", "$muted"))
            if line.cell_length + hint.cell_length > self.size.width:
                break
            line += hint
        return line

    def end_flash(self, text: str) -> None:
        """Take `text` away, unless something newer is being said."""
        if self.flash_text == text:
            self.flash_text = ""
