"""Reading an environment's settings: unknown and ill-typed ones are refused by name."""

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec

from hermes_tui.core.errors import ConfigError, EnvironmentUnavailableError

T = TypeVar("T", bound=msgspec.Struct)

_REFERENCE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


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


def check_absolute(workdir: str, *, environment: str) -> None:
    """Refuse a folder to work in that depends on where one is.

    Raises:
        ConfigError: it does.
    """
    if not workdir.startswith("/"):
        raise ConfigError(
            f"The workdir {workdir!r} of {environment!r} is not an absolute path.",
            hint="Begin it with a slash.",
        )


def secret(text: str, *, setting: str, environment: str) -> str:
    """The value of a setting that may be a reference such as `$NAME`.

    Raises:
        EnvironmentUnavailableError: there is no variable of that name.
    """
    found = _REFERENCE.fullmatch(text)
    if found is None:
        return text
    name = found[1] or found[2]
    if value := os.environ.get(name):
        return value
    raise EnvironmentUnavailableError(
        f"The setting {setting!r} of {environment!r} is ${name}, which is not set.",
        hint=f"Export {name}, or put it into .env in Hermes's home.",
    )


def passed(pass_env: Sequence[str]) -> dict[str, str]:
    """Those of Hermes's own variables that commands are to see."""
    return {name: os.environ[name] for name in pass_env if name in os.environ}


def _lowered(fact: str) -> str:
    return re.sub(r"`([^`]*)`", r"\1", fact[:1].lower() + fact[1:])
