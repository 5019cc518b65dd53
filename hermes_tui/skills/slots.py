"""Gaps in a skill that are filled when it is used, and shell commands inside its text.

`{{name}}` and `{{name=default}}` are gaps; `$ARGUMENTS` stands for everything that was given,
as other tools have it. `` !`command` `` is replaced by what the command prints, for skills the
person trusts. Both are left alone inside fenced code, where they are examples.

What fills a gap inside a command is quoted, so that it stays one word whatever it says.
"""

import re
import shlex
from collections.abc import Mapping
from functools import cache

from msgspec import Struct

from hermes_tui.core.fences import outside_fences, prose

_SLOT = re.compile(r"\{\{ *([a-z][a-z0-9_-]{0,39}) *(?:= *([^{}\n]*?) *)?\}\}")
_SHELL = re.compile(r"(?<![\w`])!`([^`\n]+)`")
EVERYTHING = "$ARGUMENTS"
_GAP = re.compile(rf"{_SLOT.pattern}|{re.escape(EVERYTHING)}")


class Filled(Struct, frozen=True):
    """A body with its gaps filled."""

    text: str
    missing: tuple[str, ...]
    """Gaps nobody filled, in order."""


def slots(body: str) -> dict[str, str | None]:
    """The gaps of a skill in order, each with what it stands for when nothing is given."""
    found: dict[str, str | None] = {}
    for part in prose(body):
        for name, default in _SLOT.findall(part):
            found[name] = found.get(name) or default or None
    return found


def filled(body: str, arguments: str, outputs: Mapping[str, str] | None = None) -> Filled:
    """`body` with `arguments` in its gaps: `name=value` by name, the others in order.

    Quotes keep words together as in a shell; what no gap takes comes at the end.

    Args:
        outputs: What `ready_commands` printed, by command; it is taken as it is.
    """
    gaps = slots(body)
    given, rest = _given(arguments, gaps)
    missing = tuple(name for name in gaps if name not in given and gaps[name] is None)
    values = {name: given.get(name) or default for name, default in gaps.items()}

    def plain(match: re.Match[str]) -> str:
        if match[0] == EVERYTHING:
            return arguments.strip()
        return values[match[1]] or match[0]

    def change(part: str) -> str:
        done: list[str] = []
        end = 0
        for match in _SHELL.finditer(part):
            command = _ready(match[1], values, arguments)
            text = match[0] if command is None else f"!`{command}`"
            done += [
                _GAP.sub(plain, part[end : match.start()]),
                (outputs or {}).get(command or "", text),
            ]
            end = match.end()
        return "".join([*done, _GAP.sub(plain, part[end:])])

    text = outside_fences(body, change)
    if rest and EVERYTHING not in body:
        text = f"{text.rstrip()}\n\nArguments: {' '.join(rest)}\n"
    return Filled(text, missing)


def shell_commands(body: str) -> list[str]:
    """The commands inside the text, in order, each once."""
    return list(dict.fromkeys(one for part in prose(body) for one in _SHELL.findall(part)))


def ready_commands(body: str, arguments: str) -> list[str]:
    """The commands inside the text as bash is to run them, their gaps filled; each once.

    One with a gap nobody fills, or with one where no value is safe, is left out.
    """
    given, _ = _given(arguments, gaps := slots(body))
    values = {name: given.get(name) or default for name, default in gaps.items()}
    ready = (_ready(one, values, arguments) for one in shell_commands(body))
    return list(dict.fromkeys(one for one in ready if one is not None))


def _ready(command: str, values: Mapping[str, str | None], arguments: str) -> str | None:
    """`command` with quoted values in its gaps; None where that cannot be."""
    if not _GAP.search(command):
        return command
    done: list[str] = []
    at = 0
    while at < len(command):
        match = _place().match(command, at)
        if match is None:
            return None
        at = match.end()
        if match["gap"] is None:
            if _GAP.search(match[0]):
                return None
            done.append(match[0])
        elif match[0] == EVERYTHING:
            done.append(" ".join(_quoted(word) for word in _words(arguments)))
        elif value := values[match[2]]:
            done.append(_quoted(value))
        else:
            return None
    return "".join(done)


@cache
def _place() -> re.Pattern[str]:
    """A gap, or a piece of a command in which none is."""
    # Quoting a value for bash is sound in plain places only: not inside quotes, where it would
    # end them, nor where a comment or arithmetic reads on. No other form is matched.
    return re.compile(
        rf"(?P<gap>{_GAP.pattern})"
        r"""|'[^']*'|"(?:[^"\\`$]|\$(?=\w))*"|\$(?!['"\[])|\((?!\()|[^'"\\#`$(]"""
    )


def _quoted(value: str) -> str:
    return shlex.quote(re.sub(r"[\x00-\x1f\x7f]", " ", value))


def _words(arguments: str) -> list[str]:
    lexer = shlex.shlex(arguments, posix=True)
    lexer.whitespace_split, lexer.escape, lexer.commenters = True, "", ""
    try:
        return list(lexer)
    except ValueError:  # a lone apostrophe is no quote
        return arguments.split()


def _given(arguments: str, gaps: Mapping[str, str | None]) -> tuple[dict[str, str], list[str]]:
    values: dict[str, str] = {}
    loose: list[str] = []
    for word in _words(arguments):
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
