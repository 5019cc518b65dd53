"""Every key and command."""

import textwrap
from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from hermes_tui.tui.access import app_of
from hermes_tui.tui.registry import SCOPES, Command, Scope, commands_of, key_name

KEY_CELLS = 24
INDENT = " " * (KEY_CELLS + 2)
BOX_CELLS = 104
FRAME_CELLS = 9
"""What border, padding and scroll bar of the box take (help.tcss)."""


class HelpScreen(ModalScreen[None]):
    """The table of `registry`, as it is with the person's own keys."""

    CSS_PATH = "help.tcss"
    BINDINGS: ClassVar = [Binding("escape,q,f1,question_mark", "dismiss", "Back", show=False)]

    def __init__(self, keymap: Mapping[str, str]) -> None:
        super().__init__()
        self._keymap = keymap

    def compose(self) -> ComposeResult:
        with Vertical(classes="help") as box:
            box.border_title = Content("Keys and commands")
            box.border_subtitle = Content("↑↓ scroll   esc back")
            with VerticalScroll():
                yield Static(markup=False)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()
        self._fill()

    def on_resize(self) -> None:
        if self.is_mounted:
            self._fill()

    def _fill(self) -> None:
        width = min(BOX_CELLS, app_of(self).size.width) - FRAME_CELLS
        self.query_one(Static).update(help_text(self._keymap, width))


def help_text(keymap: Mapping[str, str], width: int) -> Content:
    """All commands, by scope, in lines of at most `width` cells."""
    return Content("\n\n").join([_scope(scope, keymap, width) for scope in SCOPES])


def _scope(scope: Scope, keymap: Mapping[str, str], width: int) -> Content:
    title = Content.styled(SCOPES[scope], "$primary bold")
    lines = [_line(command, keymap, width) for command in commands_of(scope)]
    return Content("\n").join([title, *lines])


def _line(command: Command, keymap: Mapping[str, str], width: int) -> Content:
    keys = keymap[command.id].split(",") if command.id in keymap else command.keys
    names = [key_name(key) for key in keys]
    if command.slash:
        names.append(f"/{command.slash} {command.argument}".strip())
    shown = "  ".join(names)
    told = textwrap.wrap(command.help, max(width - len(INDENT), 20))
    first = "" if len(shown) >= KEY_CELLS else told.pop(0)
    lines = [Content.assemble((f"  {shown:<{KEY_CELLS}}", "$secondary"), first)]
    return Content("\n").join([*lines, *(Content(INDENT + line) for line in told)])
