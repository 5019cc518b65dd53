"""Which settings hold secrets, so that their values are never shown."""

import re
from collections.abc import Iterator
from typing import Any, cast

import msgspec

from hermes_tui.config.keys import Key, dotted
from hermes_tui.config.schema import Config

HIDDEN = "[hidden]"
"""Shown in place of a secret."""

REFERENCE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
"""`$NAME` or `${NAME}`, which stands for a variable."""

_SECRET = re.compile(
    r"(?:\A|[_-])(?:key|token|token_id|auth|authorization|cookie)\Z"
    r"|(?:apikey|secret|password|passwd|passphrase|credentials?)\Z",
    re.IGNORECASE,
)
_SECRET_HEADER = re.compile("auth|key|token|secret|cookie", re.IGNORECASE)
_NAMED = frozenset({"providers", "environments"})
"""Sections whose next name is the person's own and means nothing."""


def holds_secret(key: Key) -> bool:
    """Whether what stands at `key` may not be shown, going by the names on the way there."""
    return any(name == "headers" or _SECRET.search(name) for name in _telling(key))


def masked(value: Any, key: Key) -> Any:
    """`value`, which stands at `key`, with secrets hidden; references to variables are shown."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {name: masked(inner, (*key, name)) for name, inner in items}
    if isinstance(value, list):
        return [masked(inner, key) for inner in cast("list[Any]", value)]
    is_empty = value is None or value == "" or isinstance(value, bool)
    return value if is_empty or not holds_secret(key) or referred(str(value)) else HIDDEN


def referred(text: str) -> str:
    """The variable all of `text` stands for; empty when it is no reference."""
    found = REFERENCE.fullmatch(text)
    return (found[1] or found[2]) if found else ""


def configured_secrets(config: Config) -> dict[str, str]:
    """Every secret that stands in the configuration, by the setting; some are references.

    Of headers only those that are named like one: another's value may be a common word.
    """
    return {
        dotted(key): value
        for key, value in _texts(msgspec.to_builtins(config), ())
        if holds_secret(key) and ("headers" not in key or _SECRET_HEADER.search(key[-1]))
    }


def _texts(value: Any, key: Key) -> Iterator[tuple[Key, str]]:
    if isinstance(value, dict):
        for name, inner in cast("dict[str, Any]", value).items():
            yield from _texts(inner, (*key, name))
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from _texts(inner, key)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield key, str(value)


def _telling(key: Key) -> Key:
    return key[2:] if key[:1] and key[0] in _NAMED else key
