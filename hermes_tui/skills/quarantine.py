"""Skills from elsewhere before anybody has agreed to them, kept where nothing looks for skills.

A skill lies in `quarantine/<tree hash>/<name>/`. What is approved is that tree: it is read again
and hashed again when it is installed.
"""

import os
import re
import shutil
import time
from collections.abc import Set
from pathlib import Path

from hermes_tui.core.errors import ConfigError, HermesError, RefusedError
from hermes_tui.skills.packages import Parcel, tree_hash
from hermes_tui.skills.skill_files import LINK, read_files

KEEP_DAYS = 30


class Quarantine:
    """The folder where skills wait.

    Args:
        folder: Made when the first skill comes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, parcel: Parcel, name: str) -> Path:
        """Write a skill's files, none of them executable; where it lies now.

        Raises:
            ConfigError: the disk is full or read-only.
        """
        target = self.folder / parcel.tree / name
        if target.is_dir() and _hash(target) == parcel.tree:
            os.utime(target.parent)
            return target
        beside = self.folder / f".{parcel.tree}.{os.getpid()}"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path, content in parcel.files.items():
                file = beside / name / path
                file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with os.fdopen(
                    os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
                ) as out:
                    out.write(content)
            target.parent.mkdir(mode=0o700, exist_ok=True)
            shutil.rmtree(target, ignore_errors=True)
            (beside / name).rename(target)
        except OSError as error:
            raise ConfigError(
                f"{self.folder} cannot be written: {error.strerror}.",
                hint="Check who may write there and how much space is left.",
            ) from error
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        return target

    def files(self, folder: Path, tree: str) -> dict[str, bytes]:
        """The files in `folder`, if they are still that tree.

        Raises:
            RefusedError: they have changed since, or are gone.
        """
        files = contents(folder)
        if not files or tree_hash(files) != tree:
            raise RefusedError(
                f"{folder.name} has changed since it was looked at, so it was not installed.",
                hint="Install it again.",
            )
        return files

    def kept(self, tree: str) -> Path | None:
        """Where a tree that came earlier lies; None when it is gone or not as it was."""
        if re.fullmatch(r"[0-9a-f]{64}", tree) is None:
            return None
        found = sorted((self.folder / tree).glob("*"))
        return next((folder for folder in found if _hash(folder) == tree), None)

    def sweep(self, wanted: Set[str]) -> None:
        """Remove what waited for longer than a month, except trees in `wanted`."""
        before = time.time() - KEEP_DAYS * 86_400
        try:
            for folder in self.folder.iterdir():
                if folder.name not in wanted and folder.lstat().st_mtime < before:
                    shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            return


def contents(folder: Path) -> dict[str, bytes]:
    """The files below `folder` without links; nothing where it cannot be read."""
    try:
        files = read_files(folder)
    except HermesError:
        return {}
    return {path: blob.content for path, blob in files.items() if blob.mode != LINK}


def _hash(folder: Path) -> str:
    return tree_hash(contents(folder))
