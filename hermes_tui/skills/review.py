"""A skill from elsewhere as the person gets to judge it: files, findings by line, what changes."""

import difflib
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
from hermes_tui.skills.packages import Parcel
from hermes_tui.skills.quarantine import Quarantine, contents
from hermes_tui.skills.skill import FILE, is_name, name_like, read_skill, with_metadata
from hermes_tui.skills.skill_files import LINK, PLAIN, Blob, Files, read_files
from hermes_tui.skills.sources import Source
from hermes_tui.skills.validation import complaints, validate

SHOWN_HIDDEN = 5
MAX_DIFF_BYTES = 200_000
"""Of a file; the lines of a larger one take too long to compare."""
MAX_DIFF_LINES = 4_000
_SAFE_KEY = re.compile(r"(?!.*---)[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
_KEPT_KEYS = frozenset(
    f"hermes-{key}"
    for key in ("requires-toolsets", "fallback-for-toolsets", "platforms", "tags", "scope")
)
"""What another's skill may tell Hermes; who wrote it and what it may do it cannot say."""
_PROGRAMS = (
    (b"\x7fELF", "a program"), (b"MZ", "a program"), (b"\xcf\xfa\xed\xfe", "a program"),
    (b"\xce\xfa\xed\xfe", "a program"), (b"\xca\xfe\xba\xbe", "a program"),
    (b"\0asm", "a program"), (b"PK\x03\x04", "an archive"), (b"\x1f\x8b", "an archive"),
    (b"BZh", "an archive"), (b"\xfd7zXZ\0", "an archive"), (b"7z\xbc\xaf", "an archive"),
    (b"!<arch>", "a program"),
)  # fmt: skip
_SCRIPTS = (
    ".sh",
    ".bash",
    ".zsh",
    ".py",
    ".pl",
    ".rb",
    ".js",
    ".mjs",
    ".cjs",
    ".ts",
    ".ps1",
    ".bat",
)
_MARKDOWN = (".md", ".markdown", ".mdx")


class File(Struct, frozen=True):
    """A file of a skill, as it is shown to the person."""

    path: str
    bytes: int
    kind: Literal["text", "script", "binary"]


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
            File(path, len(raw), _kind(path, raw)) for path, raw in sorted(parcel.files.items())
        )
        findings = tuple(
            one for file in files for one in self._findings(file, parcel.files[file.path])
        )
        verdict = validate(folder)
        base = Review(
            name=label, source=source, tree=parcel.tree, folder=folder, files=files,
            findings=findings, problems=(*verdict.standard, *verdict.warnings, *left_out),
        )  # fmt: skip
        try:
            skill = read_skill(folder)
            written = prepared(parcel.files, skill, name=name, source=source, tree=parcel.tree)
            replaces = find(name or skill.name)
            diff = difference(read_files(replaces.path), written) if replaces else ""
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
            what = next((what for start, what in _PROGRAMS if raw.startswith(start)), "")
            reason = f"It is {what}, which nobody can look through."
            return [Finding(file.path, 0, "binary", "warn", "", reason)] if what else []
        language: Literal["markdown", "code"] = (
            "markdown" if file.path.lower().endswith(_MARKDOWN) else "code"
        )
        key = (raw, language)
        if key not in self._scanned:
            self._scanned[key] = scan_lines(raw.decode("utf-8"), language=language)
        return [
            Finding(file.path, one.line, one.kind, one.severity, one.excerpt, one.reason)
            for one in self._scanned[key]
        ]

    def _changed_here(self, installed: Skill | None, source: str) -> tuple[str, ...]:
        """Whether what is installed is no longer what was approved."""
        if installed is None or installed.metadata.get("hermes-source") != source:
            return ()
        tree = installed.metadata.get("hermes-source-tree", "")
        folder = self._quarantine.kept(tree)
        if folder is None:
            return ()
        files = contents(folder)
        then = prepared(files, read_skill(folder), name=installed.name, source=source, tree=tree)
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


def difference(before: Files, after: Files) -> str:
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
        parts += [
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
            for line in difflib.unified_diff(texts[0], texts[1], *sides)
        ]
    return "".join(parts)


def _lines(blob: Blob | None) -> list[str] | None:
    """Of a text; None for what cannot be compared line by line."""
    if blob is None:
        return []
    if (
        blob.mode == LINK
        or len(blob.content) > MAX_DIFF_BYTES
        or _kind("", blob.content) == "binary"
    ):
        return None
    lines = blob.content.decode("utf-8").splitlines(keepends=True)
    return lines if len(lines) <= MAX_DIFF_LINES else None


def _kind(path: str, raw: bytes) -> Literal["text", "script", "binary"]:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return "binary"
    if "\0" in text:
        return "binary"
    is_script = text.startswith("#!") or path.lower().endswith(_SCRIPTS)
    return "script" if is_script else "text"


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
