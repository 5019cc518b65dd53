"""What changed between two states of a skill, as a unified diff."""

import difflib

from hermes_tui.skills.file_kinds import is_text
from hermes_tui.skills.skill_files import LINK, Blob, Files

MAX_BYTES = 200_000
"""Of a file; the lines of a larger one take too long to compare."""
MAX_LINES = 4_000


def files_diff(before: Files, after: Files) -> str:
    """A unified diff of two sets of files."""
    parts: list[str] = []
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if old is not None and new is not None and old.content == new.content:
            continue
        texts = [_lines(blob) for blob in (old, new)]
        sides = (f"a/{path}" if old else "/dev/null", f"b/{path}" if new else "/dev/null")
        if texts[0] is None or texts[1] is None:
            parts.append(f"Files {sides[0]} and {sides[1]} differ\n")
            continue
        parts.append(lines_diff(texts[0], texts[1], *sides))
    return "".join(parts)


def lines_diff(before: list[str], after: list[str], name_before: str, name_after: str) -> str:
    """A unified diff of lines with their breaks; empty when they are the same."""
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in difflib.unified_diff(before, after, name_before, name_after)
    )


def _lines(blob: Blob | None) -> list[str] | None:
    """Of a text; None for what cannot be compared line by line."""
    if blob is None:
        return []
    if blob.mode == LINK or len(blob.content) > MAX_BYTES or not is_text(blob.content):
        return None
    lines = blob.content.decode("utf-8").splitlines(keepends=True)
    return lines if len(lines) <= MAX_LINES else None
