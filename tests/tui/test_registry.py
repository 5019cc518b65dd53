from pathlib import Path

import pytest
from textual.binding import Binding

from hermes_tui.tui.actions import ACTIONS
from hermes_tui.tui.dialogs.approval import ApprovalSheet
from hermes_tui.tui.dialogs.question import QuestionSheet
from hermes_tui.tui.panes.chat import ChatPane
from hermes_tui.tui.registry import (
    BY_SLASH,
    COMMANDS,
    bindings_of,
    conflicts,
    keys_page,
    parse_slash,
    slash_matches,
)
from hermes_tui.tui.screens.chat import ChatScreen
from hermes_tui.tui.widgets.hints import SITUATIONS
from hermes_tui.tui.widgets.prompt import Prompt

ROOT = Path(__file__).parents[2]
UNUSABLE = {"ctrl+m", "ctrl+i", "ctrl+left_square_bracket", "ctrl+h"}
"""What a plain terminal sends for enter, tab, esc and backspace."""


def test_no_key_has_two_meanings_in_one_place() -> None:
    assert conflicts(COMMANDS) == []


def test_every_key_reaches_us_from_a_plain_terminal() -> None:
    assert not UNUSABLE & {key for command in COMMANDS for key in command.keys}


def test_ids_are_unique() -> None:
    assert len({command.id for command in COMMANDS}) == len(COMMANDS)


def test_every_command_of_the_palette_does_something() -> None:
    wanted = {command.id for command in COMMANDS if command.scope == "everywhere"}
    assert wanted <= set(ACTIONS)


def test_every_hint_names_a_command_that_has_a_key() -> None:
    for hints in SITUATIONS.values():
        for command_id in hints:
            assert [command.keys for command in COMMANDS if command.id == command_id] != [()]


def test_every_command_said_to_be_rebindable_is_bound_under_its_name() -> None:
    bound: set[str | None] = set()
    for owner in (ChatScreen, ChatPane, Prompt, ApprovalSheet, QuestionSheet):
        bound |= {binding.id for binding in Binding.make_bindings(owner.BINDINGS)}
    assert {command.id for command in COMMANDS if command.is_rebindable} == bound - {None}


def test_the_keys_page_is_current() -> None:
    assert (ROOT / "docs" / "keys.md").read_text(encoding="utf-8") == keys_page()


def test_every_binding_has_an_id_and_says_what_it_does() -> None:
    for binding in bindings_of("everywhere"):
        assert not isinstance(binding, tuple)
        assert binding.id
        assert binding.tooltip


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("/new", ("new", "")),
        ("/RENAME my title ", ("rename", "my title")),
        ("/etc/hosts is what?", None),
        ("/", None),
        ("what is /new?", None),
        ("/new\nsecond line", None),
    ],
)
def test_a_slash_command_is_told_from_a_prompt(text: str, parsed: tuple[str, str] | None) -> None:
    assert parse_slash(text) == parsed


def test_commands_that_begin_so_come_before_those_that_hold_it() -> None:
    found = [command.slash for command in slash_matches("/e")]
    assert len(found) > 1
    starts = [name.startswith("e") for name in found]
    assert starts == sorted(starts, reverse=True)


def test_a_slash_alone_offers_every_command() -> None:
    assert {command.slash for command in slash_matches("/")} == set(BY_SLASH)


def test_an_argument_ends_the_completion() -> None:
    assert slash_matches("/rename x") == []
