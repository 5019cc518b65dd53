"""How dangerous an action is, judged from a short table and nothing clever.

A command counts as read-only when every simple command in it is in `READERS`,
uses none of that reader's writing options, and nothing in it redirects,
substitutes or expands. Everything else is `EXECUTE`: asked for, never guessed.
"""

import os.path
import re
import shlex
from enum import StrEnum
from pathlib import PurePosixPath

from msgspec import Struct


class Risk(StrEnum):
    """Classes of action, mildest first."""

    READ = "read"
    WRITE = "write"
    """Changes files in the working directory."""
    EXECUTE = "execute"
    """Runs something whose effects are not known."""
    OUTSIDE = "outside"
    """Changes files outside the working directory."""
    SECRETS = "secrets"
    """Touches files that hold credentials."""
    FORBIDDEN = "forbidden"
    """Never allowed, in any mode."""


class Assessment(Struct, frozen=True):
    """A risk and, in one sentence, why."""

    risk: Risk
    reason: str
    scope: str = ""
    """What "allow for this session" would cover; empty when it cannot be offered."""


RECURSIVE = "-r -R -d --recursive --dereference-recursive --directories"
"""Options of grep with which it reads files nobody named, hidden ones included."""
RG_REACHING = "--pre --hostname-bin --hidden -. -u --unrestricted --no-ignore --no-ignore-vcs"

READERS: dict[str, frozenset[str]] = {
    name: frozenset(options.split())
    for name, options in {
        "basename": "", "cat": "", "cd": "", "cut": "", "df": "", "diff": "", "dirname": "",
        "du": "", "echo": "", "egrep": RECURSIVE, "false": "", "fgrep": RECURSIVE,
        "file": "-C --compile",
        "find": "-exec -execdir -ok -okdir -delete -fprint -fprint0 -fprintf -fls",
        "grep": RECURSIVE, "head": "", "id": "", "ls": "", "md5sum": "", "nl": "", "printf": "",
        "pwd": "", "seq": "", "realpath": "", "rg": RG_REACHING, "sha256sum": "", "stat": "",
        "tail": "", "test": "", "tr": "", "tree": "-o", "true": "", "uname": "", "wc": "",
        "which": "", "whoami": "",
    }.items()
}  # fmt: skip
"""Programs that only read, each with the options that would make it do more."""

SEPARATORS = frozenset({"|", "&&", "||", ";"})
UNSAFE_TEXT = re.compile(r"[$`<>(){}\n\r\\!]|(?<![&])&(?![&])")
"""Redirection, substitution, grouping, background, history: not judged, so not allowed."""

HIDDEN_GLOB = re.compile(r"(^|/)\.[^/]*[*?\[]")
"""A pattern for hidden files, such as `.e*`: nobody can say which ones it names."""

SECRET_PLACES = (
    ".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker/config.json", ".netrc", ".npmrc",
    ".git-credentials", ".config/gh", ".config/gcloud", ".pypirc",
)  # fmt: skip
"""In anybody's home directory. A file named `.env` is one too, wherever it is."""

CATASTROPHES: tuple[tuple[str, str], ...] = (
    ("deletes the root or home directory",
     r"\brm\s+(-\S+\s+)*(--no-preserve-root\s+)?(/|/\*|~|~/|~/\*|\$HOME/?\*?)(\s|$|;|&|\|)"),
    ("overwrites a disk",
     r"\b(dd\b[^|;&]*\bof=|(wipefs|shred|mkfs(\.\w+)?)\s[^|;&]*)/dev/(sd|hd|vd|xvd|nvme|mmcblk)"),
    ("changes the mode or owner of everything", r"\bch(mod|own)\s+-\S*R\S*\s+\S+\s+/(\s|$)"),
    ("forks without end", r":\(\)\s*\{\s*:\|:&\s*\}\s*;\s*:"),
)  # fmt: skip
"""What no mode runs, as (what, pattern) pairs."""

WHY: tuple[tuple[str, str], ...] = (
    ("It deletes files.", r"\b(rm|rmdir|unlink|shred)\b"),
    ("It acts as another user.", r"\b(sudo|doas|su)\b"),
    ("It rewrites published history.", r"\bgit\s+push\b.*(--force|-f\b)"),
    ("It discards uncommitted work.", r"\bgit\s+(reset\s+--hard|clean|checkout\s+--|restore)\b"),
    ("It downloads or sends data.", r"\b(curl|wget|ssh|scp|rsync|nc)\b"),
    ("It installs software.", r"\b(pip|uv|npm|apt|apt-get|brew|cargo)\s+(install|add|i)\b"),
    ("It writes to a file.", r">"),
)
"""What to tell the person about a command; the first that fits."""


def assess_command(command: str) -> Assessment:
    """How dangerous it is to run `command` in a shell."""
    unquoted = command.replace('"', "").replace("'", "")
    for what, pattern in CATASTROPHES:
        if re.search(pattern, unquoted):
            return Assessment(Risk.FORBIDDEN, f"It {what}.")
    if _names_secret(command):
        return Assessment(Risk.SECRETS, "It names a file that holds credentials.")
    if _is_read_only(command):
        return Assessment(Risk.READ, "It only reads.")
    reason = next(
        (why for why, pattern in WHY if re.search(pattern, command)),
        "It may change things.",
    )
    return Assessment(Risk.EXECUTE, reason, scope=command)


def assess_read(path: str, *, cwd: str, home: str) -> Assessment:
    """How dangerous it is to read `path`."""
    if is_secret(path, cwd=cwd, home=home):
        return Assessment(Risk.SECRETS, "The file holds credentials.")
    return Assessment(Risk.READ, "It only reads.")


def assess_write(path: str, *, cwd: str, home: str) -> Assessment:
    """How dangerous it is to change `path`."""
    if is_secret(path, cwd=cwd, home=home):
        return Assessment(Risk.SECRETS, "The file holds credentials.")
    full = PurePosixPath(_absolute(path, cwd=cwd, home=home))
    if not full.is_relative_to(cwd):
        return Assessment(Risk.OUTSIDE, f"The file is outside {cwd}.")
    if ".git" in full.parts:
        return Assessment(Risk.EXECUTE, "Files below .git decide what git runs.")
    return Assessment(Risk.WRITE, "It changes a file.", scope=f"changes to files below {cwd}")


def is_secret(path: str, *, cwd: str, home: str) -> bool:
    """Whether `path` is where credentials are kept."""
    full = _absolute(path, cwd=cwd, home=home)
    if _is_env_file(full.rpartition("/")[2]):
        return True
    # Wherever it lies: the home directory of another machine is not known here.
    return any(f"/{place}/" in f"{full}/" for place in SECRET_PLACES)


def _is_env_file(name: str) -> bool:
    if name != ".env" and not name.startswith(".env."):
        return False
    return not name.endswith((".example", ".sample", ".template"))


def _absolute(path: str, *, cwd: str, home: str) -> str:
    if path == "~" or path.startswith("~/"):
        path = home + path[1:]
    return os.path.normpath(PurePosixPath(cwd) / path)


def _names_secret(command: str) -> bool:
    words = re.split(r"[\s'\"=:;|&<>()]+", command)
    return any(
        re.search(rf"(^|/){re.escape(place)}(/|$)", word)
        for word in words
        for place in SECRET_PLACES
    ) or any(_is_env_file(word.rpartition("/")[2]) for word in words)


def _is_read_only(command: str) -> bool:
    if UNSAFE_TEXT.search(command):
        return False
    lexer = shlex.shlex(command, posix=True, punctuation_chars="|&;")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError:  # an unclosed quote
        return False
    simple: list[list[str]] = [[]]
    for word in words:
        if word in SEPARATORS:
            simple.append([])
        else:
            simple[-1].append(word)
    return all(_is_reader(argv) for argv in simple)


def _is_reader(argv: list[str]) -> bool:
    if not argv or argv[0] not in READERS:
        return False
    forbidden = READERS[argv[0]]
    return not any(
        word.split("=", 1)[0] in forbidden or _combines(word, forbidden) or HIDDEN_GLOB.search(word)
        for word in argv[1:]
    )


def _combines(word: str, forbidden: frozenset[str]) -> bool:
    """Whether `-abc` holds a forbidden `-b`."""
    if not re.fullmatch(r"-[A-Za-z.]{2,}", word):
        return False
    return any(f"-{letter}" in forbidden for letter in word[1:])
