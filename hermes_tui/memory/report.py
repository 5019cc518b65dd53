"""Saying what a write to memory did."""

from collections.abc import Iterable

from hermes_tui.memory.draft import Gone
from hermes_tui.memory.memory import Change


def told(change: Change) -> str:
    """One line of size, then one for each thing that happened besides what was asked for."""
    return "\n".join([size(change), *happened(change)])


def size(change: Change) -> str:
    file = change.file
    return f"{file.name} now holds {file.size:,} of {file.limit:,} characters."


def happened(change: Change) -> Iterable[str]:
    """What a person or model should know of a write: what was known, what went, what to heed."""
    yield from (f"Known already, and now confirmed: {_quoted(text)}." for text in change.confirmed)
    for one in change.gone:
        yield _gone(one)
    yield from change.notes


def _gone(one: Gone) -> str:
    number = f" (item {one.item}; `hermes memory restore {one.item}`)" if one.item else ""
    why = f", {one.reason.rstrip('.')}" if one.reason else ""
    match one.ending:
        case "superseded":
            by = f" by {_quoted(one.by)}" if one.by else ""
            return f"Superseded{by}: {_quoted(one.text)}{why}{number}."
        case "archived":
            return f"Archived to make room: {_quoted(one.text)}{why}{number}."
        case "forgotten":
            return f"Taken out: {_quoted(one.text)}{why}{number}."


def _quoted(text: str) -> str:
    """An entry within a sentence, which has a full stop of its own."""
    return repr(text.removesuffix("."))
