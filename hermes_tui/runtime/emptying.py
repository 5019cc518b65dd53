"""Removing a folder in which somebody else's commands ran."""

import os
import shutil
from contextlib import suppress
from pathlib import Path


def remove_folder(root: Path) -> None:
    """Remove `root` with all that is in it, also below folders that were made read-only.

    Nothing outside changes, wherever links in it lead. What another user owns may stay.
    """
    shutil.rmtree(root, ignore_errors=True)
    if os.path.lexists(root):
        open_up(root)
        shutil.rmtree(root, ignore_errors=True)


def open_up(root: Path) -> None:
    """Make `root` and the folders below it ones that their owner may empty."""
    with suppress(OSError):
        _open_one(root)
    for _, folders, _, here in os.fwalk(root):
        for name in folders:  # links to folders are among them
            with suppress(OSError):
                _open_one(name, here)


def _open_one(folder: str | Path, above: int | None = None) -> None:
    """Give the owner all rights to a folder.

    Raises:
        OSError: it is a link, or somebody else's.
    """
    if os.chmod in os.supports_follow_symlinks:
        os.chmod(folder, 0o700, dir_fd=above, follow_symlinks=False)
        return
    # Linux changes modes only by way of what links lead to, or of an open file; O_PATH opens
    # what may not be read, and says ENOTDIR to a link.
    flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(folder, flags, dir_fd=above)
    try:
        Path(f"/proc/self/fd/{descriptor}").chmod(0o700)
    finally:
        os.close(descriptor)
