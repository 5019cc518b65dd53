"""Changing one setting in `config.yaml` and leaving everything else in it as it is."""

import re
from io import StringIO
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from hermes_tui.config.check import check_file, leaf, nearest
from hermes_tui.config.files import editing, read_regular, replace_file
from hermes_tui.config.keys import (
    Key,
    describe,
    dotted,
    fields_of,
    section_of,
    type_at,
    values_of,
)
from hermes_tui.config.paths import Paths, is_there, shown
from hermes_tui.config.yaml_reader import MAX_BYTES, parse_tree
from hermes_tui.config.yaml_tree import Scalar, scalar_value
from hermes_tui.core.errors import ConfigError, NotFoundError

LIST_STEP = re.compile(
    r"^( *)[^\s#-][^\n]*:[ \t]*(?:#[^\n]*)?\n(?:[ \t]*(?:#[^\n]*)?\n)*( *)- ", re.MULTILINE
)
MAPPING_STEP = re.compile(
    r"^[^\s#-][^\n]*:[ \t]*(?:#[^\n]*)?\n(?:[ \t]*(?:#[^\n]*)?\n)*( +)[^\s#-]", re.MULTILINE
)


def checked_type(key: Key) -> object:
    """The type of the setting at `key`.

    Raises:
        ConfigError: there is no such setting; the hint names the nearest.
    """
    type_: object | None = None
    for depth in range(1, len(key) + 1):
        parent = type_at(key[: depth - 1])
        type_ = type_at(key[:depth])
        if type_ is None:
            section = section_of(parent)
            known = tuple(fields_of(section)) if section else ()
            under = f" under {dotted(key[: depth - 1])!r}" if depth > 1 else ""
            raise ConfigError(
                f"There is no setting {key[depth - 1]!r}{under}.",
                hint=nearest(key[depth - 1], key[: depth - 1], known)
                if known
                else f"{dotted(key[: depth - 1])!r} is a single value.",
            )
    return type_


def parsed_value(key: Key, text: str) -> object:
    """`text` from a command line as the value of the setting at `key`.

    Lists may be written `a, b` or `[a, b]`; free-form values as YAML.

    Raises:
        ConfigError: no such setting, a whole section, or a value that cannot stand there.
    """
    type_ = checked_type(key)
    if section_of(type_) or values_of(type_):
        raise ConfigError(
            f"{dotted(key)!r} is a section.", hint=f"Set a key in it: {dotted((*key, '…'))}."
        )
    kind = describe(type_)
    if kind == "anything" or (kind == "a list" and text.startswith("[")):
        node = parse_tree(f"value: {text}\n", "the value").entries[0][1]
    elif kind == "a list":
        node = parse_tree("value: []\n", "the value").entries[0][1]
        words = [word.strip() for word in text.split(",") if word.strip()]
        node.items.extend(Scalar(scalar_value(word), 1, word) for word in words)  # type: ignore[union-attr]
    else:
        node = Scalar(scalar_value(text), 1, text)
    try:
        return leaf(node, type_)
    except ValueError:
        raise ConfigError(
            f"{dotted(key)!r} must be {kind}, not {text!r}.", hint="Give another value."
        ) from None


def set_value(paths: Paths, key: Key, value: object) -> None:
    """Write one setting; comments, order and quotes of the file stay.

    Raises:
        ConfigError: the file is wrong, would become wrong, or cannot be written.
    """

    def change(root: CommentedMap) -> None:
        place: Any = root
        for name in key[:-1]:
            if not isinstance(place.get(name), CommentedMap):
                place[name] = CommentedMap()
            place = place[name]
        place[key[-1]] = value

    _rewrite(paths, change)


def unset_value(paths: Paths, key: Key) -> None:
    """Take one setting out of the file, so that its default counts again.

    Raises:
        NotFoundError: it is not in the file.
        ConfigError: the file is wrong, would become wrong, or cannot be written.
    """

    def change(root: CommentedMap) -> None:
        places: list[Any] = [root]
        for name in key[:-1]:
            places.append(_inside(places[-1], name))
        if _inside(places[-1], key[-1]) is None:
            raise NotFoundError(f"{dotted(key)!r} is not set in {shown(paths.config_file)}.")
        for place, name in zip(reversed(places), reversed(key), strict=True):
            del place[name]
            if place:
                break  # a section with nothing left in it goes too

    _rewrite(paths, change)


def _inside(place: Any, name: str) -> Any:
    return cast("dict[str, Any]", place).get(name) if isinstance(place, CommentedMap) else None


def _rewrite(paths: Paths, change: Any) -> None:
    paths.create()
    path = paths.config_file
    with editing(path):
        text, mode = "", 0o600
        if is_there(path):
            file = read_regular(path, max_bytes=MAX_BYTES)
            text, mode = file.content.decode("utf-8-sig", "replace"), file.mode
        line_end = "\r\n" if "\r\n" in text else "\n"
        text = text.replace("\r\n", "\n")
        before = check_file(parse_tree(text, shown(path)), source=shown(path), layer="home")
        yaml = _round_trip(text)
        try:
            loaded: Any = yaml.load(text)
        except YAMLError:
            # ruamel refuses a key set twice, where our own reader goes on.
            found = [problem.error() for problem in before.problems]
            raise (found or [_unchangeable(shown(path))])[0] from None
        root = CommentedMap() if loaded is None else loaded
        change(root)
        out = StringIO()
        if loaded is None:
            # ruamel forgets the comments of a file that has nothing else.
            yaml.explicit_start = None
            out.write(text if text.endswith("\n") or not text else f"{text}\n")
        if root:
            yaml.dump(root, out)
        fresh = out.getvalue()
        checked = check_file(parse_tree(fresh, shown(path)), source=shown(path), layer="home")
        if checked.problems:
            error = checked.problems[0].error()
            raise ConfigError(f"{error.message} Nothing was changed.", hint=error.hint)
        replace_file(path, fresh.replace("\n", line_end).encode(), mode=mode)


def _unchangeable(name: str) -> ConfigError:
    return ConfigError(f"{name} cannot be changed from here.", hint="Use `hermes config edit`.")


def _round_trip(text: str) -> Any:
    """A YAML reader and writer that keeps the file's own look."""
    yaml: Any = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.explicit_start = text.startswith("---") or None
    mapping = MAPPING_STEP.search(text)
    offset = 2
    if found := LIST_STEP.search(text):
        offset = max(0, len(found[2]) - len(found[1]))
    yaml.indent(mapping=len(mapping[1]) if mapping else 2, sequence=offset + 2, offset=offset)
    return yaml
