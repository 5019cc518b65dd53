"""Which skills may run what they bring: commands inside their text, and scripts.

Trust is in exactly the files a person looked at. Whatever changes in the folder ends it.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from hermes_tui.config.files import editing, read_regular, replace_file
from hermes_tui.config.paths import shown
from hermes_tui.core.errors import ConfigError, HermesError
from hermes_tui.core.skills import Skill
from hermes_tui.skills.packages import tree_hash
from hermes_tui.skills.skill_files import LINK, PLAIN, PROGRAM, Blob, Files, read_files

NAME = "skills-trust.json"
MAX_RECORD_BYTES = 1024 * 1024


class Trust:
    """The record of trusted skills.

    Args:
        file: Tree hashes by name, as JSON; made with the first of them.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def is_trusted(self, skill: Skill) -> bool:
        """Whether a person trusted exactly what is in the skill's folder now; reads all of it."""
        try:
            approved = self._record().get(skill.name)
            return approved is not None and approved == content_hash(skill)
        except HermesError:
            return False

    def trust(self, skill: Skill, tree: str) -> None:
        """Trust the skill as long as its files have that hash.

        Raises:
            ConfigError: the record cannot be read or written.
        """
        self._change(skill.name, tree)

    def revoke(self, name: str) -> bool:
        """Trust a skill no longer; whether it was trusted.

        Raises:
            ConfigError: the record cannot be read or written.
        """
        return self._change(name, None)

    def _change(self, name: str, tree: str | None) -> bool:
        try:
            with editing(self._file):
                record = dict(self._record())
                was_there = record.pop(name, None) is not None
                if tree is not None:
                    record[name] = tree
                if tree is not None or was_there:
                    content = msgspec.json.format(msgspec.json.encode(record, order="sorted"))
                    replace_file(self._file, content + b"\n", mode=0o600)
                return was_there
        except OSError as error:
            raise ConfigError(
                f"{shown(self._file)} cannot be written: {error.strerror}.",
                hint="Check who may write there.",
            ) from error

    def _record(self) -> Mapping[str, str]:
        try:
            content = read_regular(self._file, max_bytes=MAX_RECORD_BYTES).content
            return msgspec.json.decode(content, type=dict[str, str])
        except FileNotFoundError:
            return {}
        except msgspec.MsgspecError:
            raise ConfigError(
                f"{shown(self._file)} cannot be read.",
                hint="Move it away; no skill is trusted until you say so again.",
            ) from None


def content_hash(skill: Skill) -> str:
    """What trust in a skill is bound to: 64 hexadecimal digits.

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
    return tree_hash({path: blob.content for path, blob in files.items()})


def scripts(files: Files) -> list[str]:
    """Paths of the files that are scripts by their first line."""
    return [path for path, blob in sorted(files.items()) if blob.content.startswith(b"#!")]


def with_modes(files: Files, *, executable: bool) -> Files:
    """The same files, scripts executable or nothing at all."""
    marked = set(scripts(files)) if executable else set[str]()
    return {
        path: blob
        if blob.mode == LINK
        else Blob(PROGRAM if path in marked else PLAIN, blob.content)
        for path, blob in files.items()
    }
