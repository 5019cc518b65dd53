import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hermes_tui.safety.modes import MODES, decide
from hermes_tui.safety.risk import (
    Risk,
    assess_command,
    assess_read,
    assess_write,
)

READS = [
    "ls -la", "cat notes.txt", "grep -n 'a b' src | head -5", "cd src && ls", "echo done",
    "find . -name '*.py'", "wc -l a b; du -sh .", "rg TODO || true", "cat *.md | wc -l",
    "cat ../*.md ./x", "grep -in x y", "seq 1 100",
    "grep \"it's\" notes.txt",
]  # fmt: skip
NOT_READS = [
    "", "rm x", "ls > out", "cat $(which x)", "echo `id`", "find . -delete", "find . -exec rm {} +",
    "rg --pre ./evil x", "tree -o out", "ls & rm x", "ls &", "cat <(rm x)", "ls\nrm x", "ls; rm x",
    "ls && rm x", "ls || rm x", "ls | sh", "sort -o a b", "git status", "python -c 1", "./ls",
    "/tmp/ls", "X=1 ls", "echo $HOME", "\\rm x", "'rm' x", "l's' | xargs rm", "if true; then",
    "cat .en*", "cat ~/.s*/id_rsa", "grep -r KEY .", "grep -inr KEY .", "tree -ao x", "rg -uu x",
    "ls |& sh", "cat x |", "grep 'open", "file -C -m x", "! ls",
]  # fmt: skip


@pytest.mark.parametrize("command", READS)
def test_plain_reading_is_read_only(command: str) -> None:
    assert assess_command(command).risk is Risk.READ


@pytest.mark.parametrize("command", NOT_READS)
def test_anything_else_has_to_be_asked(command: str) -> None:
    assert assess_command(command).risk is Risk.EXECUTE


@pytest.mark.parametrize(
    "command",
    ["rm -rf /", "rm -rf ~", 'rm -rf "/"', 'rm -rf "$HOME"', "rm -fr /*; ls",
     "sudo rm -rf --no-preserve-root /",
     "mkfs.ext4 /dev/sda1",
     "dd if=/dev/zero of=/dev/nvme0n1", "chmod -R 000 /", "chown -R nobody: /", ":(){ :|:& };:"],
)  # fmt: skip
def test_catastrophes_are_forbidden_in_every_mode(command: str) -> None:
    risk = assess_command(command).risk
    assert risk is Risk.FORBIDDEN
    assert {decide(mode, risk) for mode in MODES} == {"deny"}


@pytest.mark.parametrize(
    "command", ["rm -rf ./build", "rm -rf /tmp/x", "dd if=a of=b", "chmod -R 755 src"]
)
def test_everyday_deleting_is_asked_for_not_forbidden(command: str) -> None:
    assert assess_command(command).risk is Risk.EXECUTE


@pytest.mark.parametrize(
    "command", ["cat ~/.ssh/id_ed25519", "grep x .env", "cat /home/me/.aws/credentials"]
)
def test_commands_that_name_credentials_are_never_just_reading(command: str) -> None:
    assert assess_command(command).risk is Risk.SECRETS


PIECES = [
    "ls",
    "rm x",
    "&&",
    "|",
    ";",
    ">f",
    "$(rm x)",
    "`rm x`",
    "&",
    "\n",
    "'",
    '"',
    "cat a",
    "||",
    "\\",
]


@given(words=st.lists(st.sampled_from(PIECES), max_size=8))
@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_command_in_which_bash_finds_an_rm_is_read_only(
    words: list[str], tmp_path: Path
) -> None:
    command = " ".join(words)
    if assess_command(command).risk is not Risk.READ:
        return
    folder = tmp_path / "empty"
    folder.mkdir(exist_ok=True)
    script = f"rm() {{ echo DELETED >&2; }}; ls() {{ :; }}; cat() {{ :; }}\n{command}"
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        cwd=folder,
        stdin=subprocess.DEVNULL,
    )
    assert "DELETED" not in done.stderr
    assert list(folder.iterdir()) == []


def test_file_changes_are_judged_by_where_they_land() -> None:
    place = {"cwd": "/home/me/app", "home": "/home/me"}
    assert assess_write("src/a.py", **place).risk is Risk.WRITE
    assert assess_write("/home/me/app/b.py", **place).risk is Risk.WRITE
    assert assess_write("../other/c.py", **place).risk is Risk.OUTSIDE
    assert assess_write("src/../../x", **place).risk is Risk.OUTSIDE
    assert assess_write("~/.bashrc", **place).risk is Risk.OUTSIDE
    assert assess_write(".git/hooks/pre-commit", **place).risk is Risk.EXECUTE
    assert assess_write("~/.ssh/config", **place).risk is Risk.SECRETS
    assert assess_read("~/.ssh/config", **place).risk is Risk.SECRETS
    assert assess_read(".env", **place).risk is Risk.SECRETS
    assert assess_read(".env.example", **place).risk is Risk.READ
    assert assess_read("/etc/hosts", **place).risk is Risk.READ
    assert assess_read("/root/.ssh/id_rsa", **place).risk is Risk.SECRETS


def test_a_stricter_mode_never_allows_more() -> None:
    order = {"deny": 0, "ask": 1, "allow": 2}
    for risk in Risk:
        grades = [order[decide(mode, risk)] for mode in MODES]
        assert grades == sorted(grades)
