"""Which skills may run what they bring: commands inside their text, and scripts.

Trust is in exactly the files a person looked at. Whatever changes in the folder ends it.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from hermes_tui.config.files import editing, read_regular, replace_file
from hermes_tui.config.paths import shown
from hermes_tui.core.errors import ConfigError, HermesError
from hermes_tui.core.skills import Skill
from hermes_tui.skills.file_kinds import PROGRAM_STARTS, SCRIPT_ENDINGS
from hermes_tui.skills.packages import tree_hash
from hermes_tui.skills.skill_files import LINK, PLAIN, PROGRAM, Blob, Files, read_files

MAX_RECORD_BYTES = 1024 * 1024


class _Record(Struct, frozen=True, forbid_unknown_fields=True):
    skills: dict[str, str] = {}
    """Tree hashes by name."""
    projects: list[str] = []
    """Absolute folders."""


class Trust:
    """The record of trusted skills, and of projects whose skills are read.

    Args:
        file: As JSON; made with the first of them.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def is_trusted(self, skill: Skill) -> bool:
        """Whether a person trusted exactly what is in the skill's folder now; reads all of it."""
        return self.trusted_files(skill) is not None

    def trusted_files(self, skill: Skill) -> Files | None:
        """What is in the skill's folder now if a person trusted exactly that; else None."""
        try:
            approved = self._read().skills.get(skill.name)
            if approved is None:
                return None
            contents = contents_of(skill)
        except HermesError:
            return None
        return contents.files if contents.tree == approved else None

    def trust(self, skill: Skill, tree: str) -> None:
        """Trust the skill as long as its files have that hash.

        Raises:
            ConfigError: the record cannot be read or written.
        """
        self._change(lambda old: structs.replace(old, skills={**old.skills, skill.name: tree}))

    def revoke(self, name: str) -> bool:
        """Trust a skill no longer; whether it was trusted.

        Raises:
            ConfigError: the record cannot be read or written.
        """

        def without(old: _Record) -> _Record:
            rest = {one: tree for one, tree in old.skills.items() if one != name}
            return structs.replace(old, skills=rest)

        return self._change(without)

    def is_trusted_project(self, folder: Path) -> bool:
        """Whether the skills of the project in `folder` are read."""
        try:
            return str(folder.resolve()) in self._read().projects
        except (HermesError, OSError, RuntimeError):
            return False

    def trust_project(self, folder: Path) -> bool:
        """Read the skills of the project in `folder` from now on; whether that is new.

        Raises:
            ConfigError: the record cannot be read or written.
        """
        name = str(folder.resolve())
        return self._change(
            lambda old: structs.replace(old, projects=sorted({*old.projects, name}))
        )

    def revoke_project(self, folder: Path) -> bool:
        """Read a project's skills no longer; whether they were read.

        Raises:
            ConfigError: the record cannot be read or written.
        """
        name = str(folder.resolve())
        return self._change(
            lambda old: structs.replace(old, projects=[one for one in old.projects if one != name])
        )

    def _change(self, make: Callable[[_Record], _Record]) -> bool:
        """Write what `make` makes of the record; whether that differs."""
        try:
            with editing(self._file):
                before = self._read()
                after = make(before)
                if after != before:
                    content = msgspec.json.format(msgspec.json.encode(after, order="sorted"))
                    replace_file(self._file, content + b"\n", mode=0o600)
                return after != before
        except OSError as error:
            raise ConfigError(
                f"{shown(self._file)} cannot be written: {error.strerror}.",
                hint="Check who may write there.",
            ) from error

    def _read(self) -> _Record:
        try:
            content = read_regular(self._file, max_bytes=MAX_RECORD_BYTES).content
        except FileNotFoundError:
            return _Record()
        try:
            return msgspec.json.decode(content, type=_Record)
        except msgspec.MsgspecError:
            pass
        try:  # a map of names alone says nothing of projects
            return _Record(msgspec.json.decode(content, type=dict[str, str]))
        except msgspec.MsgspecError:
            raise ConfigError(
                f"{shown(self._file)} cannot be read.",
                hint="Move it away; no skill is trusted until you say so again.",
            ) from None


class Contents(Struct, frozen=True):
    """A skill's folder as it was at one moment: what is shown is what is hashed."""

    files: Files
    tree: str
    """What trust is bound to: 64 hexadecimal digits."""


def contents_of(skill: Skill) -> Contents:
    """What is in the skill's folder now.

    Raises:
        ConfigError: it holds links, whose targets can change without it.
        HermesError: it cannot be read, or is too large for a skill.
    """
    files = read_files(skill.path)
    if links := [path for path, blob in files.items() if blob.mode == LINK]:
        raise ConfigError(
            f"{skill.name} holds a link, {links[0]!r}, so it cannot be trusted.",
            hint="Put the file itself there.",
        )
    return Contents(files, tree_hash({path: blob.content for path, blob in files.items()}))


def content_hash(skill: Skill) -> str:
    """What trust in a skill is bound to: 64 hexadecimal digits.

    Raises:
        ConfigError: it holds links.
        HermesError: it cannot be read, or is too large for a skill.
    """
    return contents_of(skill).tree


def scripts(files: Files) -> list[str]:
    """Paths of the files that can be run: by their first line, by name, or marked as programs."""
    return [
        path
        for path, blob in sorted(files.items())
        if blob.mode != LINK
        and (
            blob.mode == PROGRAM
            or blob.content.startswith(PROGRAM_STARTS)
            or path.lower().endswith(SCRIPT_ENDINGS)
        )
    ]


def with_modes(files: Files, *, executable: bool) -> Files:
    """The same files, programs and those with an interpreter's line executable, or nothing."""
    return {
        path: blob
        if blob.mode == LINK
        else Blob(PROGRAM if executable and _is_program(blob) else PLAIN, blob.content)
        for path, blob in files.items()
    }


def _is_program(blob: Blob) -> bool:
    return blob.mode == PROGRAM or blob.content.startswith(b"#!")
