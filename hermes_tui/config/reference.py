"""The settings in words: what may stand under each key, its default and its meaning.

The meanings are the docstrings in `schema.py`, so that the documentation and the
completion of `hermes config set` cannot say different things.
"""

import ast
from functools import cache
from pathlib import Path

import msgspec
from msgspec import NODEFAULT, Struct

from hermes_tui.config import schema
from hermes_tui.config.keys import Key, describe, fields_of, known_keys, section_of, type_at
from hermes_tui.config.schema import Config


class Entry(Struct, frozen=True):
    """One setting."""

    key: Key
    """With `<name>` where the person chooses a name."""
    type: str
    default: str
    """As it would stand in the file; empty when the setting is then not set."""
    meaning: str


@cache
def entries() -> tuple[Entry, ...]:
    """Every setting, in the order of the schema."""
    return tuple(
        Entry(key, describe(type_at(key)), *_default_and_meaning(key)) for key in known_keys()
    )


def _default_and_meaning(key: Key) -> tuple[str, str]:
    # The last field on the way: for `tui.keys.<name>` that is `keys`.
    depth = len(key)
    while depth > 1 and not section_of(type_at(key[: depth - 1])):
        depth -= 1
    section = section_of(type_at(key[: depth - 1])) or Config
    field = fields_of(section)[key[depth - 1]]
    meaning = _docstrings()[section.__name__][field.encode_name]
    default: object = field.default
    if default is NODEFAULT and field.default_factory is not NODEFAULT:
        default = field.default_factory()
    if default in (NODEFAULT, None) or depth < len(key):
        return "", meaning
    return msgspec.json.encode(default).decode().strip('"'), meaning


@cache
def _docstrings() -> dict[str, dict[str, str]]:
    """The docstring under each field, by class and field."""
    tree = ast.parse(Path(str(schema.__file__)).read_text(encoding="utf-8"))
    found: dict[str, dict[str, str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            fields = found.setdefault(node.name, {})
            for field, after in zip(node.body, node.body[1:], strict=False):
                match field, after:
                    case (
                        ast.AnnAssign(target=ast.Name(id=name)),
                        ast.Expr(value=ast.Constant(value=str(text))),
                    ):
                        fields[name] = " ".join(text.split())
                    case _:
                        pass
    return found
