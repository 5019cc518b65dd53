"""Gaps in a skill that are filled when it is used, and shell commands inside its text.

`{{name}}` and `{{name=default}}` are gaps; `$ARGUMENTS` stands for everything that was given,
as other tools have it. `` !`command` `` is replaced by what the command prints, for skills the
person trusts. Both are left alone inside fenced code, where they are examples.
"""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

_SLOT = re.compile(r"\{\{ *([a-z][a-z0-9_-]{0,39}) *(?:= *([^{}\n]*?) *)?\}\}")
_SHELL = re.compile(r"(?<![\w`])!`([^`\n]+)`")
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
EVERYTHING = "$ARGUMENTS"


class Filled(Struct, frozen=True):
    """A body with its gaps filled."""

    text: str
    missing: tuple[str, ...]
    """Gaps nobody filled, in order."""


def slots(body: str) -> dict[str, str | None]:
    """The gaps of a skill in order, each with what it stands for when nothing is given."""
    found: dict[str, str | None] = {}
    for prose in _prose(body):
        for name, default in _SLOT.findall(prose):
            found[name] = found.get(name) or default or None
    return found


def filled(body: str, arguments: str) -> Filled:
    """`body` with `arguments` in its gaps: `name=value` by name, the others in order.

    Quotes keep words together as in a shell; what no gap takes comes at the end.
    """
    gaps = slots(body)
    values, rest = _given(arguments, gaps)
    missing = tuple(name for name in gaps if name not in values and gaps[name] is None)

    def value(match: re.Match[str]) -> str:
        name = match[1]
        return values.get(name) or gaps[name] or match[0]

    is_taken = EVERYTHING in body
    text = _outside_fences(body, lambda prose: _SLOT.sub(value, prose))
    text = _outside_fences(text, lambda prose: prose.replace(EVERYTHING, arguments.strip()))
    if rest and not is_taken:
        text = f"{text.rstrip()}\n\nArguments: {' '.join(rest)}\n"
    return Filled(text, missing)


def shell_commands(body: str) -> list[str]:
    """The commands inside the text, in order, each once."""
    return list(dict.fromkeys(one for prose in _prose(body) for one in _SHELL.findall(prose)))


def with_outputs(body: str, outputs: Mapping[str, str]) -> str:
    """`body` with each command in `outputs` replaced by what it printed."""
    return _outside_fences(
        body, lambda prose: _SHELL.sub(lambda match: outputs.get(match[1], match[0]), prose)
    )


def _given(arguments: str, gaps: Mapping[str, str | None]) -> tuple[dict[str, str], list[str]]:
    try:
        words = shlex.split(arguments)
    except ValueError:  # a lone apostrophe is no quote
        words = arguments.split()
    values: dict[str, str] = {}
    loose: list[str] = []
    for word in words:
        name, equals, value = word.partition("=")
        if equals and name in gaps:
            values[name] = value
        else:
            loose.append(word)
    empty = [name for name in gaps if name not in values]
    if len(empty) == 1 and loose:  # one gap takes a whole sentence
        return values | {empty[0]: " ".join(loose)}, []
    for name in empty[: len(loose)]:
        values[name] = loose.pop(0)
    return values, loose


def _prose(body: str) -> Iterator[str]:
    end = 0
    for fence in _FENCE.finditer(body):
        yield body[end : fence.start()]
        end = fence.end()
    yield body[end:]


def _outside_fences(body: str, change: Callable[[str], str]) -> str:
    parts: list[str] = []
    end = 0
    for fence in _FENCE.finditer(body):
        parts += [change(body[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, change(body[end:])])
