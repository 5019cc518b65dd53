import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.skills.slots import filled, shell_commands, slots, with_outputs

BODY = "Deploy {{service}} to {{stage=staging}}.\n\n```sh\necho {{service}} !`date`\n```\n"


@pytest.mark.parametrize(
    ("arguments", "text", "missing"),
    [
        ("", "Deploy {{service}} to staging.", ("service",)),
        ("api", "Deploy api to staging.", ()),
        ("api prod", "Deploy api to prod.", ()),
        ("stage=prod my api", "Deploy my api to prod.", ()),
        ('service="my api"', "Deploy my api to staging.", ()),
        ("don't", "Deploy don't to staging.", ()),
    ],
)
def test_arguments_fill_the_gaps(arguments: str, text: str, missing: tuple[str, ...]) -> None:
    found = filled(BODY, arguments)
    assert found.text.splitlines()[0] == text
    assert found.missing == missing
    assert "echo {{service}}" in found.text


def test_what_no_gap_takes_is_passed_on() -> None:
    assert filled("Do it.", "with care").text.endswith("\n\nArguments: with care\n")
    assert filled("Do $ARGUMENTS.", "it 'well'").text == "Do it 'well'."


def test_commands_stand_in_prose_only() -> None:
    body = "Now: !`date -u` and !`date -u`.\n```\n!`rm -rf x`\n```\n`!` is a sign, !``no`` none"
    assert shell_commands(body) == ["date -u"]
    assert "Now: noon and noon." in with_outputs(body, {"date -u": "noon"})
    assert "!`rm -rf x`" in with_outputs(body, {"rm -rf x": "gone"})


@given(st.text(max_size=200), st.text(max_size=60))
def test_any_text_can_be_filled(body: str, arguments: str) -> None:
    found = filled(body, arguments)
    assert set(found.missing) <= set(slots(body))
    with_outputs(found.text, dict.fromkeys(shell_commands(found.text), "x"))
