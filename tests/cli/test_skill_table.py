"""How tables of skills fit the terminal they are printed on."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.cli.skill_table import cut, width
from tests.cli.conftest import Here
from tests.cli.skill_folders import put_skill, use
from tests.cli.terminal import on_terminal
from tests.cli.test_skills import lines_of

LONG = "Wash the car by hand, and the next one, and the one after that; use when it rains. 洗車" * 2


@pytest.fixture
def garage(home: Path) -> Path:
    put_skill(home, "garage/car-wash", description=LONG, body="Read scripts/none.sh first.\n")
    put_skill(home, "a-name-that-is-longer-than-any-column-of-names-ought-to-be", description=LONG)
    use(home, "car-wash", "failure", "failure", "failure")
    return home


def shown(*words: str, columns: int) -> list[str]:
    """Lines on a terminal of so many columns, without colours."""
    import re

    env = {"COLUMNS": str(columns), "NO_COLOR": "1"}
    text = on_terminal("skills", *words, env=env).out
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "").splitlines()


@pytest.mark.usefixtures("garage")
@pytest.mark.parametrize("columns", [80, 50, 160])
def test_no_line_is_wider_than_the_terminal(columns: int) -> None:
    for command in (["list"], ["analyze"], ["search", "wash"]):
        lines = shown(*command, columns=columns)
        assert lines
        assert [line for line in lines if width(line) > columns] == []
        assert lines[0].split()[0] == "name"


@pytest.mark.usefixtures("garage")
def test_on_a_terminal_skills_stand_below_their_category() -> None:
    lines = shown("list", columns=120)
    assert lines[0].split()[-1] == "description"
    at = lines.index("garage")
    assert lines[at + 1].startswith("car-wash ")


@pytest.mark.usefixtures("garage")
def test_a_pipe_gets_every_column_and_the_whole_text(here: Here) -> None:
    (line,) = lines_of(here("skills", "list").out, "car-wash")
    assert line.split(maxsplit=7)[-1] == LONG
    assert "description" not in here("skills", "list").out.splitlines()[0].split()


def test_what_cannot_be_used_here_is_left_out_with_the_reason(here: Here, home: Path) -> None:
    folder = put_skill(home, "car-wash")
    text = (folder / "SKILL.md").read_text("utf-8")
    needs = '\nmetadata:\n  hermes-requires-toolsets: "no-such-tool"\n---\n\n#'
    (folder / "SKILL.md").write_text(text.replace("\n---\n\n#", needs, 1), "utf-8")
    (line,) = lines_of(here("skills", "list").out, "car-wash")
    assert "  left out  " in line
    assert "left out: it needs no-such-tool" in line
    shown = here("skills", "show", "car-wash").out
    assert "  state       left out\n" in shown
    assert "  used        never\n" in shown


def test_outcomes_are_counted_in_plain_words(here: Here, garage: Path) -> None:
    del garage
    facts = here("skills", "show", "car-wash").out
    assert "used        3 times, last on" in facts
    assert ": 3 failures" in facts


@given(st.text(), st.integers(min_value=1, max_value=60))
def test_a_cut_text_fits_and_is_left_alone_when_it_does_already(text: str, room: int) -> None:
    assert width(cut(text, room)) <= room
    if width(text) <= room:
        assert cut(text, room) == text
