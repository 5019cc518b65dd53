"""What the person typed before, across sessions."""

import json
import os
from pathlib import Path

LIMIT = 500
"""Prompts kept."""


class PromptHistory:
    """Prompts, oldest first, and a position in them while the person walks back.

    The file holds one JSON string a line and is readable by its owner only. A line
    that is not JSON is skipped; a file that cannot be written loses nothing but the
    memory of this prompt.
    """

    def __init__(self) -> None:
        self.prompts: list[str] = []
        self._path: Path | None = None
        self._position = 0
        self._draft = ""

    def load(self, path: Path) -> None:
        """Read `path`, and append to it from now on. Blocks on the disk."""
        self._path = path
        earlier = _read(path)
        if len(earlier) > LIMIT:
            earlier = earlier[-LIMIT:]
            _replace(path, earlier)
        self.prompts[:0] = earlier
        self._position = len(self.prompts)

    def add(self, prompt: str) -> None:
        """Keep a prompt in memory; `append` writes it."""
        if not self.prompts or self.prompts[-1] != prompt:
            self.prompts.append(prompt)
        self._position = len(self.prompts)

    def append(self, prompt: str) -> None:
        """Write one prompt to the end of the file. Blocks on the disk."""
        if self._path is None:
            return
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            descriptor = os.open(self._path, flags, 0o600)
            try:
                os.write(descriptor, _line(prompt))
            finally:
                os.close(descriptor)
        except OSError:
            self._path = None  # a read-only home: go on in memory

    def back(self, current: str) -> str | None:
        """The prompt before this position; `current` is kept as the draft at the end."""
        if self._position == 0:
            return None
        if self._position >= len(self.prompts):
            self._draft = current
        self._position = min(self._position, len(self.prompts)) - 1
        return self.prompts[self._position]

    def forward(self) -> str | None:
        """The prompt after this position, the draft at the end, None beyond it."""
        if self._position >= len(self.prompts):
            return None
        self._position += 1
        if self._position == len(self.prompts):
            return self._draft
        return self.prompts[self._position]


def _line(prompt: str) -> bytes:
    return json.dumps(prompt).encode("ascii") + b"\n"


def _read(path: Path) -> list[str]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return []
    prompts: list[str] = []
    for line in lines:
        try:
            prompt = json.loads(line)
        except ValueError:
            continue
        if isinstance(prompt, str):
            prompts.append(prompt)
    return prompts


def _replace(path: Path, prompts: list[str]) -> None:
    """Write the file anew beside the old one; the rename makes it whole or not at all."""
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(_line(prompt) for prompt in prompts)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
