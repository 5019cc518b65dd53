import os
import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hermes_tui.safety.modes import MODES, decide
from hermes_tui.safety.risk import (
    READERS,
    Risk,
    assess_command,
    assess_operands,
    assess_read,
    assess_search,
    assess_write,
    operands_script,
)

READS = [
    "ls -la", "cat notes.txt", "grep -n 'a b' src | head -5", "cd src && ls", "echo done",
    "find . -name '*.py'", "wc -l a b; du -sh .", "grep TODO x || true", "cat *.md | wc -l",
    "cat ../*.md ./x", "grep -in x y", "seq 1 100", "find . -type f -size +10k -mtime -3",
    "grep \"it's\" notes.txt", "head -5 a", "tail -n20 a", "grep -A3 --color=never 'a|b' x",
    "ls -la --sort=time src/", "tree -L 2 -I 'a|b'", "file --mime-type a", "test -f a && echo yes",
    "cat a.b-c_d", "grep -c x a.py b.py",
]  # fmt: skip
NOT_READS = [
    "", "rm x", "ls > out", "cat $(which x)", "echo `id`", "find . -delete", "find . -exec rm {} +",
    "rg --pre ./evil x", "tree -o out", "ls & rm x", "ls &", "cat <(rm x)", "ls\nrm x", "ls; rm x",
    "ls && rm x", "ls || rm x", "ls | sh", "sort -o a b", "git status", "python -c 1", "./ls",
    "/tmp/ls", "X=1 ls", "echo $HOME", "\\rm x", "'rm' x", "l's' | xargs rm", "if true; then",
    "cat .en*", "cat ~/.s*/id_rsa", "grep -r KEY .", "grep -inr KEY .", "tree -ao x", "rg -uu x",
    "ls |& sh", "cat x |", "grep 'open", "file -C -m x", "! ls", "printf -v PATH %s ./bin",
    "printf abc%n PATH", "diff -rN . empty", "diff -N . empty", "grep -5r KEY .",
    "grep --recurs KEY .", "grep -drecurse KEY .", "rg KEY", "rg X -g.e*", "rg X --glob=.e*",
    "rg -tsh KEY", "file --comp", "file -f names", "tree -R -L 1", "tree --fromfile x",
    "wc --files0-from=x", "du --files0-from x", "find -files0-from x", "grep KEY *", "wc *",
    "find * -name x", "cat ~/.config/*/hosts.yml", "cat ~/.config/g*/hosts.yml", "cat .'e'*",
    "ls | cd x", "ls; cd x && cat y", "cd a | cat b", "test -v 'a[x]'", "ls \x01",
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
    "command",
    ["cat ~/.ssh/id_ed25519", "grep x .env", "cat /home/me/.aws/credentials", "cat .e''nv",
     'cat ~/.s"s"h/id_rsa', "cat .e\\nv", "python -c 'open(\".env\")'", "cat .ENV",
     "grep -az KEY /proc/*/environ", "cat /proc/self/task/1/environ", "cat /proc/7/mem"],
)  # fmt: skip
def test_commands_that_name_credentials_are_never_just_reading(command: str) -> None:
    assert assess_command(command).risk is Risk.SECRETS


def test_a_command_is_judged_from_where_it_runs() -> None:
    assert assess_command("cat gh/hosts.yml", cwd="/home/me/.config").risk is Risk.SECRETS
    assert assess_command("cat self/environ", cwd="/proc").risk is Risk.SECRETS


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


CANARY = "canary-7d1f"


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository made to catch a reader: what must not be read holds the canary."""
    folder = tmp_path_factory.mktemp("trap")
    for name in ("sub", "empty", "bin", "3", "sub/.config/gh"):
        (folder / name).mkdir(parents=True)
    for name in (".env", ".netrc", "sub/.env", "sub/.config/gh/hosts.yml"):
        (folder / name).write_text(f"KEY={CANARY}\n", "utf-8")
    for name in ("plain.txt", "env", "-r", "-f.env", "--files0-from=.env", "sub/plain"):
        (folder / name).write_text("KEY=nothing\n", "utf-8")
    (folder / "names").write_bytes(b".env\0")
    (folder / ".gitignore").write_text("!.env\n", "utf-8")
    (folder / ".git").mkdir()
    (folder / "notes").symlink_to(".env")
    (folder / "linked").symlink_to("sub/.config")
    for name in ("bin/ls", "3/ls"):
        (folder / name).write_text(f"#!/bin/sh\necho ''{CANARY[:3]}''{CANARY[3:]}\n", "utf-8")
        (folder / name).chmod(0o755)
    return folder


PROGRAMS = [*READERS, "printf", "diff", "rg", "sort"]
NAMES = [
    ".env", "notes", "sub/.env", "sub", ".", "*", "?e*", ".e*", "e*", "[.]env", "no*",
    "linked/gh/*", "linked/*/hosts.yml", "sub/.config", "../*/.env", "plain.txt", "-*", "~",
    ".netrc", "empty",
]  # fmt: skip
OPTIONS = [
    "-r", "-5r", "-n5r", "--recurs", "--recursive", "-dre", "-rN", "-N", "-vPATH", "-v", "PATH",
    "%s", "./bin", "./bin:/bin", "abc%n", "--files0-from=.env", "--files0-from=names", "-f",
    "-fnames", "-g.e*", "--glob=.e*", "-uu", "-tsh", "--no-ignore", "-exec", "cat", "-a", "-C",
    "--comp", "-n", "-e", "-z", "--include=.*", "-R", "-L", "--fromfile", "-delete", "-fprint",
    "KEY", "-h", "--", "-",
]  # fmt: skip


@st.composite
def spelled(draw: st.DrawFn, words: list[str]) -> str:
    """One of `words`, with quotes in places where they change nothing, or a little."""
    word = draw(st.sampled_from(words))
    marks = draw(st.lists(st.sampled_from(["", "", "", "''", '""', "'", '"']), max_size=len(word)))
    return "".join(
        mark + letter + (mark if len(mark) == 1 else "")
        for mark, letter in zip(marks + [""] * len(word), word, strict=False)
    )


@st.composite
def commands(draw: st.DrawFn) -> str:
    simple = st.lists(spelled(NAMES) | st.sampled_from(OPTIONS), max_size=4).flatmap(
        lambda words: st.sampled_from(PROGRAMS).map(lambda name: " ".join([name, *words]))
    )
    first, *rest = draw(st.lists(simple, min_size=1, max_size=3))
    return first + "".join(
        draw(st.sampled_from([" | ", " && ", "; ", " || "])) + one for one in rest
    )


def judged(command: str, folder: Path) -> Risk:
    """The risk as the tools find it: with where the files it names lead."""
    assessed = assess_command(command, cwd=str(folder), home=str(folder))
    if assessed.risk is Risk.READ and (script := operands_script(command)):
        assessed = assess_operands(in_bash(script, folder).splitlines(), assessed)
    return assessed.risk


def in_bash(script: str, folder: Path) -> str:
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    try:
        done = subprocess.run(
            ["bash", "-c", script], cwd=folder, env=environ, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=2, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:  # `tail -f`
        return (late.stdout or b"").decode("utf-8", "replace")
    return done.stdout.decode("utf-8", "replace")


@given(command=commands())
@example(command="cat .e''nv")
@example(command="cat notes")
@example(command="cat no*")
@example(command="cd sub && cat .e''nv")
@example(command="cd linked && cat gh/*")
@example(command="head -n 5 linked/*/hosts.yml")
@example(command="grep -5r KEY .")
@example(command="grep --recurs KEY .")
@example(command="rg KEY")
@example(command="rg KEY -g.e*")
@example(command="diff -rN . empty")
@example(command="wc *")
@example(command="printf -v PATH %s ./bin")
@example(command="printf abc%n PATH")
@settings(deadline=None, max_examples=200)
def test_however_it_is_spelled_what_runs_unasked_prints_no_credential_and_changes_nothing(
    command: str, trap: Path
) -> None:
    if judged(command, trap) is not Risk.READ:
        return
    before = sorted(trap.rglob("*"))
    printed = in_bash(f"{command}\ncd {shlex.quote(str(trap))}\nls", trap)
    assert CANARY not in printed
    assert sorted(trap.rglob("*")) == before


def test_most_everyday_reading_is_found_harmless_in_that_repository(trap: Path) -> None:
    for command in ("cat plain.txt", "cd sub && cat plain", "cat p*.txt | head -5", "ls *"):
        assert judged(command, trap) is Risk.READ


def test_file_changes_are_judged_by_where_they_land() -> None:
    place = {"cwd": "/home/me/app", "home": "/home/me"}
    assert assess_write("src/a.py", **place).risk is Risk.WRITE
    assert assess_write("/home/me/app/b.py", **place).risk is Risk.WRITE
    assert assess_write("../other/c.py", **place).risk is Risk.OUTSIDE
    assert assess_write("src/../../x", **place).risk is Risk.OUTSIDE
    assert assess_write("~/.bashrc", **place).risk is Risk.OUTSIDE
    assert assess_write(".git/hooks/pre-commit", **place).risk is Risk.EXECUTE
    assert assess_write(".hermes.yaml", **place).risk is Risk.EXECUTE
    assert assess_write("src/.envrc", **place).risk is Risk.EXECUTE
    assert assess_write("~/.ssh/config", **place).risk is Risk.SECRETS
    assert assess_read("~/.ssh/config", **place).risk is Risk.SECRETS
    assert assess_read(".env", **place).risk is Risk.SECRETS
    assert assess_read(".env.example", **place).risk is Risk.READ
    assert assess_read("/etc/hosts", **place).risk is Risk.READ
    assert assess_read("/root/.ssh/id_rsa", **place).risk is Risk.SECRETS


@pytest.mark.parametrize(
    "path",
    [".bashrc", ".hermes/config.yaml", ".hermes/SOUL.md", ".zshenv", ".config/fish/config.fish",
     ".gitconfig", ".local/bin/ls", "own/skills/x/SKILL.md", ".BASHRC"],
)  # fmt: skip
def test_in_the_home_directory_what_decides_what_runs_later_is_asked_for(path: str) -> None:
    place = {"cwd": "/home/me", "home": "/home/me", "own": "/home/me/own"}
    assert assess_write(path, **place).risk is Risk.EXECUTE
    assert assess_write("notes.txt", **place).risk is Risk.WRITE


@pytest.mark.parametrize("path", ["/", "/proc", "/proc/self", "~/.config", "~/.docker", "~/.ssh"])
def test_searching_above_credentials_is_asked_for(path: str) -> None:
    assert assess_search(path, cwd="/home/me", home="/home/me").risk is Risk.SECRETS
    assert assess_search("~/.config/nvim", cwd="/", home="/home/me").risk is Risk.READ


def test_a_stricter_mode_never_allows_more() -> None:
    order = {"deny": 0, "ask": 1, "allow": 2}
    for risk in Risk:
        grades = [order[decide(mode, risk)] for mode in MODES]
        assert grades == sorted(grades)
