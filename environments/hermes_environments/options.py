"""Reading an environment's settings: unknown and ill-typed ones are refused by name."""

import difflib
import re
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from hermes_tui.core.errors import ConfigError

T = TypeVar("T", bound=msgspec.Struct)


def read_options(kind: type[T], options: Mapping[str, object], *, environment: str) -> T:
    """The settings of `environment` as a `kind`, which forbids unknown fields.

    Raises:
        ConfigError: a setting is unknown, missing or has a wrong value; it is named.
    """
    known = [field.encode_name for field in msgspec.structs.fields(kind)]
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise ConfigError(
                f"The environment {environment!r} has no setting {name!r}.",
                hint=f"Did you mean {near[0]!r}?"
                if near
                else f"Choose from: {', '.join(sorted(known))}.",
            )
    try:
        return msgspec.convert(dict(options), kind)
    except msgspec.ValidationError as error:
        fact, _, where = str(error).partition(" - at ")
        place = where.strip("`").rpartition("`")[2].removeprefix("$.")  # "key` in `$.env" too
        wrong = f"The setting {place!r} of the environment" if place else "The environment"
        raise ConfigError(
            f"{wrong} {environment!r} is wrong: {_lowered(fact)}.",
            hint="Correct it in the configuration.",
        ) from error


def _lowered(fact: str) -> str:
    return re.sub(r"`([^`]*)`", r"\1", fact[:1].lower() + fact[1:])
