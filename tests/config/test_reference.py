"""The settings in words, and that the documentation has the same."""

from pathlib import Path

import pytest

from hermes_tui.config.keys import dotted, known_keys, split_key, type_at
from hermes_tui.config.load import VARIABLES
from hermes_tui.config.project import RULES
from hermes_tui.config.reference import Entry, entries

DOCUMENT = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text("utf-8")


def row(entry: Entry) -> str:
    """The line of the documentation's table that belongs to a setting."""
    default = f"`{entry.default}`" if entry.default else ""
    return f"| `{dotted(entry.key)}` | {entry.type} | {default} | {entry.meaning} |"


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: dotted(entry.key))
def test_every_setting_is_documented_in_the_words_of_its_docstring(entry: Entry) -> None:
    assert row(entry) in DOCUMENT.splitlines()


def test_the_documentation_has_no_setting_that_does_not_exist() -> None:
    documented = [
        line for line in DOCUMENT.splitlines() if line.startswith("| `") and "._" not in line
    ]
    table = [line for line in documented if line.count(" | ") >= 3]
    assert len(table) == len(entries())


@pytest.mark.parametrize("name", [*VARIABLES, "HERMES_HOME", "HERMES_DEBUG", "NO_COLOR"])
def test_every_variable_is_documented(name: str) -> None:
    assert f"`{name}`" in DOCUMENT


@pytest.mark.parametrize("key", RULES, ids=dotted)
def test_everything_a_project_may_set_is_documented(key: tuple[str, ...]) -> None:
    assert f"`{dotted(key)}`" in DOCUMENT.partition("## A project's own file")[2]


def test_every_setting_has_a_type_and_a_meaning() -> None:
    for entry in entries():
        assert entry.meaning.endswith("."), entry
        assert type_at(entry.key) is not None


@pytest.mark.parametrize(
    "key", [("models", "retries"), ("tui", "keys", "a.b"), ("providers", "", "x"), ("a.b", "c")]
)
def test_a_key_written_out_is_read_back(key: tuple[str, ...]) -> None:
    assert split_key(dotted(key)) == key


def test_keys_below_a_value_or_of_no_section_have_no_type() -> None:
    assert type_at(("models", "retries", "x")) is None
    assert type_at(("nothing",)) is None
    assert len(known_keys()) == len(set(known_keys()))
