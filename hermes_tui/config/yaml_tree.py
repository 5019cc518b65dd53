"""A YAML document as a tree that knows its lines.

Plain scalars follow YAML 1.2: `yes`, `on`, `012`, `12:30` and dates are the text they
look like, where YAML 1.1 makes them booleans, octals, seconds and dates.
"""

import re

from msgspec import Struct

INTEGER = re.compile(r"[-+]?[0-9]{1,18}|0x[0-9a-fA-F]{1,15}|0o[0-7]{1,20}")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
NULLS = frozenset({"", "~", "null", "Null", "NULL"})
TRUE, FALSE = frozenset({"true", "True", "TRUE"}), frozenset({"false", "False", "FALSE"})

Parsed = None | bool | int | float | str


class Scalar(Struct, frozen=True):
    """One value."""

    value: Parsed
    line: int
    text: str
    """The value as it stands in the file, without quotes."""


class Sequence(Struct):
    """A list."""

    items: list["Node"]
    line: int


class Mapping(Struct):
    """Keys and values in the order written; a key may occur twice."""

    entries: list[tuple[Scalar, "Node"]]
    line: int


Node = Scalar | Sequence | Mapping


def plain(node: Node) -> object:
    """The value of `node` as lists, dictionaries and scalars."""
    match node:
        case Scalar(value=value):
            return value
        case Sequence(items=items):
            return [plain(item) for item in items]
        case Mapping(entries=entries):
            return {key.text: plain(value) for key, value in entries}


def scalar_value(text: str) -> Parsed:
    """What an unquoted `text` stands for under YAML 1.2's core schema."""
    if text in NULLS:
        return None
    if text in TRUE or text in FALSE:
        return text in TRUE
    if INTEGER.fullmatch(text):
        return int(text, 10 if text.lstrip("+-").isdigit() else 0)
    return float(text) if FLOAT.fullmatch(text) else text
