"""A skill from elsewhere as the person gets to judge it: files, findings by line, what changes."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct, structs

from hermes_tui.core.errors import ConfigError, HermesError
from hermes_tui.core.skills import Skill
from hermes_tui.safety.scan_skill import Located, scan_lines
from hermes_tui.safety.scanner import Severity
from hermes_tui.safety.terminal_text import visible_line
from hermes_tui.skills.diffs import files_diff
from hermes_tui.skills.file_kinds import (
    MARKDOWN_ENDINGS,
    FileKind,
    form_of,
    is_text,
    kind_of,
    readable,
)
from hermes_tui.skills.packages import Parcel
from hermes_tui.skills.quarantine import Quarantine, contents
from hermes_tui.skills.skill import FILE, decoded, is_name, name_like, parsed, with_metadata
from hermes_tui.skills.skill_files import PLAIN, Blob, Files, read_files
from hermes_tui.skills.sources import Source
from hermes_tui.skills.validation import Verdict, complaints, judged

SHOWN_HIDDEN = 5
_SAFE_KEY = re.compile(r"(?!.*---)[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
_KEPT_KEYS = frozenset(
    f"hermes-{key}"
    for key in ("requires-toolsets", "fallback-for-toolsets", "platforms", "tags", "scope")
)
"""What another's skill may tell Hermes; who wrote it and what it may do it cannot say."""


class File(Struct, frozen=True):
    """A file of a skill, as it is shown to the person."""

    path: str
    bytes: int
    kind: FileKind


class Finding(Struct, frozen=True):
    """Something in a file that deserves a look, or forbids installing."""

    path: str
    line: int
    """From 1; 0 for the file as a whole."""
    kind: str
    severity: Severity
    excerpt: str
    reason: str


class Review(Struct, frozen=True, kw_only=True):
    """One skill of a package, as far as it can be judged before anybody agreed to it."""

    name: str
    description: str = ""
    source: str
    """Where exactly this skill can be had again."""
    tree: str = ""
    """What is approved: the hash of its files as they came; empty when it cannot be taken."""
    folder: Path | None = None
    """Where it can be looked at."""
    files: tuple[File, ...] = ()
    findings: tuple[Finding, ...] = ()
    problems: tuple[str, ...] = ()
    """What keeps it from being what the standard asks for, or is odd about it."""
    faults: tuple[str, ...] = ()
    """Why it cannot be installed, besides findings that block."""
    replaces: Skill | None = None
    """A skill of that name, wherever it lies."""
    is_current: bool = False
    """Exactly this tree is installed from exactly this source."""
    diff: str = ""
    """Unified, from what is installed to what would be."""

    @property
    def blocked(self) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if one.severity == "block")

    @property
    def can_install(self) -> bool:
        return not self.faults and not self.blocked

    @property
    def comes_from_there(self) -> bool:
        """Whether what it replaces came from the same source."""
        return (
            self.replaces is not None
            and self.replaces.origin == "hub"
            and self.replaces.metadata.get("hermes-source") == self.source
        )


class Reviewer:
    """Looks through the skills of one package; what several of them share is scanned once."""

    def __init__(self, quarantine: Quarantine, source: Source) -> None:
        self._quarantine = quarantine
        self._source = source
        self._scanned: dict[tuple[bytes, str], tuple[Located, ...]] = {}

    def review(
        self, parcel: Parcel, find: Callable[[str], Skill | None], *, name: str = ""
    ) -> Review:
        """Keep a skill in quarantine and say what there is to say about it.

        Args:
            find: The skill of a name that is there already.
            name: To be called so instead of by its own name.

        Raises:
            ConfigError: the quarantine cannot be written.
        """
        source = str(self._source.within(parcel.folder))
        label = _label(parcel, self._source)
        left_out = _left_out(parcel)
        if parcel.faults:
            return Review(name=label, source=source, faults=parcel.faults, problems=left_out)
        folder = self._quarantine.keep(parcel, label)
        files = tuple(
            File(path, len(raw), kind_of(path, raw)) for path, raw in sorted(parcel.files.items())
        )
        findings = tuple(
            one for file in files for one in self._findings(file, parcel.files[file.path])
        )
        verdict = _verdict(parcel, folder)
        base = Review(
            name=label, source=source, tree=parcel.tree, folder=folder, files=files,
            findings=findings, problems=(*verdict.standard, *verdict.warnings, *left_out),
        )  # fmt: skip
        try:
            skill = parsed(decoded(parcel.files[FILE]), folder)
            written = prepared(parcel.files, skill, name=name, source=source, tree=parcel.tree)
            replaces = find(name or skill.name)
            diff = files_diff(read_files(replaces.path), written) if replaces else ""
            changed = self._changed_here(replaces, source)
        except HermesError as error:
            return structs.replace(base, faults=(str(error),))
        metadata: Mapping[str, str] = replaces.metadata if replaces else {}
        return structs.replace(
            base, name=name or skill.name, description=skill.description, replaces=replaces,
            is_current=replaces is not None and metadata.get("hermes-source") == source
            and metadata.get("hermes-source-tree") == parcel.tree,
            diff=diff, problems=(*base.problems, *changed),
        )  # fmt: skip

    def _findings(self, file: File, raw: bytes) -> list[Finding]:
        if file.kind == "binary":
            what = form_of(raw)
            reason = f"It is {what}, which nobody can look through."
            return [Finding(file.path, 0, "binary", "warn", "", reason)] if what else []
        is_markdown = file.path.lower().endswith(MARKDOWN_ENDINGS)
        language: Literal["markdown", "code"] = "markdown" if is_markdown else "code"
        key = (raw, language)
        if key not in self._scanned:
            self._scanned[key] = scan_lines(readable(raw), language=language)
        found = [
            Finding(file.path, one.line, one.kind, one.severity, one.excerpt, one.reason)
            for one in self._scanned[key]
        ]
        if is_text(raw):
            return found
        if not is_markdown and file.kind != "script":
            # Whatever is no text holds control characters.
            found = [
                structs.replace(one, severity="warn") if one.kind == "hidden" else one
                for one in found
            ]
        return [Finding(file.path, 0, "encoding", "warn", "", "It is no UTF-8 text."), *found]

    def _changed_here(self, installed: Skill | None, source: str) -> tuple[str, ...]:
        """Whether what is installed is no longer what was approved."""
        if installed is None or installed.metadata.get("hermes-source") != source:
            return ()
        tree = installed.metadata.get("hermes-source-tree", "")
        folder = self._quarantine.kept(tree)
        if folder is None:
            return ()
        files = contents(folder)
        skill = parsed(decoded(files[FILE]), folder)
        then = prepared(files, skill, name=installed.name, source=source, tree=tree)
        if _plain(read_files(installed.path)) == _plain(then):
            return ()
        return ("It was changed here since; those changes go, and stay in its history.",)


def prepared(
    files: Mapping[str, bytes], skill: Skill, *, name: str, source: str, tree: str
) -> Files:
    """What gets installed: the files as they came, with a head the standard allows.

    Raises:
        ConfigError: the name is none the standard allows, or the head cannot be made right.
    """
    changes: dict[str, str | None] = {
        key: None
        for key in skill.metadata
        if not _SAFE_KEY.match(key) or (key.startswith("hermes-") and key not in _KEPT_KEYS)
    }
    changes |= {"hermes-origin": "hub", "hermes-source": source, "hermes-source-tree": tree}
    called = name or skill.name
    text = with_metadata(
        files[FILE].decode("utf-8"), changes, name=called, description=skill.description
    )
    if wrong := complaints(text, called):
        raise ConfigError(f"Its head cannot be made right: {wrong[0]}")
    return {path: Blob(PLAIN, raw) for path, raw in files.items()} | {
        FILE: Blob(PLAIN, text.encode())
    }


def _verdict(parcel: Parcel, folder: Path) -> Verdict:
    try:
        return judged(decoded(parcel.files[FILE]), folder)
    except ConfigError as error:
        return Verdict(folder, (str(error),))


def _label(parcel: Parcel, source: Source) -> str:
    """What to call a skill before its head is read: its folder, or what it says at the top."""
    if folder := parcel.folder.rpartition("/")[2]:
        return folder if is_name(folder) else name_like(folder) or "skill"
    head = parcel.files.get(FILE, b"")[:4096].decode("utf-8", "replace")
    said = re.search(r"(?m)^name:[ \t]*[\"']?([a-z0-9-]{1,64})[\"']?\s*$", head)
    if said and is_name(said[1]):
        return said[1]
    place = (source.inside or source.place).rstrip("/").rpartition("/")[2]
    return name_like(place.partition(".")[0]) or "skill"


def _left_out(parcel: Parcel) -> tuple[str, ...]:
    if not parcel.left_out:
        return ()
    names = ", ".join(visible_line(path, limit=60) for path in parcel.left_out[:SHOWN_HIDDEN])
    rest = len(parcel.left_out) - SHOWN_HIDDEN
    return (f"Hidden files are left out: {names}{f' and {rest:,} more' if rest > 0 else ''}.",)


def _plain(files: Files) -> dict[str, bytes]:
    return {path: blob.content for path, blob in files.items()}
