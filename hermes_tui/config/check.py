"""One configuration file against the schema: its settings, and everything wrong with it."""

from typing import Any, Literal, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Struct

from hermes_tui.config.hidden import holds_secret
from hermes_tui.config.keys import (
    Key,
    describe,
    dotted,
    fields_of,
    known_keys,
    section_of,
    values_of,
)
from hermes_tui.config.schema import Config, Section
from hermes_tui.config.yaml_tree import Mapping, Node, Scalar, Sequence, plain
from hermes_tui.core.errors import ConfigError

SWITCHES = {"yes": True, "on": True, "no": False, "off": False}
"""Words YAML 1.1 reads as booleans; taken as such where a boolean is wanted."""

Layer = Literal["default", "home", "project", "variable"]


class Origin(Struct, frozen=True):
    """Where a value was set."""

    layer: Layer
    source: str = ""
    """The file or variable."""
    line: int | None = None

    def __str__(self) -> str:
        if self.layer == "default":
            return "default"
        return self.source if self.line is None else f"{self.source} line {self.line}"


class Setting(Struct, frozen=True):
    """One value and where it comes from."""

    key: Key
    value: object
    origin: Origin


class Problem(Struct, frozen=True):
    """Something wrong with a file."""

    message: str
    """Without its place: "unknown key 'modle'."."""
    hint: str
    origin: Origin

    def error(self) -> ConfigError:
        return ConfigError(f"{self.origin}: {self.message}", hint=self.hint)


class Checked(Struct):
    """What a file came to."""

    settings: list[Setting]
    problems: list[Problem]


def check_file(tree: Mapping, *, source: str, layer: Layer) -> Checked:
    """The settings in `tree` that are right, and the problems with the others."""
    walk = _Walk(source, layer)
    walk.section(tree, Config, ())
    return walk.checked


def leaf(node: Node, type_: object) -> object:
    """The value of `node` as `type_` wants it.

    Raises:
        ValueError: it is of another type, or out of bounds.
    """
    if type_ is Any:
        return plain(node)
    if get_origin(type_) is list:
        if not isinstance(node, Sequence):
            raise ValueError("no list")
        return [leaf(item, get_args(type_)[0]) for item in node.items]
    if not isinstance(node, Scalar):
        raise ValueError("no single value")
    if type_ is bool:
        return msgspec.convert(SWITCHES.get(node.text.lower(), node.value), bool)
    if isinstance(node.value, bool):
        raise ValueError("true and false are no text and no number")
    try:
        return msgspec.convert(node.text, type_, strict=True)
    except msgspec.ValidationError:
        return msgspec.convert(node.value, type_, strict=False)


class _Walk:
    """Goes through a file's tree beside the schema."""

    def __init__(self, source: str, layer: Layer) -> None:
        self._source = source
        self._layer: Layer = layer
        self.checked = Checked([], [])

    def section(self, node: Node, section: type[Section], key: Key) -> None:
        fields = fields_of(section)
        named: set[str] = set()
        for name, value in self._entries(node, key):
            named.add(name.text)
            if field := fields.get(name.text):
                self._value(value, field.type, (*key, name.text))
            else:
                self._unknown(name, key, tuple(fields))
        for name, field in fields.items():
            is_needed = field.default is NODEFAULT and field.default_factory is NODEFAULT
            if is_needed and name not in named:
                self._problem(
                    node.line,
                    f"{dotted(key)!r} needs a {name!r}.",
                    f"Add `{name}:` with {describe(field.type)}.",
                )

    def _value(self, node: Node, type_: object, key: Key) -> None:
        if section := section_of(type_):
            self.section(node, section, key)
        elif values := values_of(type_):
            for name, value in self._entries(node, key):
                self._value(value, values, (*key, name.text))
        elif isinstance(node, Scalar) and node.value is None and type_ is not Any:
            return  # `key:` with nothing after it leaves the setting as it is
        else:
            self._leaf(node, type_, key)

    def _leaf(self, node: Node, type_: object, key: Key) -> None:
        try:
            value = leaf(node, type_)
        except ValueError:
            given = ""
            if isinstance(node, Scalar) and not holds_secret(key):
                given = f", not {node.text[:60]!r}"
            self._problem(
                node.line,
                f"{dotted(key)!r} must be {describe(type_)}{given}.",
                "Change it, or remove the line to get the default.",
            )
        else:
            self.checked.settings.append(Setting(key, value, self._origin(node.line)))

    def _entries(self, node: Node, key: Key) -> list[tuple[Scalar, Node]]:
        """What stands in a section, each name once; the others become problems."""
        if isinstance(node, Scalar) and node.value is None:
            return []
        if not isinstance(node, Mapping):
            self._problem(
                node.line,
                f"{dotted(key)!r} must be a section of `key: value` lines.",
                "Put its settings below it, indented by two spaces.",
            )
            return []
        first: dict[str, tuple[Scalar, Node]] = {}
        for name, value in node.entries:
            if name.text in first:
                before = first[name.text][0].line
                self._problem(
                    name.line,
                    f"{dotted((*key, name.text))!r} is set twice, first on line {before}.",
                    "Keep one of the two.",
                )
            elif name.text in {"", "<<"}:
                self._problem(name.line, f"{name.text!r} is no name.", "Write the keys out.")
            else:
                first[name.text] = (name, value)
        return list(first.values())

    def _unknown(self, name: Scalar, key: Key, known: tuple[str, ...]) -> None:
        under = f" under {dotted(key)!r}" if key else ""
        self._problem(
            name.line, f"unknown key {name.text[:60]!r}{under}.", nearest(name.text, key, known)
        )

    def _problem(self, line: int, message: str, hint: str) -> None:
        self.checked.problems.append(Problem(message, hint, self._origin(line)))

    def _origin(self, line: int) -> Origin:
        return Origin(self._layer, self._source, line)


def nearest(name: str, key: Key, known: tuple[str, ...]) -> str:
    """A hint for the unknown `name` under `key`: what was probably meant."""
    from difflib import get_close_matches  # only needed for mistakes

    if close := get_close_matches(name, known, n=1, cutoff=0.6):
        return f"Did you mean {close[0]!r}?"
    elsewhere = [other for other in known_keys() if other[-1] == name]
    if elsewhere:
        return f"Did you mean {dotted(elsewhere[0])!r}?"
    return f"Choose one of: {', '.join(known)}."
