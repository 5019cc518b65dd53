"""Whether a skill is what the standard asks for, as its reference validator (skills-ref) sees it.

The head is read as strictly as there: block style only, no tags, anchors or repeated keys, every
value a string. What the validator lets pass although it is probably not meant is a warning.
"""

import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

from msgspec import Struct

from hermes_tui.config.files import read_regular
from hermes_tui.core.errors import ConfigError, NotFoundError
from hermes_tui.core.skills import Skill
from hermes_tui.skills.skill import (
    FILE,
    MAX_DESCRIPTION_CHARS,
    MAX_NAME_CHARS,
    STANDARD_KEYS,
    parsed,
    read_skill,
)

MAX_COMPATIBILITY_CHARS = 500
MAX_HEAD_CHARS = 64 * 1024
"""The validator has no such limit, yet takes seconds for each 100 KB."""
MAX_READ_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 50
_MARK = "---"
_LOWER_FILE = "skill.md"
_MERGE = "\0<<"
"""Stands for the key `<<` while a mapping is read; no YAML text can hold it."""

_TOO_LONG = "The description has"

Value = str | list[Any] | dict[str, Any]


class Verdict(Struct, frozen=True):
    """What is to be said about one skill, a sentence each."""

    path: Path
    standard: tuple[str, ...] = ()
    """Why the reference validator refuses it; empty exactly when it does not."""
    unusable: str = ""
    """Why Hermes cannot use it."""
    warnings: tuple[str, ...] = ()

    @property
    def errors(self) -> tuple[str, ...]:
        return (*self.standard, self.unusable) if self.unusable else self.standard


def validate(folder: Path) -> Verdict:
    """The verdict on the skill in `folder`, which may be named by its `SKILL.md`.

    Raises:
        NotFoundError: there is no such folder.
    """
    folder = folder.absolute()
    if folder.is_file() and folder.name.lower() == _LOWER_FILE:
        folder = folder.parent
    if not folder.is_dir():
        raise NotFoundError(
            f"There is no folder {str(folder)!r}.", hint="Name the folder SKILL.md is in."
        )
    file = next((folder / name for name in (FILE, _LOWER_FILE) if (folder / name).exists()), None)
    if file is None:
        return Verdict(folder, (f"It has no {FILE}.",), f"Hermes finds no {FILE} in it.")
    try:
        content = read_regular(file, max_bytes=MAX_READ_BYTES).content
        text = content.decode("utf-8")
    except (ConfigError, FileNotFoundError) as error:
        return Verdict(folder, (f"Its {FILE} cannot be read: {error}",))
    except UnicodeDecodeError:
        return Verdict(folder, (f"Its {FILE} is no UTF-8 text.",))
    return _verdict(text, folder, lambda: read_skill(folder))


def judged(text: str, folder: Path) -> Verdict:
    """The verdict on `text` as the `SKILL.md` of `folder`; nothing is read."""
    return _verdict(text, folder, lambda: parsed(text, folder))


def complaints(text: str, folder_name: str, warnings: list[str] | None = None) -> list[str]:
    """What the reference validator has against a `SKILL.md` in a folder of that name.

    Args:
        warnings: Takes what it lets pass.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        fields = strict_fields(text)
    except ConfigError as error:
        return [str(error)]
    if warnings is not None:
        warnings += _oddities(text, fields)
    found: list[str] = []
    if strange := sorted(set(fields) - STANDARD_KEYS):
        found.append(f"Keys the standard does not have: {', '.join(strange)}.")
    found += _name_faults(fields.get("name"), folder_name)
    description = fields.get("description")
    if not isinstance(description, str) or not description.strip():
        found.append("It has no description, or one that is no text.")
    elif len(description) > MAX_DESCRIPTION_CHARS:
        found.append(
            f"{_TOO_LONG} {len(description):,} characters; "
            f"at most {MAX_DESCRIPTION_CHARS:,} are allowed."
        )
    compatibility = fields.get("compatibility", "")
    if not isinstance(compatibility, str):
        found.append("The value of compatibility is no text.")
    elif len(compatibility) > MAX_COMPATIBILITY_CHARS:
        found.append(f"The value of compatibility has more than {MAX_COMPATIBILITY_CHARS} letters.")
    return found


def strict_fields(text: str) -> dict[str, Value]:
    """The head of a `SKILL.md`, as far as the first three hyphens after its start.

    Raises:
        ConfigError: it is not the YAML the standard's validator takes; names the line.
    """
    if not text.startswith(_MARK):
        raise ConfigError("It does not begin with `---`.")
    parts = text.split(_MARK, 2)
    if len(parts) < 3:
        raise ConfigError("Its head does not end with `---`.")
    if len(parts[1]) > MAX_HEAD_CHARS:
        raise ConfigError(f"Its head has more than {MAX_HEAD_CHARS:,} characters.")
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        parser: Any = YAML()
        value = _document(parser.parse(parts[1]))
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it is no YAML"
        raise ConfigError(f"Its head cannot be read{where}: {problem}.") from None
    except (ValueError, IndexError, AttributeError, TypeError, AssertionError, RecursionError):
        # What ruamel's parser raises for some texts that are no YAML at all.
        raise ConfigError("Its head cannot be read.") from None
    if not isinstance(value, dict):
        raise ConfigError("Its head has no keys.")
    return value


class _Open(Struct):
    """A mapping or sequence whose end has not come yet."""

    value: dict[str, Any] | list[Any]
    column: int
    key: str | None = None
    has_key: bool = False
    inner_column: int | None = None
    """Where mappings that are its values begin: all in the same column."""


def _document(events: Iterable[Any]) -> Value | None:
    """The first document, refusing what the strict dialect does not have."""
    waiting: list[_Open] = []
    result: Value | None = None
    documents = 0
    for event in events:
        kind = type(event).__name__
        documents += kind == "DocumentStartEvent"
        if documents > 1:
            raise ConfigError("Its head is more than one document.")
        if kind in {"MappingStartEvent", "SequenceStartEvent", "ScalarEvent", "AliasEvent"}:
            _check_style(event, kind)
        match kind:
            case "ScalarEvent":
                result = _placed(waiting, event.value, event, result)
            case "MappingStartEvent" | "SequenceStartEvent":
                value: Any = {} if kind == "MappingStartEvent" else []
                result = _placed(waiting, value, event, result)
                waiting.append(_Open(value, event.start_mark.column))
                if len(waiting) > MAX_DEPTH:
                    raise ConfigError("Its head is nested too deeply.")
            case "MappingEndEvent" | "SequenceEndEvent":
                _check_merge(waiting.pop().value, event.start_mark.line)
            case _:
                pass
    return result


def _check_style(event: Any, kind: str) -> None:
    line = event.start_mark.line + 1
    if kind == "AliasEvent" or event.anchor is not None:
        raise ConfigError(f"Line {line} has an anchor or alias; write the value out.")
    if event.tag is not None:
        raise ConfigError(f"Line {line} has a tag; leave it out.")
    if kind != "ScalarEvent" and event.flow_style:
        raise ConfigError(f"Line {line} has brackets; quote the value or write it in lines.")


def _placed(waiting: list[_Open], value: Any, event: Any, result: Value | None) -> Value | None:
    """Put `value` where it belongs: as the document, an item, a key or a key's value."""
    around = waiting[-1] if waiting else None
    is_key = around is not None and isinstance(around.value, dict) and not around.has_key
    # As values these two mean something else than themselves (YAML 1.1 merge and value types).
    if not is_key and value in ("<<", "=") and event.implicit[0]:
        raise ConfigError(f"Line {event.start_mark.line + 1} has a bare {value}; quote it.")
    if around is None:
        return value
    if isinstance(around.value, list):
        around.value.append(value)
        return result
    line, column = event.start_mark.line + 1, event.start_mark.column
    if not around.has_key:
        if not isinstance(value, str):
            raise ConfigError(f"Line {line} has a key that is no text.")
        if value == "<<" and event.implicit[0]:
            value = _MERGE
        if value in around.value:
            raise ConfigError(f"Line {line} has the key {event.value!r} again.")
        around.key, around.has_key = value, True
        return result
    if isinstance(value, dict) and around.key != _MERGE:
        if around.inner_column not in {None, column}:
            raise ConfigError(f"Line {line} is indented unlike the mapping before it.")
        around.inner_column = column
    around.value[around.key or ""] = value
    around.key, around.has_key = None, False
    return result


def _check_merge(value: dict[str, Any] | list[Any], line: int) -> None:
    """Drop what is merged into a mapping, as the validator does; it has to be mappings."""
    if not isinstance(value, dict) or _MERGE not in value:
        return
    merged = value.pop(_MERGE)
    parts = cast("list[Any]", merged if isinstance(merged, list) else [merged])
    if not all(isinstance(part, dict) for part in parts):
        raise ConfigError(f"Above line {line + 1} something is merged that is no mapping.")


def _name_faults(given: Value | None, folder_name: str) -> list[str]:
    if not isinstance(given, str) or not given.strip():
        return ["It has no name, or one that is no text."]
    name = unicodedata.normalize("NFKC", given.strip())
    found: list[str] = []
    if len(name) > MAX_NAME_CHARS:
        found.append(f"The name has {len(name)} characters; at most {MAX_NAME_CHARS} are allowed.")
    if name != name.lower():
        found.append(f"The name {name!r} has capital letters.")
    if name.startswith("-") or name.endswith("-") or "--" in name:
        found.append(f"The name {name!r} has a hyphen at an end, or two in a row.")
    if not all(letter.isalnum() or letter == "-" for letter in name):
        found.append(f"The name {name!r} has other characters than letters, digits and hyphens.")
    if unicodedata.normalize("NFKC", folder_name) != name:
        found.append(f"It is called {name!r} but lies in the folder {folder_name!r}.")
    return found


def _oddities(text: str, fields: dict[str, Value]) -> list[str]:
    found: list[str] = []
    head = text.split(_MARK, 2)[1]
    rest = text[len(_MARK) + len(head) + len(_MARK) :]
    if not head.startswith("\n") or not head.endswith("\n") or not rest.startswith("\n"):
        found.append("The validator ends the head at the first `---`, even within a line.")
    metadata = fields.get("metadata", {})
    if not isinstance(metadata, dict):
        found.append("The value of metadata is no mapping.")
    elif nested := [key for key, value in metadata.items() if not isinstance(value, str)]:
        found.append(f"metadata.{nested[0]} is nested; the standard wants strings.")
    found += [
        f"The value of {key} is no text."
        for key in ("allowed-tools", "license")
        if not isinstance(fields.get(key, ""), str)
    ]
    return found


def _verdict(text: str, folder: Path, read: Callable[[], Skill]) -> Verdict:
    """What the validator and Hermes itself make of the skill."""
    warnings: list[str] = []
    standard = tuple(complaints(text, folder.name, warnings))
    try:
        skill = read()
    except ConfigError as error:
        return Verdict(folder, standard, f"Hermes cannot use it: {error}")
    known = " ".join((*standard, *warnings))
    warnings += [
        problem
        for problem in skill.problems
        if problem not in known and not (_TOO_LONG in problem and _TOO_LONG in known)
    ]
    return Verdict(folder, standard, "", tuple(warnings))
