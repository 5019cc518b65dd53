"""`SKILL.md` files (agentskills.io): read leniently, written strictly.

What others wrote is taken as it is meant: lists where the standard wants strings, extra keys,
nested metadata. What is written here passes the standard's reference validator.
"""

import errno
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from hermes_tui.core.errors import ConfigError
from hermes_tui.core.skills import Origin, Skill
from hermes_tui.safety.terminal_text import visible

FILE = "SKILL.md"
MAX_NAME_CHARS = 64
MAX_DESCRIPTION_CHARS = 1024
MAX_BYTES = 1024 * 1024
"""Of a `SKILL.md`; a larger one is no text for a model."""
MAX_BODY_CHARS = 20_000
"""About 5,000 tokens, what the standard recommends at most."""
MAX_BODY_LINES = 500
STANDARD_KEYS = frozenset(
    {"name", "description", "license", "compatibility", "metadata", "allowed-tools"}
)
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z")
_UNQUOTED = re.compile(
    r"^((?:name|description|license|compatibility):[ ]+)([^\s\"'|>&*!\[{#].*:[ ].*)$", re.MULTILINE
)
"""A value that has a colon and should stand in quotes, as many skills out there have it."""
_OURS = ("requires-toolsets", "fallback-for-toolsets", "platforms", "tags", "version", "scope")
"""What other tools keep at the top or under `metadata.<tool>`, and we under `hermes-`."""


def is_name(text: str) -> bool:
    """Whether the standard allows `text` as a name."""
    return len(text) <= MAX_NAME_CHARS and _NAME.match(text) is not None


def name_like(text: str) -> str:
    """A name the standard allows made of `text`; empty when there is nothing to make it of."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:MAX_NAME_CHARS].strip("-")


def parted(text: str) -> tuple[str, str]:
    """The YAML head and the body of a `SKILL.md`.

    Raises:
        ConfigError: there is no head, or it does not end.
    """
    lines = text.removeprefix("\ufeff").splitlines(keepends=True)
    if not lines or lines[0].rstrip() != "---":
        raise ConfigError(
            "It does not begin with a line `---`.",
            hint="Put `name:` and `description:` between two such lines.",
        )
    for number, line in enumerate(lines[1:], start=1):
        if line.rstrip() == "---":
            return "".join(lines[1:number]), "".join(lines[number + 1 :]).lstrip("\r\n")
    raise ConfigError("Its head does not end.", hint="Add a line `---` after the last key.")


def read_text(folder: Path) -> str:
    """The whole `SKILL.md` in `folder`; never waits for a pipe.

    Raises:
        ConfigError: it is a link or no regular file, too large, no text, or cannot be read.
    """
    try:
        descriptor = os.open(
            folder / FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        )
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise ConfigError("Its SKILL.md is no regular file.", hint="Move it away.")
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ConfigError(
                "Its SKILL.md is a link.", hint="Put the file itself there."
            ) from None
        reason = error.strerror or "unknown error"
        raise ConfigError(f"Its SKILL.md cannot be read: {reason}.") from error
    return decoded(content)


def decoded(content: bytes) -> str:
    """What a `SKILL.md` of these bytes says.

    Raises:
        ConfigError: it is too large or no text.
    """
    if len(content) > MAX_BYTES:
        raise ConfigError(
            f"Its SKILL.md has more than {MAX_BYTES:,} bytes.",
            hint="Move what is long into references/.",
        )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError("Its SKILL.md is no UTF-8 text.") from None
    if "\0" in text:
        raise ConfigError("Its SKILL.md is no text.")
    return text


def read_skill(
    folder: Path, *, category: str = "", origin: Origin = "person", stamp: str = ""
) -> Skill:
    """The skill in `folder`, its problems noted.

    Raises:
        ConfigError: it cannot be used as it is; a sentence about its `SKILL.md`.
    """
    return parsed(read_text(folder), folder, category=category, origin=origin, stamp=stamp)


def parsed(
    text: str, folder: Path, *, category: str = "", origin: Origin = "person", stamp: str = ""
) -> Skill:
    """The skill whose `SKILL.md` is `text`, its problems noted; nothing is read.

    Raises:
        ConfigError: it cannot be used as it is; a sentence about its `SKILL.md`.
    """
    head, body = parted(text)
    problems: list[str] = []
    fields = _fields(head, problems)
    name = _checked_name(str(fields.get("name") or "").strip(), folder, problems)
    description = visible(" ".join(str(fields.get("description") or "").split()))
    if not description:
        raise ConfigError(
            "It has no description.", hint="Say in `description:` what it does and when to use it."
        )
    if len(description) > MAX_DESCRIPTION_CHARS:
        problems.append(f"The description has more than {MAX_DESCRIPTION_CHARS:,} characters.")
    if strange := sorted(set(fields) - STANDARD_KEYS):
        problems.append(f"Keys the standard does not have: {', '.join(strange)}.")
    if len(body) > MAX_BODY_CHARS or body.count("\n") > MAX_BODY_LINES:
        problems.append(
            f"The body is long ({len(body) // 4:,} tokens, {body.count(chr(10)):,} lines); "
            "move details into references/."
        )
    if not body.strip():
        problems.append("The body is empty.")
    metadata = _metadata(fields, problems)
    return Skill(
        name, category, description[:MAX_DESCRIPTION_CHARS], folder,
        _origin(metadata, origin), metadata, tuple(problems), stamp,
    )  # fmt: skip


def skill_text(
    name: str,
    description: str,
    body: str,
    *,
    metadata: Mapping[str, str] | None = None,
    extra: Mapping[str, str] | None = None,
) -> str:
    """A `SKILL.md` the reference validator accepts.

    Args:
        extra: The standard's other keys, e.g. `license`.

    Raises:
        ConfigError: name or description are none the standard allows.
    """
    if not is_name(name):
        raise ConfigError(
            f"A skill cannot be called {name!r}.",
            hint=f"Use lower-case letters, digits and single hyphens, such as "
            f"{name_like(name) or 'disk-full'!r}.",
        )
    description = " ".join(description.replace("---", "--").split())
    if not description:
        raise ConfigError(
            "A skill needs a description.", hint="Say what it does and when to use it."
        )
    if len(description) > MAX_DESCRIPTION_CHARS:
        raise ConfigError(
            f"The description has {len(description):,} characters; "
            f"{MAX_DESCRIPTION_CHARS:,} are allowed.",
            hint="Shorten it; details belong into the body.",
        )
    lines = [f"name: {name}", f"description: {_quoted(description)}"]
    lines += [f"{key}: {_quoted(value)}" for key, value in sorted((extra or {}).items())]
    if metadata:
        lines.append("metadata:")
        lines += [f"  {key}: {_quoted(value)}" for key, value in sorted(metadata.items())]
    return "---\n" + "\n".join(lines) + "\n---\n\n" + body.strip() + "\n"


def with_metadata(
    text: str, changes: Mapping[str, str | None], *, name: str = "", description: str = ""
) -> str:
    """A `SKILL.md` with other metadata, None to drop a key; its own words stay.

    Args:
        name: Instead of its own; so with `description`.

    Raises:
        ConfigError: the head cannot be read.
    """
    head, body = parted(text)
    ignored: list[str] = []
    fields = _fields(head, ignored)
    metadata = _metadata(fields, ignored)
    metadata.update({key: value for key, value in changes.items() if value is not None})
    for key, value in changes.items():
        if value is None:
            metadata.pop(key, None)
    extra = {
        key: _flat(value)
        for key, value in fields.items()
        if key in STANDARD_KEYS - {"name", "description", "metadata"}
    }
    return skill_text(
        name or str(fields.get("name") or ""),
        description or str(fields.get("description") or ""),
        body,
        metadata=metadata, extra=extra,
    )  # fmt: skip


def _fields(head: str, problems: list[str]) -> dict[str, Any]:
    import yaml  # 20 ms that a start without a changed skill need not pay

    def loaded_from(text: str) -> Any:
        return yaml.load(text, Loader=_loader())  # noqa: S506 - a subclass of the safe one

    try:
        try:
            loaded = loaded_from(head)
        except yaml.YAMLError:
            if (quoted := _UNQUOTED.sub(_with_quotes, head)) == head:
                raise
            loaded = loaded_from(quoted)
            problems.append("A value with a colon is not in quotes.")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 2}" if mark else ""
        problem = getattr(error, "problem", None) or "it is no YAML"
        raise ConfigError(
            f"Its head cannot be read{where}: {problem}.",
            hint="Quote values that contain a colon.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError("Its head cannot be read.") from error
    if not isinstance(loaded, dict):
        raise ConfigError("Its head has no keys.", hint="Add `name:` and `description:`.")
    return {str(key): value for key, value in cast("dict[Any, Any]", loaded).items()}


def _with_quotes(match: re.Match[str]) -> str:
    return f"{match[1]}{_quoted(match[2])}"


def _loader() -> Any:
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _checked_name(name: str, folder: Path, problems: list[str]) -> str:
    """The name to go by: the one given, else the folder's, as long as the standard allows it."""
    if is_name(name):
        if name != folder.name:
            problems.append(f"It is called {name!r} but lies in the folder {folder.name!r}.")
        return name
    better = name_like(name) or name_like(folder.name)
    if not better:
        raise ConfigError("It has no name.", hint="Add `name:`, the name of its folder.")
    said = f"{name!r} is no name the standard allows" if name else "It has no name"
    problems.append(f"{said}; it goes by {better!r}.")
    return better


def _metadata(fields: Mapping[str, Any], problems: list[str]) -> dict[str, str]:
    """All of it as flat strings, what other tools say in their own way under our names."""
    given = fields.get("metadata")
    flat: dict[str, str] = {}
    if isinstance(given, dict):
        for key, value in cast("dict[Any, Any]", given).items():
            if isinstance(value, dict):
                inner = cast("dict[Any, Any]", value)
                problems.append(f"metadata.{key} is nested; the standard wants strings.")
                flat |= {f"{key}-{name}".replace("_", "-"): _flat(v) for name, v in inner.items()}
            else:
                flat[str(key)] = _flat(value)
    for key in _OURS:
        for name in (key, key.replace("-", "_")):
            if name in fields:
                flat.setdefault(f"hermes-{key}", _flat(fields[name]))
    return flat


def _flat(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return " ".join(str(one) for one in cast("list[object]", value))
    return "" if value is None else str(value)


def _origin(metadata: Mapping[str, str], found_in: Origin) -> Origin:
    """Ours say who wrote them; anybody else's word about that counts for nothing."""
    said = metadata.get("hermes-origin", "")
    if found_in == "person" and said in {"agent", "hub", "bundled", "foreign"}:
        return cast("Origin", said)
    return found_in


def _quoted(text: str) -> str:
    """A YAML scalar in double quotes, on one line."""
    import json

    quoted = json.dumps(" ".join(text.split()), ensure_ascii=False)
    # The validator ends the head at three hyphens anywhere; YAML takes no control characters.
    quoted = re.sub("-(?=--)", r"\\u002d", quoted)
    return "".join(one if one.isprintable() else f"\\U{ord(one):08x}" for one in quoted)
