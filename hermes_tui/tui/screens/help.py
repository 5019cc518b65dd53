"""Every key and command."""

from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from hermes_tui.tui.registry import SCOPES, Command, Scope, commands_of, key_name

KEY_CELLS = 24


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
                yield Static(help_text(self._keymap), markup=False)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()


def help_text(keymap: Mapping[str, str]) -> Content:
    """All commands, by scope."""
    blocks = [_scope(scope, keymap) for scope in SCOPES]
    return Content("\n\n").join(blocks)


def _scope(scope: Scope, keymap: Mapping[str, str]) -> Content:
    title = Content.styled(SCOPES[scope], "$primary bold")
    return Content("\n").join([title, *(_line(command, keymap) for command in commands_of(scope))])


def _line(command: Command, keymap: Mapping[str, str]) -> Content:
    keys = keymap[command.id].split(",") if command.id in keymap else command.keys
    names = [key_name(key) for key in keys]
    if command.slash:
        names.append(f"/{command.slash}")
    shown = "  ".join(names)
    if len(shown) >= KEY_CELLS:
        shown = "  ".join(names[:2])
    return Content.assemble((f"  {shown:<{KEY_CELLS}}", "$secondary"), command.help)
