"""Why a folder's git repository cannot be written to just now, from its files alone."""

import re
import shutil
from pathlib import Path

MAIN = "refs/heads/main"
_UNDER_WAY = {
    "rebase-merge": "a rebase", "rebase-apply": "a rebase", "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick", "REVERT_HEAD": "a revert", "BISECT_LOG": "a bisection",
}  # fmt: skip


def obstacle(folder: Path) -> str:
    """One sentence; empty where nothing is in the way. Costs a few system calls, no process."""
    if shutil.which("git") is None:
        return "There is no git on the PATH, so changes to skills have no history."
    git_folder = folder / ".git"
    if git_folder.is_symlink() or (git_folder.exists() and not git_folder.is_dir()):
        return (
            f"{git_folder} belongs to a repository kept elsewhere, so changes to skills "
            "have no history until it is moved away."
        )
    for name, what in _UNDER_WAY.items():
        if (git_folder / name).exists():
            return (
                f"Somebody is in the middle of {what} in {folder}, so changes to skills "
                "have no history until it is finished."
            )
    if _head(git_folder) and not is_on_branch(git_folder) and not is_harmlessly_detached(folder):
        return (
            f"{folder} has a detached HEAD, so changes to skills have no history until "
            "`git switch main` is run there."
        )
    return ""


def is_on_branch(git_folder: Path) -> bool:
    return _head(git_folder).startswith("ref: refs/heads/")


def is_harmlessly_detached(folder: Path) -> bool:
    """Whether HEAD is on no branch but at the very commit `main` is at."""
    git_folder = folder / ".git"
    head = _head(git_folder)
    return re.fullmatch(r"[0-9a-f]{40}", head) is not None and head == _main(git_folder)


def _head(git_folder: Path) -> str:
    return _text(git_folder / "HEAD").strip()


def _main(git_folder: Path) -> str:
    if loose := _text(git_folder / MAIN).strip():
        return loose
    packed = re.search(
        rf"^([0-9a-f]{{40}}) {MAIN}$", _text(git_folder / "packed-refs"), re.MULTILINE
    )
    return packed[1] if packed else ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
