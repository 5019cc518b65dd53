"""Reading YAML into a tree.

Built from parser events and without recursion, so no nesting can exhaust the
stack, and aliases share nodes but are counted as if written out. Importing this
module imports PyYAML, which a home without settings need not pay for.
"""

from pathlib import Path

import yaml
from msgspec import Struct

from hermes_tui.config.files import read_regular
from hermes_tui.config.paths import shown
from hermes_tui.config.yaml_tree import Mapping, Node, Scalar, Sequence, scalar_value
from hermes_tui.core.errors import ConfigError

MAX_BYTES = 256 * 1024
"""Largest configuration file that is read."""
MAX_NODES = 20_000
"""Most values a file may stand for, each alias counted as all that it repeats."""
MAX_DEPTH = 32


def read_tree(path: Path) -> Mapping:
    """The mapping in the file at `path`; an empty one when there is no such file.

    At most `MAX_BYTES` are read.

    Raises:
        ConfigError: it cannot be read, is too large, or is not a YAML mapping.
    """
    name = shown(path)
    try:
        content = read_regular(path, max_bytes=MAX_BYTES).content
    except FileNotFoundError:
        return Mapping([], 1)
    try:
        return parse_tree(content.decode("utf-8-sig"), name)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{name} line {line}: not valid UTF-8.", hint="Save it as UTF-8."
        ) from None


def parse_tree(text: str, name: str) -> Mapping:
    """The mapping that `text` is; `name` is the file's, for errors.

    Raises:
        ConfigError: it is not one YAML mapping, or stands for too much.
    """
    builder = _Builder(name)
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            builder.feed(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        what = error.problem or error.context or "not valid YAML"
        raise ConfigError(
            f"{name} line {line}: {what}.", hint="Check indentation, colons and quotes there."
        ) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            f"{name} line {line}: the character {error.character!r} may not stand in YAML.",
            hint="Remove it.",
        ) from None
    return builder.mapping()


class _Open(Struct):
    """A list or mapping whose end has not come yet."""

    node: Sequence | Mapping
    anchor: str | None
    size: int = 1
    """Values it stands for, itself included."""
    height: int = 1
    """Levels it stands for, itself included."""
    key: Scalar | None = None


class _Builder:
    """Turns events into the tree."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Node, int, int]] = {}
        self._roots: list[Node] = []

    def mapping(self) -> Mapping:
        """The whole, once all events were fed."""
        if len(self._roots) > 1:
            raise self._error(self._roots[1].line, "a second document begins here")
        root = self._roots[0] if self._roots else Scalar(None, 1, "")
        if isinstance(root, Mapping):
            return root
        if isinstance(root, Scalar) and root.value is None:
            return Mapping([], 1)
        raise self._error(root.line, "the file must hold `key: value` lines")

    def feed(self, event: yaml.Event) -> None:
        line = event.start_mark.line + 1 if event.start_mark else 1
        match event:
            case yaml.ScalarEvent():
                self._check_tag(event.tag, line)
                # The first of `implicit` is true for words without quotes and tag.
                value = scalar_value(event.value) if event.implicit[0] else str(event.value)
                self._add(Scalar(value, line, event.value), 1, 0, event.anchor, line)
            case yaml.AliasEvent():
                if event.anchor not in self._anchors:
                    raise self._error(line, f"the alias *{event.anchor} has no anchor before it")
                self._add(*self._anchors[event.anchor], None, line)
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                self._check_tag(event.tag, line)
                self._check_depth(len(self._open) + 1, line)
                is_list = isinstance(event, yaml.SequenceStartEvent)
                node = Sequence([], line) if is_list else Mapping([], line)
                self._open.append(_Open(node, event.anchor))
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                done = self._open.pop()
                self._add(done.node, done.size, done.height, done.anchor, line)
            case _:
                pass

    def _add(self, node: Node, size: int, height: int, anchor: str | None, line: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = (node, size, height)
        self._check_depth(len(self._open) + height, line)
        if not self._open:
            self._roots.append(node)
            return
        parent = self._open[-1]
        parent.size += size
        parent.height = max(parent.height, height + 1)
        if parent.size > MAX_NODES:
            raise self._error(line, f"this stands for more than {MAX_NODES:,} values")
        if isinstance(parent.node, Sequence):
            parent.node.items.append(node)
        elif parent.key is not None:
            parent.node.entries.append((parent.key, node))
            parent.key = None
        elif isinstance(node, Scalar):
            parent.key = node
        else:
            raise self._error(node.line, "a key must be a word, not a list or mapping")

    def _check_depth(self, depth: int, line: int) -> None:
        if depth > MAX_DEPTH:
            raise self._error(line, f"nested more than {MAX_DEPTH} levels deep")

    def _check_tag(self, tag: str | None, line: int) -> None:
        if tag not in {None, "!", "tag:yaml.org,2002:str"}:
            raise self._error(line, f"the tag {tag!r} is not understood")

    def _error(self, line: int, what: str) -> ConfigError:
        return ConfigError(f"{self._name} line {line}: {what}.", hint="Write it out plainly.")
