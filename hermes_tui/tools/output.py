"""Keeping tool output short for the model and whole on disk."""

import re
import secrets
import time
from pathlib import Path

from hermes_tui.core.errors import ToolError

REFERENCE = re.compile(r"^output:([a-z0-9]{8})$")
"""How the model names a shelved output when it calls `read_file`."""
NOTE_CHARS = 500
"""Room for what is said about a shortened output, so that it is not shortened again."""
KEPT_SECONDS = 7 * 24 * 3600


class OutputShelf:
    """Holds outputs too long to send; `read_file` pages through them as `output:ID`.

    Files are 0600 below `folder`, which is made when first needed; they go after a week.
    """

    def __init__(self, folder: Path, *, limit_chars: int) -> None:
        self._folder = folder
        self.limit = limit_chars

    def capped(self, text: str, *, whole: Path | None = None) -> str:
        """`text`, or its head and tail around one line that says where all of it is.

        Args:
            whole: A file with all of it where `text` is not; it moves to the shelf.
        """
        if whole is None and len(text) <= self.limit:
            return text
        half = (self.limit - NOTE_CHARS) // 2
        try:
            name = self._adopt(whole) if whole else self._keep(text)
        except OSError as error:
            rest = f"the rest could not be kept: {error.strerror}"
        else:
            rest = f"read_file path=output:{name} with offset and limit shows the rest"
        return f"{text[:half]}\n[… {rest} …]\n{text[-half:]}"

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

    def _keep(self, text: str) -> str:
        path = self._place()
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8", errors="replace")
        return path.stem

    def _adopt(self, source: Path) -> str:
        path = self._place()
        source.rename(path)
        return path.stem

    def _place(self) -> Path:
        """A free name, after old outputs were removed."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        before = time.time() - KEPT_SECONDS
        for old in self._folder.glob("*.txt"):
            if old.stat().st_mtime < before:
                old.unlink(missing_ok=True)
        return self._folder / f"{secrets.token_hex(4)}.txt"
