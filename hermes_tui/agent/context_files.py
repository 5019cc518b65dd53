"""Instructions a project keeps for agents: `AGENTS.md` from its root down to where we are."""

from pathlib import Path

from msgspec import Struct

NAME = "AGENTS.md"
MAX_CHARS = 20_000
"""Of one file; what is longer is cut and says so."""


class ContextFile(Struct, frozen=True):
    """One instruction file."""

    path: Path
    text: str


def context_files(cwd: Path) -> list[ContextFile]:
    """`AGENTS.md` of `cwd` and of each folder above it up to the repository root, outermost first.

    Outside a repository only `cwd` itself counts.
    """
    folders = [cwd]
    root = next((folder for folder in (cwd, *cwd.parents) if (folder / ".git").exists()), cwd)
    while folders[-1] != root:
        folders.append(folders[-1].parent)
    return [file for folder in reversed(folders) if (file := _read(folder / NAME))]


def _read(path: Path) -> ContextFile | None:
    try:
        text = path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
    if len(text) > MAX_CHARS:
        text = f"{text[:MAX_CHARS]}\n[… cut; {path} has {len(text):,} characters …]"
    return ContextFile(path, text) if text else None
