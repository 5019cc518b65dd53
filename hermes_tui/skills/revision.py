"""What a draft makes of a skill: the files of its next version, or why it may not be written."""

from collections.abc import Callable
from pathlib import Path

from hermes_tui.core.errors import ConfigError, RefusedError, ToolError
from hermes_tui.core.skills import Origin, Skill
from hermes_tui.safety.scanner import blocks, scan
from hermes_tui.skills.lint import Draft
from hermes_tui.skills.packages import path_fault
from hermes_tui.skills.skill import (
    FILE,
    is_name,
    name_like,
    parted,
    read_text,
    skill_text,
    with_metadata,
)
from hermes_tui.skills.skill_files import (
    LINK,
    PLAIN,
    Blob,
    Files,
    is_git_name,
    put_files,
    read_files,
)

MAX_FILE_BYTES = 200_000
FILE_FOLDERS = ("scripts", "references", "assets", "evals")

Replay = Callable[[str], str]
"""Makes a change once more, on a body that is not the one it was made for. Raises `HermesError`."""


class Revision:
    """A draft on its way to the next version of a skill.

    Args:
        old: The skill it changes; None for a new one.
        is_copy: Whether `old` is kept elsewhere, and its files come along.
        before: The body the draft was made for, empty for a new skill; None for any.
        replay: Makes the change where the body has become another one; without it that is refused.
    """

    def __init__(
        self,
        draft: Draft,
        old: Skill | None,
        *,
        is_copy: bool = False,
        by_user: bool = False,
        before: str | None = None,
        replay: Replay | None = None,
    ) -> None:
        self._draft = draft
        self._old = old
        self._is_copy = is_copy
        self._before = before
        self._replay = replay
        self.origin: Origin = _origin(old, is_copy=is_copy, by_user=by_user)
        self.was = ""
        """The whole `SKILL.md` that was there when `text` was last made."""
        self.text = ""

    def plan(self) -> None:
        """Make the text of what is on disk now.

        Raises:
            ToolError: a name, a path or a text is not allowed, or the skill is not what it was.
            ConfigError: the description is not allowed, or what is there cannot be read.
            RefusedError: the write scan blocks the text.
        """
        _check_names(self._draft)
        if self._old is not None and self._old.origin == "project":
            raise ToolError(
                f"The skill {self._old.name!r} belongs to the project.",
                hint=f"Change {self._old.path / FILE} itself.",
            )
        self._make(read_text(self._old.path) if self._old else "")

    def put(self, folder: Path) -> None:
        """Write the version to `folder`, whatever it has become since `plan`.

        Raises:
            HermesError: as `plan`; or it is too large, or something else is in the way.
            OSError: it cannot be written.
        """
        present = read_files(folder)
        if present and (self._old is None or self._is_copy):
            raise ConfigError(f"Something else is in {folder}.", hint="Take another name.")
        if self._old is not None and self._is_copy:
            present = _visible(read_files(self._old.path))
        now = read_text(self._old.path) if self._old else ""
        if now != self.was:
            self._make(now)
        put_files(folder, self._files(present))

    def _make(self, now: str) -> None:
        """Set `text` to what the draft makes of a whole `SKILL.md`."""
        draft, old = self._draft, self._old
        head, body = parted(now) if old else ("", "")
        body = next_body(draft, body, before=self._before, replay=self._replay)
        origin = {"hermes-origin": self.origin}
        if old is None:
            text = skill_text(draft.name, draft.description, body, metadata=origin)
        else:
            is_same = draft.description == old.description
            text = with_metadata(
                f"---\n{head}---\n\n{body}", origin,
                name=draft.name, description="" if is_same else draft.description,
            )  # fmt: skip
        _check_texts({"description": draft.description, FILE: text, **draft.files})
        self.was, self.text = now, text

    def _files(self, present: Files) -> Files:
        files = dict(present)
        for path, content in {FILE: self.text, **self._draft.files}.items():
            above = ["/".join(path.split("/")[:end]) for end in range(1, path.count("/") + 1)]
            taken = [one for one in above if one in files]
            taken += [one for one in files if one.startswith(f"{path}/")]
            before = files.get(path)
            if taken or (before is not None and before.mode == LINK):
                raise ToolError(
                    f"{path} cannot be written: {(taken or [path])[0]} is in the way.",
                    hint="Choose another path; links are never followed.",
                )
            files[path] = Blob(before.mode if before else PLAIN, content.encode())
        return files


def next_body(draft: Draft, body: str, *, before: str | None, replay: Replay | None) -> str:
    """The body `draft` leads to from `body`.

    Args:
        before: What it was made for; None for any.

    Raises:
        ToolError: it was made for another body, and there is no `replay`.
        HermesError: `replay` cannot make the change either.
    """
    if before is None or body.strip() == before.strip():
        return draft.body
    if replay is not None:
        return replay(body)
    raise ToolError(
        f"The skill {draft.name!r} has changed meanwhile; nothing is written.",
        hint="Read it again with skill_load, and keep what is new in it.",
    )


def _origin(old: Skill | None, *, is_copy: bool, by_user: bool) -> Origin:
    if old is None:
        return "person" if by_user else "agent"
    return "agent" if is_copy and old.origin == "bundled" and not by_user else old.origin


def _check_names(draft: Draft) -> None:
    if not is_name(draft.name):
        raise ToolError(
            f"A skill cannot be called {draft.name!r}.",
            hint=f"Use lower-case letters, digits and hyphens: "
            f"{name_like(draft.name) or 'disk-full'!r}.",
        )
    for path in draft.files:
        parts = path.split("/")
        fault = path_fault(path)
        if any(is_git_name(part) or part.startswith(".") for part in parts):
            fault = "has a hidden part"
        if fault or len(parts) < 2 or parts[0] not in FILE_FOLDERS:
            raise ToolError(
                f"A skill cannot have a file {path!r}" + (f": it {fault}." if fault else "."),
                hint=f"Put it below {', '.join(FILE_FOLDERS)}.",
            )


def _check_texts(texts: dict[str, str]) -> None:
    for name, content in texts.items():
        try:
            size = len(content.encode())
        except UnicodeEncodeError:
            raise ToolError(f"{name} has half a character, which no file can hold.") from None
        if size > MAX_FILE_BYTES:
            raise ToolError(f"{name} has more than {MAX_FILE_BYTES:,} bytes.")
        if "\0" in content:
            raise ToolError(f"{name} has a NUL character, which no text has.")
        if found := blocks(scan(content)):
            raise RefusedError(
                f"The skill is not written, because of {name}: {found[0].reason}",
                hint="Say it in other words, without that.",
            )


def _visible(files: Files) -> Files:
    """Those that are copied: neither links nor hidden ones."""
    return {
        path: blob
        for path, blob in files.items()
        if blob.mode != LINK and not any(part.startswith(".") for part in path.split("/"))
    }
