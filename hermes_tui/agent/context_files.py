"""Instructions a project keeps for agents: `AGENTS.md` from its root down to where we are."""

import os
import stat
from pathlib import Path

from msgspec import Struct

from hermes_tui.safety.risk import is_secret

NAME = "AGENTS.md"
MAX_CHARS = 20_000


class ContextFile(Struct, frozen=True):
    """One instruction file."""

    path: Path
    text: str


def context_files(cwd: Path, *, limit_chars: int = MAX_CHARS) -> list[ContextFile]:
    """`AGENTS.md` of `cwd` and of each folder above it up to the repository root, outermost first.

    Outside a repository only `cwd` itself counts. What is longer than `limit_chars` is cut and
    says so. A link that leads out of the repository, or to credentials, is passed over: a
    repository may be anybody's work.
    """
    folders = [cwd]
    root = next((folder for folder in (cwd, *cwd.parents) if (folder / ".git").exists()), cwd)
    while folders[-1] != root:
        folders.append(folders[-1].parent)
    found = (_read(folder / NAME, root, limit_chars) for folder in reversed(folders))
    return [file for file in found if file]


def _read(path: Path, root: Path, limit: int) -> ContextFile | None:
    try:
        target = path.resolve(strict=True)
        if not target.is_relative_to(root.resolve()) or is_secret(str(target), cwd="/", home="/"):
            return None
        data, size = _beginning(target, limit * 4)  # bytes in the longest UTF-8 character
    except (OSError, RuntimeError):  # RuntimeError: links in a circle
        return None
    text = data.decode("utf-8", "replace").strip()
    if len(text) > limit or size > len(data):
        text = f"{text[:limit]}\n[… cut; {path} has {size:,} bytes …]"
    return ContextFile(path, text) if text else None


def _beginning(path: Path, limit: int) -> tuple[bytes, int]:
    """The first `limit` bytes of a regular file, and how many it has; nothing of any other."""
    # Non-blocking, so that a named pipe in its place is found out instead of waited for.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return b"", 0
        return os.read(descriptor, limit), status.st_size
    finally:
        os.close(descriptor)
