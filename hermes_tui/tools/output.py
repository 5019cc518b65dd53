"""Keeping tool output short for the model and whole on disk."""

import re
import secrets
from pathlib import Path

from hermes_tui.core.errors import ToolError

REFERENCE = re.compile(r"^output:([a-z0-9]{8})$")
"""How the model names a shelved output when it calls `read_file`."""


class OutputShelf:
    """Holds outputs too long to send; `read_file` pages through them as `output:ID`.

    Files are 0600 below `folder`, which is made when first needed.
    """

    def __init__(self, folder: Path, *, limit_chars: int) -> None:
        self._folder = folder
        self._limit = limit_chars

    def capped(self, text: str) -> str:
        """`text`, or its head and tail around one line that says where all of it is."""
        if len(text) <= self._limit:
            return text
        name = self.keep(text)
        half = self._limit // 2
        return (
            f"{text[:half]}\n"
            f"[… {len(text) - 2 * half:,} of {len(text):,} characters not shown; read_file "
            f"path=output:{name} with offset and limit shows the rest …]\n"
            f"{text[-half:]}"
        )

    def keep(self, text: str) -> str:
        """Store `text`; returns its id."""
        name = secrets.token_hex(4)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / f"{name}.txt"
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8", errors="replace")
        return name

    def adopt(self, source: Path) -> str:
        """Take over a file somebody else wrote; returns its id."""
        name = secrets.token_hex(4)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        source.rename(self._folder / f"{name}.txt")
        return name

    def find(self, reference: str) -> Path | None:
        """The file behind `output:ID`, or None when `reference` is an ordinary path.

        Raises:
            ToolError: it has the form of a reference, but nothing is kept under it.
        """
        match = REFERENCE.match(reference)
        if not match:
            return None
        path = self._folder / f"{match[1]}.txt"
        if not path.exists():
            raise ToolError(f"There is no stored output {reference!r}.", hint="Run the tool again.")
        return path
