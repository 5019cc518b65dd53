"""Fenced code in Markdown, told apart from prose line by line (CommonMark 0.31, section 4.5).

A fence may stand in lists and quotations, however deep; one that is never closed goes to the end
of its quotation or of the text. Everybody who treats code and prose differently asks here, so that
what is executed, what is scanned and what is read agree.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Literal

from msgspec import Struct

Kind = Literal["prose", "open", "code", "close"]
TAB = 4


class Line(Struct, frozen=True):
    """One line of a text, with its line break."""

    text: str
    kind: Kind
    before: str = ""
    """What stands before an opening fence: blanks, and marks of lists and quotations."""
    info: str = ""
    """What stands behind it."""


class Fence(Struct, frozen=True):
    """A piece of fenced code."""

    language: str
    """The first word behind the fence, in lower case; mostly empty."""
    code: str
    """Indented as much less as the fence is."""


def marked(text: str) -> Iterator[Line]:
    """The lines of `text`, in order; together they are `text`."""
    fence, width, quotes = "", 0, 0
    for line in _forms()["line"].findall(text):
        if fence and _quotes(line) < quotes:
            fence = ""  # the quotation it stands in is over
        if not fence:
            if (match := _forms()["open"].match(line)) is None:
                yield Line(line, "prose")
                continue
            fence, width, quotes = match[2], _width(match[1]), match[1].count(">")
            yield Line(line, "open", match[1], match[3].strip())
            continue
        match = _forms()["close"].match(line)
        is_closed = (
            match is not None
            and match[2].startswith(fence)
            and match[1].count(">") == quotes
            and _width(match[1]) < width + TAB
        )
        yield Line(line, "close" if is_closed else "code")
        fence = "" if is_closed else fence


def pieces(text: str) -> Iterator[tuple[str, bool]]:
    """`text` in parts, each with whether it is fenced code, fences included."""
    parts: list[str] = []
    was_code = False
    for line in marked(text):
        is_code = line.kind != "prose"
        if is_code != was_code or line.kind == "open":
            if parts:
                yield "".join(parts), was_code
            parts, was_code = [], is_code
        parts.append(line.text)
    if parts:
        yield "".join(parts), was_code


def prose(text: str) -> list[str]:
    """What stands before, between and behind fenced code."""
    return [piece for piece, is_code in pieces(text) if not is_code]


def outside_fences(text: str, change: Callable[[str], str]) -> str:
    """`text` with its prose changed and its fenced code as it is."""
    return "".join(piece if is_code else change(piece) for piece, is_code in pieces(text))


def fences(text: str) -> Iterator[Fence]:
    """Every piece of fenced code, in order."""
    language, width, quotes, code = "", 0, 0, list[str]()
    is_open = False
    for line in marked(text):
        if is_open and line.kind != "code":
            yield Fence(language, "".join(code))
            is_open = False
        if line.kind == "open":
            width, quotes = _width(line.before), line.before.count(">")
            code, is_open = [], True
            language = (line.info.split() or [""])[0].lower()
        elif line.kind == "code":
            code.append(_less_indented(line.text, width, quotes))
    if is_open:
        yield Fence(language, "".join(code))


def _less_indented(line: str, width: int, quotes: int) -> str:
    for _ in range(quotes):
        line = line.lstrip(" \t").removeprefix(">")
        width -= 1
    while width > 0 and line[:1] in {" ", "\t"}:
        width -= TAB if line[0] == "\t" else 1
        line = line[1:]
    return line


def _quotes(line: str) -> int:
    """How many quotations a line begins in."""
    match = _forms()["quotes"].match(line)
    return match[0].count(">") if match else 0


def _width(text: str) -> int:
    return len(text.expandtabs(TAB))


@cache
def _forms() -> dict[str, re.Pattern[str]]:
    return {
        "line": re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+"),
        "quotes": re.compile(r"(?:[ \t]*>)*"),
        # Blanks belong to the mark before them, so that there is one way only to match.
        "open": re.compile(
            r"([ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+|>[ \t]*)*)"
            r"(`{3,}(?=[^`\r\n]*[\r\n]*\Z)|~{3,})([^\r\n]*)"
        ),
        "close": re.compile(r"([ \t]*(?:>[ \t]*)*)(`{3,}|~{3,})[ \t]*[\r\n]*\Z"),
    }
