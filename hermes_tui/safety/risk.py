"""How dangerous an action is, judged from a short table and nothing clever.

A command counts as read-only when every simple command in it is in `READERS`,
uses only options listed there, and nothing in it redirects, substitutes or
expands. Everything else is `EXECUTE`: asked for, never guessed. Where links lead
only the place itself knows: `Workplace` asks it before it believes in `READ`.
"""

import os.path
import re
from collections.abc import Iterable
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
    HERMES = "hermes"
    """Changes Hermes itself: what it trusts, what it may do, or what it keeps."""
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


GREP = """abcEFGHhIilLmnoPqsTUvwxyzZABCe --after-context --before-context --color --colour --context
    --count --extended-regexp --files-with-matches --files-without-match --fixed-strings
    --ignore-case --invert-match --line-number --line-regexp --max-count --no-filename
    --no-messages --only-matching --perl-regexp --quiet --regexp --text --with-filename
    --word-regexp"""
"""None with which it reads files nobody named, hidden ones included."""

LISTED_OPTIONS = {
    "du": "abcdDhHkLlmPSsx0 --all --apparent-size --bytes --human-readable --max-depth --summarize "
          "--total",
    "egrep": GREP, "fgrep": GREP, "grep": GREP,
    "file": "bhikLN --brief --dereference --mime --mime-encoding --mime-type",
    "find": "bcGkMw -H -L -P -a -amin -and -anewer -atime -cmin -cnewer -ctime -daystart -depth "
            "-empty -executable -false -follow -group -iname -inum -ipath -iregex -links -ls "
            "-maxdepth -mindepth -mmin -mount -mtime -name -newer -not -o -or -path -perm -print "
            "-print0 -printf -prune -quit -readable -regex -regextype -samefile -size -true -type "
            "-user -wholename -writable -xdev",
    "test": "-O -G -L -S -a -b -c -d -e -ef -eq -f -g -ge -gt -h -k -le -lt -n -ne -nt -o -ot -p "
            "-r -s -u -w -x -z",
    "tree": "aACcdDfFghiIlLnpPrstuUx --dirsfirst --du --noreport --prune",
    "wc": "clLmw --bytes --chars --lines --max-line-length --words",
    "which": "a --all",
}  # fmt: skip
"""Readers whose other options write, run something or read what nobody named: letters that may
stand together after one `-`, then whole words."""

# Options of these change how their output looks, and nothing else.
READERS: dict[str, frozenset[str] | None] = dict.fromkeys(
    ("basename", "cat", "cd", "cut", "df", "dirname", "echo", "false", "head", "id", "ls",
     "md5sum", "nl", "pwd", "realpath", "seq", "sha256sum", "stat", "tail", "tr", "true", "uname",
     "whoami")
) | {
    name: frozenset(
        option for part in text.split() for option in ([part] if part[0] == "-" else part)
    )
    for name, text in LISTED_OPTIONS.items()
}  # fmt: skip
"""Programs that only read, each with the options it may have; None for any.

diff and rg are not here: given a folder, they read files nobody named, and rg even hidden ones
when the folder's own ignore files say so. Neither is printf, which sets variables (`%n`, `-v`).
"""
CONTENT_READERS = frozenset(
    {"cat", "cut", "egrep", "fgrep", "file", "grep", "head", "md5sum", "nl", "sha256sum", "tail",
     "wc"}
)  # fmt: skip
"""Those that tell what is in the files they are given, not just their names."""

LONGEST_READ = 4_000
"""Characters of a command that is looked into; longer ones are asked for."""
SEPARATORS = frozenset({"|", "&&", "||", ";"})
UNSAFE_TEXT = re.compile(r"[$`<>(){}\\!\n\x00-\x08\x0b-\x1f\x7f]|(?<!&)&(?!&)")
"""Redirection, substitution, grouping, background, history: not judged, so not allowed."""
TOKEN = re.compile(r"""[ \t]*(\|\||&&|[|;]|(?:[^ \t'"|;&]|'[^']*'|"[^"]*")+)[ \t]*""")
"""A separator or a word of a command without `UNSAFE_TEXT`, as bash divides it."""
QUOTED = re.compile(r"""'([^']*)'|"([^"]*)\"""")

HIDDEN_GLOB = re.compile(r"(^|/)\.(?!\.?(/|$)).*[*?\[]|(^|/)\.{1,2}[*?\[]")
"""A pattern for hidden files, such as `.e*`: nobody can say which ones it names."""

SECRET_PLACES = (
    ".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker/config.json", ".netrc", ".npmrc",
    ".git-credentials", ".config/gh", ".config/gcloud", ".pypirc",
)  # fmt: skip
"""In anybody's home directory. A file named `.env` is one too, wherever it is."""
FOLDERS_OF_SECRETS = tuple(dict.fromkeys(place.split("/")[0] for place in SECRET_PLACES))
"""Files and folders below which searches do not look."""
SECRET_NAMES = (
    ".env", "environ", "mem", "cmdline", *(place.split("/")[-1] for place in SECRET_PLACES)
)  # fmt: skip
"""Every path to credentials ends in one of these, or passes through it."""
PROCESS_FILE = re.compile(r"/proc/[^/]+/(task/[^/]+/)?(environ|mem|cmdline)$")
"""What a process was started with, or has in memory."""

STARTERS = (
    ".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".profile",
    ".zshrc", ".zshenv", ".zprofile", ".zlogin", ".zlogout", ".inputrc", ".envrc", ".gitconfig",
    ".vimrc", ".tmux.conf", ".config/fish", ".config/git", ".config/autostart", ".config/systemd",
    ".local/bin", ".git", ".hermes", ".hermes-tui", ".hermes.yaml",
)  # fmt: skip
"""Files and folders that decide what runs, or may run, later."""

CATASTROPHES: tuple[tuple[str, str], ...] = (
    ("deletes the root or home directory",
     r"\brm\s+(-\S+\s+)*(--no-preserve-root\s+)?(/|/\*|~|~/|~/\*|\$HOME/?\*?)(\s|$|;|&|\|)"),
    ("overwrites a disk",
     r"\b(dd\b[^|;&]*\bof=|(wipefs|shred|mkfs(\.\w+)?)\s[^|;&]*)/dev/(sd|hd|vd|xvd|nvme|mmcblk)"),
    ("changes the mode or owner of everything", r"\bch(mod|own)\s+-\S*R\S*\s+\S+\s+/(\s|$)"),
    ("forks without end", r":\(\)\s*\{\s*:\|:&\s*\}\s*;\s*:"),
)  # fmt: skip
"""What no mode runs, as (what, pattern) pairs."""

LOOK = """\
look() {
  [ $# -le 200 ] || { echo '?'; return; }
  for p do
    { [ -e "$p" ] || [ -L "$p" ]; } || continue
    readlink -f -- "$p" 2>/dev/null || echo '?'
  done
}"""
"""A shell function that prints where files lead."""

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


def assess_command(command: str, *, cwd: str = "/", home: str = "/", own: str = "") -> Assessment:
    """How dangerous it is to run `command` in a shell.

    Args:
        own: The folder Hermes keeps its things in.
    """
    unquoted = command.replace('"', "").replace("'", "")
    for what, pattern in CATASTROPHES:
        if re.search(pattern, unquoted):
            return Assessment(Risk.FORBIDDEN, f"It {what}.")
    texts = (command, unquoted, unquoted.replace("\\", ""))
    if any(_names_secret(text.casefold(), cwd=cwd, home=home) for text in texts):
        return Assessment(Risk.SECRETS, "It names a file that holds credentials.")
    if _readers(command):
        return Assessment(Risk.READ, "It only reads.")
    from hermes_tui.safety.own_home import changes_hermes  # a start need not pay for it

    if why := changes_hermes(command, cwd=cwd, home=home, own=own):
        return Assessment(Risk.HERMES, why)
    reason = next(
        (why for why, pattern in WHY if re.search(pattern, command)),
        "It may change things.",
    )
    return Assessment(Risk.EXECUTE, reason, scope=command)


def operands_script(command: str) -> str:
    """A POSIX shell script that prints where each file leads that a `READ` command tells of.

    It prints `?` for what it cannot find out; empty when the command names no files.
    """
    lines: list[str] = []
    is_needed = False
    for argv in _readers(command):
        given = " ".join(argv[1:])
        if argv[0] == "cd":
            lines.append(f"cd {given} >/dev/null")
        elif given and argv[0] in CONTENT_READERS:
            is_needed = True
            lines.append(f"look {given}")
    return "\n".join([LOOK, *lines, ":"]) if is_needed else ""


def assess_operands(printed: Iterable[str], assessed: Assessment) -> Assessment:
    """`assessed`, unless what `operands_script` printed says that it is worse."""
    for path in printed:
        if path == "?":
            return Assessment(Risk.EXECUTE, "Nobody can say which files it reads.")
        if is_secret(path, cwd="/", home="/"):
            return Assessment(Risk.SECRETS, f"It reads {path}, which holds credentials.")
    return assessed


def assess_read(path: str, *, cwd: str, home: str) -> Assessment:
    """How dangerous it is to read `path`."""
    if is_secret(path, cwd=cwd, home=home):
        return Assessment(Risk.SECRETS, "The file holds credentials.")
    return Assessment(Risk.READ, "It only reads.")


def assess_search(path: str, *, cwd: str, home: str) -> Assessment:
    """How dangerous it is to read all there is below `path`."""
    full = _absolute(path, cwd=cwd, home=home)
    above = tuple(f"/{place.split('/')[0]}" for place in SECRET_PLACES if "/" in place)
    if full == "/" or f"{full}/".startswith("/proc/") or full.endswith(above):
        return Assessment(Risk.SECRETS, "Below this folder lie files that hold credentials.")
    return assess_read(path, cwd=cwd, home=home)


def assess_write(path: str, *, cwd: str, home: str, own: str = "") -> Assessment:
    """How dangerous it is to change `path`; `own` is the folder Hermes keeps its things in."""
    if is_secret(path, cwd=cwd, home=home):
        return Assessment(Risk.SECRETS, "The file holds credentials.")
    from hermes_tui.safety.own_home import is_trust_file

    if is_trust_file(path):
        return Assessment(Risk.HERMES, "It is the record of the skills you trust.")
    full = PurePosixPath(_absolute(path, cwd=cwd, home=home))
    if not full.is_relative_to(cwd):
        return Assessment(Risk.OUTSIDE, f"The file is outside {cwd}.")
    if _lies_in(str(full), STARTERS) or (own and full.is_relative_to(own)):
        return Assessment(Risk.EXECUTE, "Files like this decide what runs, or may run, later.")
    return Assessment(Risk.WRITE, "It changes a file.", scope=f"changes to files below {cwd}")


def worst(*assessments: Assessment) -> Assessment:
    """The one with the highest risk; the first of several."""
    order = tuple(Risk)
    return max(assessments, key=lambda assessment: order.index(assessment.risk))


def is_secret(path: str, *, cwd: str, home: str) -> bool:
    """Whether `path` is where credentials are kept."""
    full = _absolute(path, cwd=cwd, home=home)
    if _is_env_file(full.rpartition("/")[2].casefold()) or PROCESS_FILE.search(full):
        return True
    # Wherever it lies: the home directory of another machine is not known here.
    return _lies_in(full, SECRET_PLACES)


def _lies_in(full: str, places: Iterable[str]) -> bool:
    folded = f"{full.casefold()}/"  # some file systems take capitals for small letters
    return any(f"/{place}/" in folded for place in places)


def _is_env_file(name: str) -> bool:
    if name != ".env" and not name.startswith(".env."):
        return False
    return not name.endswith((".example", ".sample", ".template"))


def _absolute(path: str, *, cwd: str, home: str) -> str:
    if path == "~" or path.startswith("~/"):
        path = home + path[1:]
    return os.path.normpath(f"{cwd}/{path}" if path[:1] != "/" else path)


def _names_secret(text: str, *, cwd: str, home: str) -> bool:
    """Whether a word of `text`, all in small letters, is where credentials are kept."""
    if is_secret(cwd, cwd=cwd, home=home):
        return True
    hints = [hint for hint in SECRET_NAMES if hint in text]
    words = re.split(r"[\s'\"=:;,|&<>()\[\]]+", text) if hints else ()
    return any(
        is_secret(word, cwd=cwd, home=home) for word in words if any(hint in word for hint in hints)
    )


def _readers(command: str) -> list[list[str]]:
    """The simple commands of a command that only reads, quotes and all; empty for any other."""
    if len(command) > LONGEST_READ or UNSAFE_TEXT.search(command):
        return []
    tokens = [match[1] for match in TOKEN.finditer(command)]
    if TOKEN.sub("", command):  # an unclosed quote
        return []
    simple: list[list[str]] = [[]]
    separators: list[str] = []
    for token in tokens:
        if token in SEPARATORS:
            separators.append(token)
            simple.append([])
        else:
            simple[-1].append(token)
    # Further on, or in a pipe, nobody can say whether a `cd` counts for what follows.
    is_moving = any(argv[:1] == ["cd"] for argv in simple[1:]) or (
        simple[0][:1] == ["cd"] and separators[:1] == ["|"]
    )
    return simple if not is_moving and all(_is_reader(argv) for argv in simple) else []


def _is_reader(argv: list[str]) -> bool:
    if not argv or argv[0] not in READERS:
        return False
    options = READERS[argv[0]]
    return all(_is_harmless(raw, options) for raw in argv[1:])


def _is_harmless(raw: str, options: frozenset[str] | None) -> bool:
    """Whether `raw`, as it stands in the command, is an operand or one of `options`."""
    word = _plain(raw)
    pattern = QUOTED.sub("q", raw)
    if re.search(r"[*?\[]", pattern) and HIDDEN_GLOB.search(word):
        return False
    if options is None:
        return True
    if pattern[0] in "*?[":  # a file may be named like an option
        return False
    if not word.startswith("-") or word in {"-", "--"}:
        return True
    if word.split("=", 1)[0] in options:
        return True
    return not word.startswith("--") and set(word[1:]) <= options | set("0123456789")


def _plain(raw: str) -> str:
    """A word without its quotes."""
    return QUOTED.sub(lambda match: match[1] or match[2] or "", raw)
