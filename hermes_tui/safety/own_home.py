"""Commands that change Hermes itself: what it trusts, what it may do, and what it keeps.

Nothing clever: a command that names Hermes's folder and does more than read is one of them.
Below `skills` and `run`, where commands find files to work with, only what writes there is.
"""

import os.path
import re
from functools import cache
from pathlib import PurePosixPath

from msgspec import Struct

TRUST_FILE = "skills-trust.json"
FOLDERS = (".hermes", ".hermes-tui")
"""What Hermes's folder is called in a home directory."""
OPEN_FOLDERS = ("skills", "run")
"""Below its folder: files that commands are told of."""
WRITERS = frozenset(
    """chmod chown curl dd ed ex git install ln mkdir mv patch rm rmdir shred tar tee touch truncate
    unlink unzip wget""".split()  # noqa: SIM905 - a list of quoted words is no easier to read
)
COPIERS = frozenset({"cp", "rsync", "scp"})
"""They write to what they name last, and only read the rest."""


def changes_hermes(command: str, *, cwd: str, home: str, own: str = "") -> str:
    """Why `command`, which does more than read, changes Hermes itself; empty when it does not.

    Args:
        own: The folder Hermes keeps its things in, on the machine the command runs on.
    """
    bare = re.sub(r"[\"']", "", command.replace("\\\n", " ")).casefold()
    folders = _Folders(cwd.casefold(), home.casefold(), own.casefold())
    return _why(bare, folders) or _why(bare.replace("\\", ""), folders)


def is_trust_file(path: str) -> bool:
    """Whether `path` is a record of the skills that may run what they bring."""
    return PurePosixPath(path).name.casefold() == TRUST_FILE


def _why(text: str, folders: "_Folders") -> str:
    if TRUST_FILE in text:
        return "It names the record of the skills you trust."
    if _forms()["command"].search(text):
        return "It has Hermes change what it trusts or may do, or go on unasked."
    text = _forms()["own"].sub(folders.own or "~/.hermes", text)
    text = _forms()["home"].sub("~", text)
    if not folders.may_be_named(text):
        return ""
    is_moving = _forms()["move"].search(text) is not None
    for simple in _forms()["separator"].split(text):
        for word in filter(None, _forms()["gap"].split(simple)):
            inside = folders.inside(word, is_moving=is_moving)
            if inside is not None and _changes(simple, word, inside):
                return "It may change what Hermes keeps for itself."
    return ""


def _changes(simple: str, word: str, inside: PurePosixPath) -> bool:
    """Whether a simple command may change what `word` names, which is `inside` the folder."""
    if not inside.parts or inside.parts[0] not in OPEN_FOLDERS:
        return True
    if re.search(rf">[>|]?\s*{re.escape(word)}", simple) or _forms()["in place"].search(simple):
        return True
    programs = {part.rpartition("/")[2] for part in simple.split()}
    is_target = simple.rstrip().endswith(word) or " -t" in simple or "--target" in simple
    return bool(programs & WRITERS) or (is_target and bool(programs & COPIERS))


class _Folders(Struct, frozen=True):
    """Where words lead; all in small letters."""

    cwd: str
    home: str
    own: str

    def may_be_named(self, text: str) -> bool:
        """Whether a closer look can find anything."""
        last = self.own.rpartition("/")[2]
        is_named = any(name in text for name in FOLDERS) or bool(last and last in text)
        return is_named or self._at(self.cwd) is not None

    def inside(self, word: str, *, is_moving: bool) -> PurePosixPath | None:
        """Where in Hermes's folder `word` leads; None when it leads elsewhere.

        Args:
            is_moving: Whether the command also runs in other folders than the current one.
        """
        if word == "~" or word.startswith("~/"):
            return self._at(self.home + word[1:])
        if word.startswith("/"):
            return self._at(word)
        if is_moving or word[0] in "~$":  # below a folder nobody knows
            named = _below_named(PurePosixPath(os.path.normpath(word)))
            if named is not None:
                return named
        return self._at(f"{self.cwd}/{word}")

    def _at(self, full: str) -> PurePosixPath | None:
        path = PurePosixPath(os.path.normpath(full))
        if self.own and path.is_relative_to(self.own):
            return path.relative_to(self.own)
        # A project has a folder of that name too, which is not Hermes's own.
        is_project = self.cwd not in {"/", self.home} and path.is_relative_to(self.cwd)
        if is_project and _below_named(PurePosixPath(self.cwd)) is None:
            return None
        return _below_named(path)


def _below_named(path: PurePosixPath) -> PurePosixPath | None:
    at = next((at for at, part in enumerate(path.parts) if part in FOLDERS), None)
    return None if at is None else PurePosixPath(*path.parts[at + 1 :])


@cache
def _forms() -> dict[str, re.Pattern[str]]:
    return {
        "command": re.compile(
            r"(?:^|[\s;&|(`/=])hermes(?:_tui)?\s[^;&|\n]*?(?<=\s)(?:"
            r"skills\s+(?:-\S+\s+)*(?:trust|install|update)\b|proposals\s+accept\b"
            r"|config\s+(?:set|unset|edit)\b|--yes\b|-[a-z]*y[a-z]*(?=\s|$)"
            r"|--mode[\s=]+(?:full-auto|auto-edit)\b)"
        ),
        "own": re.compile(r"\$hermes_home\b|\$\{hermes_home[^}]*\}"),
        "home": re.compile(r"\$home\b|\$\{home[^}]*\}"),
        "move": re.compile(r"\b(?:cd|pushd|chdir)\b|\s-c\s"),
        "separator": re.compile(r"[;&|\n`]+|\$\("),
        "gap": re.compile(r"[\s=:,<>()\[\]{}]+"),
        "in place": re.compile(r"\b(?:sed|perl)\s(?:.*\s)?-\w*i|\bfind\b.*\s-(?:delete|exec|ok)"),
    }
