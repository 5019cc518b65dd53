import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.skills.slots import filled, ready_commands, shell_commands, slots

BODY = "Deploy {{service}} to {{stage=staging}}.\n\n```sh\necho {{service}} !`date`\n```\n"


@pytest.mark.parametrize(
    ("arguments", "text", "missing"),
    [
        ("", "Deploy {{service}} to staging.", ("service",)),
        ("api", "Deploy api to staging.", ()),
        ("api prod", "Deploy api to prod.", ()),
        ("stage=prod my api", "Deploy my api to prod.", ()),
        ('service="my api"', "Deploy my api to staging.", ()),
        (r"\d+\s C:\temp", r"Deploy \d+\s to C:\temp.", ()),
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
    assert "Now: noon and noon." in filled(body, "", {"date -u": "noon"}).text
    assert "!`rm -rf x`" in filled(body, "", {"rm -rf x": "gone"}).text


@given(st.text(max_size=200), st.text(max_size=60))
def test_any_text_can_be_filled(body: str, arguments: str) -> None:
    found = filled(body, arguments)
    assert set(found.missing) <= set(slots(body))
    filled(body, arguments, dict.fromkeys(ready_commands(body, arguments), "x"))


def test_commands_in_code_of_any_fence_are_examples() -> None:
    assert shell_commands("1. Step:\n\n   ```sh\n   !`date`\n   ```\n") == []
    assert shell_commands("````md\n```\n!`date`\n```\n!`ls`\n````\n") == []
    assert shell_commands("```\n!`date`\n") == []
    assert shell_commands("- ```\n  !`date`\n  ```\n!`ls`\n") == ["ls"]


def test_what_a_command_printed_is_taken_as_it_is() -> None:
    body = "{{branch}}: !`git log {{branch}}`, !`echo $ARGUMENTS`"
    assert ready_commands(body, "main") == ["git log main", "echo main"]
    found = filled(body, "main", {"git log main": "{{branch}} $ARGUMENTS", "echo main": "main"})
    assert found.text == "main: {{branch}} $ARGUMENTS, main"


def test_a_value_is_no_command() -> None:
    body = "Say {{what}}."
    assert ready_commands(body, "'!`date`'") == []
    assert filled(body, "'!`date`'", {"date": "noon"}).text == "Say !`date`."


def test_a_gap_without_a_value_keeps_a_command_from_running() -> None:
    assert ready_commands("!`git log {{branch}}` !`ls {{folder=.}}` !`date`", "") == [
        "ls .",
        "date",
    ]
    assert filled("!`git log {{branch}}`", "").missing == ("branch",)


@pytest.mark.parametrize(
    "command",
    [
        "echo '{{x}}'", 'echo "{{x}}"', 'echo "$(echo "{{x}}")"', "echo $'it\\'s' {{x}}",
        "true # {{x}}", "echo $(( {{x}} ))", "echo \\{{x}}", 'echo "$ARGUMENTS"', "echo $[ {{x}} ]",
        "(( {{x}} ))", "echo $\"{{x}}\"",
    ],
)  # fmt: skip
def test_a_gap_where_no_value_is_safe_is_not_filled(command: str) -> None:
    body = f"!`{command}`"
    assert ready_commands(body, "value") == []
    assert filled(body, "value").text.startswith(body)


@pytest.mark.parametrize(
    "command",
    ["printf %s- {{x}}", "printf '%s-' a\"b $HOME\"{{x}}", "printf %s $(printf %s- {{x}})"],
)
@given(value=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_a_value_stays_one_word_of_its_command(command: str, value: str) -> None:
    (ready,) = ready_commands(f"!`{command}`", f"x={shlex.quote(value)}")
    words = shlex.split(ready.replace("$(", "").rstrip(")") if "$(" in ready else ready)
    printed = "".join(" " if one < " " or one == "\x7f" else one for one in value)
    assert words[-1].removeprefix("ab $HOME") == printed


@pytest.mark.parametrize("value", ["; echo no", "$(echo no)", "'; echo no #", "a\necho no", "~ *"])
def test_bash_takes_a_value_for_one_word(value: str) -> None:
    arguments = f"x={shlex.quote(value)}"
    (ready,) = ready_commands("!`printf '<%s>' \"$HOME\" $(echo -n) {{x}}`", arguments)
    done = subprocess.run(["bash", "-c", ready], env={"HOME": "h"}, capture_output=True, check=True)
    assert done.stdout.decode() == f"<h><{value}>".replace("\n", " ")
