"""Settings by their place in the schema."""

from collections.abc import Iterator, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from hermes_tui.config.schema import Config, Name, Seconds, Section, ShortName, Url

Key = tuple[str, ...]
"""A setting's place, e.g. `("models", "retries")`; names of the person's own may hold dots."""

ANY_NAME = "<name>"

WORDS: dict[object, str] = {
    Any: "anything",
    Name: "text",
    str: "text",
    bool: "true or false",
    Seconds: "a number of seconds above 0, at most 86,400",
    ShortName: "up to 40 of a to z, 0 to 9, - and _",
    Url: "an address that begins with http:// or https://",
}


def section_of(type_: object) -> type[Section] | None:
    """The section class `type_` is, if it is one."""
    return type_ if isinstance(type_, type) and issubclass(type_, Section) else None


def values_of(type_: object) -> object | None:
    """What the values are where `type_` is a mapping whose keys the person chooses."""
    return get_args(type_)[1] if get_origin(type_) is dict else None


def fields_of(section: type[Section]) -> Mapping[str, msgspec.structs.FieldInfo]:
    return {field.encode_name: field for field in msgspec.structs.fields(section)}


def type_at(key: Key) -> object | None:
    """The type of the setting at `key`; None when there is no such setting."""
    type_: object = Config
    for name in key:
        if section := section_of(type_):
            field = fields_of(section).get(name)
            type_ = field.type if field else None
        else:
            type_ = values_of(type_)
        if type_ is None:
            return None
    return type_


def describe(type_: object) -> str:
    """What may stand there, in words: "a whole number from 0 to 20"."""
    if words := WORDS.get(type_):
        return words
    origin, arguments = get_origin(type_), get_args(type_)
    if origin is Literal:
        return "one of " + ", ".join(arguments)
    if origin in {Union, UnionType}:
        return " or ".join(describe(one) for one in arguments if one is not NoneType)
    if origin is list:
        return "a list"
    if origin is dict or section_of(type_):
        return "a section of `key: value` lines"
    if origin is Annotated and arguments[0] is float:
        return f"a number from {arguments[1].ge:g} to {arguments[1].le:g}"
    if origin is Annotated and arguments[0] is int:
        least, most = arguments[1].ge, arguments[1].le
        return (
            f"a whole number of at least {least:,}"
            if most is None
            else f"a whole number from {least:,} to {most:,}"
        )
    raise TypeError(f"{type_!r} has no words yet")


def choices_of(type_: object) -> list[str]:
    """The words that may stand there; none where it is no choice between a few."""
    origin, arguments = get_origin(type_), get_args(type_)
    if type_ is bool:
        return ["true", "false"]
    if origin is Literal:
        return list(arguments)
    if origin in {Union, UnionType}:
        return [word for one in arguments for word in choices_of(one)]
    return []


def dotted(key: Key) -> str:
    """`key` as people write it: `models.retries`, `tui.keys."prompt.send"`."""
    return ".".join(f'"{name}"' if "." in name or not name else name for name in key)


def split_key(text: str) -> Key:
    """The inverse of `dotted`; an unfinished quote reaches to the end."""
    names: list[str] = []
    rest = text
    while True:
        if rest.startswith('"'):
            name, _, rest = rest[1:].partition('"')
            found, rest = rest.startswith("."), rest[1:]
        else:
            name, dot, rest = rest.partition(".")
            found = bool(dot)
        names.append(name)
        if not found:
            return tuple(names)


def known_keys() -> list[Key]:
    """Every setting, in the order of the schema; `<name>` where the person chooses a name."""
    return list(_known(Config, ()))


def _known(type_: object, key: Key) -> Iterator[Key]:
    if section := section_of(type_):
        for name, field in fields_of(section).items():
            yield from _known(field.type, (*key, name))
    elif values := values_of(type_):
        yield from _known(values, (*key, ANY_NAME))
    else:
        yield key
