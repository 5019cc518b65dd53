from pathlib import Path

import pytest

from hermes_tui.tui.actions import ACTIONS
from hermes_tui.tui.registry import (
    BY_SLASH,
    COMMANDS,
    bindings_of,
    conflicts,
    keys_page,
    parse_slash,
    slash_matches,
)
from hermes_tui.tui.widgets.hints import SITUATIONS

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
