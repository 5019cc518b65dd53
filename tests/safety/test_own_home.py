"""What changes Hermes itself is asked for in every mode."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.safety.modes import MODES, decide
from hermes_tui.safety.own_home import changes_hermes
from hermes_tui.safety.risk import Risk, assess_command, assess_write

PLACE = {"cwd": "/home/me/app", "home": "/home/me", "own": "/home/me/.hermes"}

CHANGES = [
    "hermes skills trust csv-join", "hermes skills install x --yes", "hermes skills install gh:a/b",
    "/usr/local/bin/hermes skills trust x", "python -m hermes_tui skills trust x",
    "uv run hermes -m openai/x skills install y -y", "h''ermes skills tr\\ust x",
    "hermes skills \\\n  trust x", "true; hermes -y 'do it'", "hermes run hi --yes",
    "hermes run --mode full-auto hi", "hermes config set agent.mode full-auto",
    "hermes skills eval x -y", "hermes skills proposals accept 3", "$(hermes skills trust x)",
    "echo '{}' > skills-trust.json", "python -c 'open(\"/home/me/.hermes/skills-trust.json\")'",
    "tee ~/.hermes/config.yaml", "cp x ~/.hermes/SOUL.md", "rm -rf ~/.hermes",
    "rm -r $HOME/.hermes/",
    "echo x >> ${HOME}/.hermes/memory/USER.md", "echo x > \"$HERMES_HOME/config.yaml\"",
    "echo x > ${HERMES_HOME:-~/.hermes}/config.yaml", "cd ~/.hermes && rm hermes.db",
    "cd ~ && rm -r .hermes", "mv ../.hermes ../old", "sqlite3 ../.hermes/hermes.db .dump",
    "python -c \"open('/home/me/.hermes/config.yaml','w')\"", "rm -r ~me/.hermes/x",
    "cp evil.md ~/.hermes/skills/x/SKILL.md", "echo hi > ~/.hermes/skills/x/SKILL.md",
    "echo hi >~/.hermes/skills/x/SKILL.md", "sed -i s/a/b/ ~/.hermes/skills/x/SKILL.md",
    "rm -r ~/.hermes/skills/x", "cp -t ~/.hermes/skills/x a b", "ln -s ~/.hermes/skills/x y",
    "rm -r /root/.hermes", "RM -R ~/.HERMES",
]  # fmt: skip
OTHERS = [
    "make", "git status", "hermes skills list", "hermes skills show trust", "hermes run hi",
    "python ~/.hermes/skills/x/scripts/join.py a.csv > out.csv",
    "bash ~/.hermes/skills/x/scripts/run.sh -y", "cp ~/.hermes/skills/x/assets/page.html ./",
    "awk 1 ~/.hermes/run/outputs/3.txt", "mkdir -p .hermes/skills/x", "rm -r hermes",
    "cd src/hermes && make", "pip install trust-skills -y", "git clone https://example.org/hermes",
]  # fmt: skip


@pytest.mark.parametrize("command", CHANGES)
def test_a_command_that_changes_hermes_itself_never_runs_unasked(command: str) -> None:
    assessed = assess_command(command, **PLACE)
    assert assessed.risk is Risk.HERMES
    assert not assessed.scope
    assert "allow" not in {decide(mode, assessed.risk) for mode in MODES}


@pytest.mark.parametrize("command", OTHERS)
def test_other_commands_are_judged_as_they_were(command: str) -> None:
    assert assess_command(command, **PLACE).risk is Risk.EXECUTE


@pytest.mark.parametrize("command", ["cat ~/.hermes/config.yaml", "ls -la ~/.hermes/skills"])
def test_looking_at_what_hermes_keeps_is_only_reading(command: str) -> None:
    assert assess_command(command, **PLACE).risk is Risk.READ


def test_in_the_folder_of_hermes_every_command_that_does_more_than_read_is_asked_for() -> None:
    place = {**PLACE, "cwd": "/home/me/.hermes"}
    assert assess_command("python x.py", **place).risk is Risk.HERMES
    assert assess_command("cd skills && rm x", **place).risk is Risk.HERMES
    inside = {**PLACE, "cwd": "/home/me/.hermes/skills/x"}
    assert assess_command("python scripts/x.py", **inside).risk is Risk.EXECUTE
    assert assess_command("rm scripts/x.py", **inside).risk is Risk.HERMES


def test_the_folder_of_hermes_may_be_called_anything() -> None:
    place = {**PLACE, "own": "/data/Agent"}
    assert assess_command("rm /data/Agent/config.yaml", **place).risk is Risk.HERMES
    assert assess_command("rm ../../../data/Agent/config.yaml", **place).risk is Risk.HERMES
    assert assess_command("rm /data/other", **place).risk is Risk.EXECUTE


@pytest.mark.parametrize("path", ["~/.hermes/skills-trust.json", "skills-trust.json"])
def test_the_record_of_trust_is_written_by_no_tool_unasked(path: str) -> None:
    assert assess_write(path, **PLACE).risk is Risk.HERMES
    assert assess_write(path, cwd="/home/me", home="/home/me").risk is Risk.HERMES


@given(
    command=st.text(max_size=120), cwd=st.sampled_from(["/", "/home/me", "", "/home/me/.hermes"])
)
def test_any_text_is_judged(command: str, cwd: str) -> None:
    assert isinstance(changes_hermes(command, cwd=cwd, home="/home/me", own=""), str)
