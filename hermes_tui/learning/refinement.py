"""Changing a skill's text by passages, and how like two texts are."""

from collections.abc import Sequence

from msgspec import Struct

from hermes_tui.core.errors import ToolError
from hermes_tui.skills.diffs import lines_diff
from hermes_tui.store.terms import STOP_WORDS
from hermes_tui.store.words import find_words, folded, stem

EXCERPT_CHARS = 60
ALIKE = 0.5
"""Share of words two skills' names and descriptions have in common to be about the same."""


class Edit(Struct, frozen=True):
    """A passage, and what comes in its place."""

    old: str
    """As it stands in the text, once; empty to add `new` at the end."""
    new: str


def edited(text: str, edits: Sequence[Edit]) -> str:
    """`text` with the edits made, one after the other.

    Raises:
        ToolError: a passage is not there, or more than once.
    """
    for edit in edits:
        if not edit.old.strip():
            text = f"{text.rstrip()}\n\n{edit.new.strip()}\n"
            continue
        excerpt = " ".join(edit.old.split())[:EXCERPT_CHARS]
        match text.count(edit.old):
            case 0:
                raise ToolError(
                    f"The text has no passage {excerpt!r}.", hint="Copy `old` exactly as it stands."
                )
            case 1:
                text = text.replace(edit.old, edit.new)
            case many:
                raise ToolError(
                    f"The text has the passage {excerpt!r} {many} times.",
                    hint="Copy more of what stands around it into `old`.",
                )
    return text


def difference(name: str, before: str, after: str) -> str:
    """A unified diff of two bodies; empty when they are the same."""
    old, new = ([f"{one}\n" for one in text.rstrip().splitlines()] for text in (before, after))
    return lines_diff(old, new, f"a/{name}/SKILL.md", f"b/{name}/SKILL.md")


def likeness(one: str, other: str) -> float:
    """Share of the words of two short texts that both have, from 0 to 1; endings do not count."""
    first, second = telling_words(one), telling_words(other)
    if not first or not second:
        return 0.0
    return len(first & second) / len(first | second)


def telling_words(text: str) -> frozenset[str]:
    """The stems of the words that say what a text is about."""
    words = find_words(folded(text))
    return frozenset(stem(word) for word in words if len(word) > 1 and word not in STOP_WORDS)
