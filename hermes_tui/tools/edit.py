"""Replacing text in a file the way models ask for it: exactly, or nearly so."""

import difflib
import itertools
import re
from collections.abc import Iterable

from hermes_tui.core.errors import ToolError
from hermes_tui.core.messages import Diff

COMPARED_LINES = 300
"""Of a file, in looking for what an edit may have meant."""
DIFFED_LINES = 20_000
CONTEXT_LINES = 3


def replaced(text: str, old: str, new: str, *, everywhere: bool = False) -> str:
    """`text` with `old` replaced by `new`.

    Tried in turn: as given; ignoring white space at line ends; ignoring how far
    the lines are indented, `new` then being indented like what it replaces. Line
    ends stay as the file has them.

    Raises:
        ToolError: `old` is not there, or stands in several places and not
            `everywhere` was asked for.
    """
    if not old:
        raise ToolError("`old` is empty.", hint="Use write_file to write a whole file.")
    if "\r\n" in text and text.count("\n") == text.count("\r\n"):
        unix = (part.replace("\r\n", "\n") for part in (text, old, new))
        return replaced(*unix, everywhere=everywhere).replace("\n", "\r\n")
    count = text.count(old)
    if count > 1 and not everywhere:
        raise ToolError(
            f"`old` stands in {count} places.",
            hint="Include more of the lines around it, or pass replace_all=true.",
        )
    if count:
        return text.replace(old, new)
    return _replaced_lines(text, old, new)


def _replaced_lines(text: str, old: str, new: str) -> str:
    lines = text.splitlines(keepends=True)
    wanted = old.strip("\n").splitlines()
    for normal in (str.rstrip, str.strip):
        target = [normal(line) for line in wanted]
        if not any(target):
            break
        starts = [
            start
            for start in range(len(lines) - len(target) + 1)
            if [normal(line) for line in lines[start : start + len(target)]] == target
        ]
        if len(starts) > 1:
            raise ToolError(
                f"`old` fits in {len(starts)} places when white space is ignored.",
                hint="Include more of the lines around it.",
            )
        if starts:
            found = lines[starts[0] : starts[0] + len(target)]
            fresh = _indented_like(found, wanted, new.strip("\n").splitlines())
            last_end = found[-1][len(found[-1].rstrip("\r\n")) :]
            body = "\n".join(fresh) + last_end if fresh else ""
            return "".join([*lines[: starts[0]], body, *lines[starts[0] + len(target) :]])
    raise ToolError("`old` is not in the file.", hint=_closest(lines, wanted))


def _indented_like(found: list[str], wanted: list[str], new: list[str]) -> list[str]:
    """`new`, shifted by as much as `found` is indented deeper than `wanted`."""
    pairs = [
        (_indent(there), _indent(asked))
        for there, asked in zip(found, wanted, strict=True)
        if there.strip()
    ]
    there, asked = pairs[0]
    if there == asked:
        return new
    return [
        there + line[len(asked) :] if line.startswith(asked) and line.strip() else line
        for line in new
    ]


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _closest(lines: list[str], wanted: list[str]) -> str:
    first = next((line.strip() for line in wanted if line.strip()), "")
    # Comparing costs about 0.1 ms a line, and this runs on the event loop.
    sample = [line.strip() for line in lines[:COMPARED_LINES]]
    near = difflib.get_close_matches(first, sample, n=1, cutoff=0.6)
    if not near:
        return "Read the file again before editing it."
    number = next(i for i, line in enumerate(lines, 1) if line.strip() == near[0])
    return f"The closest line is {number}: {near[0]!r}. Read the file around it."


def diff_of(path: str, before: str, after: str) -> Diff:
    """What changed, as people read it; only how much when too much did.

    Takes up to a second; run it in a thread where that would be noticed.
    """
    old, new = before.splitlines(), after.splitlines()
    head = _agreeing(old, new)
    tail = _agreeing(reversed(old[head:]), reversed(new[head:]))
    skipped, kept = max(0, head - CONTEXT_LINES), max(0, tail - CONTEXT_LINES)
    old, new = old[skipped : len(old) - kept], new[skipped : len(new) - kept]
    if len(old) + len(new) > DIFFED_LINES:
        return Diff(path, f"--- a/{path}\n+++ b/{path}\n{len(old):,} lines became {len(new):,}.")
    lines = difflib.unified_diff(old, new, f"a/{path}", f"b/{path}", lineterm="", n=CONTEXT_LINES)
    return Diff(path, "\n".join(_shifted(line, skipped) for line in lines))


def _agreeing(left: Iterable[str], right: Iterable[str]) -> int:
    """How many lines are the same before the first that differs."""
    pairs = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(left, right, strict=False))
    return sum(1 for _ in pairs)


def _shifted(line: str, by: int) -> str:
    """A hunk's head with its line numbers moved down."""
    if not by or not line.startswith("@@ "):
        return line
    return re.sub(r"(?<= [-+])\d+", lambda number: str(int(number[0]) + by), line)
