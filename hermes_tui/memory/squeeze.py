"""Making room in a memory file: what goes to the archive, in which order, and why."""

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import combinations

from hermes_tui.core.memory import Ending, MemoryItem, Source
from hermes_tui.memory.decay import FADED, freshness, score
from hermes_tui.memory.doubts import Doubt
from hermes_tui.memory.draft import Draft
from hermes_tui.memory.layout import SEPARATOR, joined, one_entry
from hermes_tui.memory.subjects import are_near_duplicates, keeps_negations, scalars, words
from hermes_tui.safety.scanner import is_blocked

ROOM = 0.8
"""A file that is too full is brought down to this share of its limit, if it can be."""

_CITED = re.compile(r"^\s*\[\s*(\d+(?:\s*,\s*\d+)*)\s*\]\s*(.+)$", re.DOTALL)
_LINKING = frozenset(
    {
        "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "from", "has", "have",
        "in", "into", "is", "it", "its", "not", "of", "on", "or", "that", "the", "their",
        "then", "this", "to", "uses", "using", "was", "with", "when", "which", "while", "also",
        "both", "all",
    }
)  # fmt: skip
_KNOWN_SHARE = 0.8
COMPARED = 50
"""With so many entries that have the same longest words an entry is compared."""

_Way = tuple[Ending, str, str]
"""How an item goes: its ending, the text in its place, and why."""


def clear_out(draft: Draft, limit: int, at: datetime, found: Sequence[Doubt]) -> None:
    """Archive what nobody will miss until `ROOM` is there: replaced, doubled, doubtful, faded."""
    reasons = {doubt.item.id: doubt for doubt in found}
    twins = _Twins(draft.entries)

    def replaced(item: MemoryItem) -> _Way | None:
        doubt = reasons.get(item.id)
        return ("superseded", "", doubt.reason) if doubt and doubt.is_replaced else None

    def doubled(item: MemoryItem) -> _Way | None:
        twin = twins.of(item.text, draft.entries)
        return None if twin is None else ("archived", twin, "said twice")

    def doubtful(item: MemoryItem) -> _Way | None:
        doubt = reasons.get(item.id)
        return ("archived", "", doubt.reason) if doubt else None

    def faded(item: MemoryItem) -> _Way | None:
        return ("archived", "", "faded") if freshness(item, at) < FADED else None

    for judge in (replaced, doubled, doubtful, faded):
        for item in _by_score(draft, at):
            if _is_roomy(draft, limit):
                return
            if way := judge(item):
                ending, by, reason = way
                draft.drop(item.text, ending, by=by, reason=reason)


def archive_least(draft: Draft, limit: int, at: datetime) -> None:
    """Archive what scores least until `ROOM` is there; what is pinned or new stays."""
    for item in _by_score(draft, at):
        if _is_roomy(draft, limit):
            return
        draft.drop(item.text, "archived", reason="least important")


def candidates(draft: Draft) -> list[MemoryItem]:
    """What a model may merge: neither pinned nor new."""
    return [item for item in draft.old_items if not item.is_pinned]


def budget(draft: Draft, limit: int) -> int:
    """Characters the candidates may have together, so that `ROOM` is left."""
    given = {item.text for item in candidates(draft)}
    fixed = joined(entry for entry in draft.entries if entry not in given)
    return max(0, int(limit * ROOM) - len(fixed) - (len(SEPARATOR) if fixed else 0))


def merge(draft: Draft, limit: int, outputs: Sequence[str], source: Source) -> bool:
    """Put a model's shorter entries in place of the candidates, if they can be trusted.

    Each has to begin with the numbers (from 1) of the entries it stands for, `[1,3] …`, and
    to say nothing they do not, and nothing they deny; together they have to fit. Else nothing
    changes.
    """
    given = candidates(draft)
    read = [_cited(output, given) for output in outputs]
    merged = [one for one in read if one is not None]
    used = [item.id for _, inputs in merged for item in inputs]
    if not merged or len(merged) != len(read) or len(used) != len(set(used)):
        return False
    if len(joined(text for text, _ in merged)) > budget(draft, limit):
        return False
    for text, inputs in merged:
        draft.merge(text, inputs, source)
    for item in given:
        if item.id not in used:
            draft.drop(item.text, "archived", reason="left out when entries were merged")
    return True


def _cited(output: str, given: Sequence[MemoryItem]) -> tuple[str, list[MemoryItem]] | None:
    """A merged entry and what it stands for; None when it cannot be trusted."""
    found = _CITED.match(output)
    if found is None:
        return None
    numbers = {int(number) for number in found[1].split(",")}
    if not all(1 <= number <= len(given) for number in numbers):
        return None
    inputs = [given[number - 1] for number in sorted(numbers)]
    text = one_entry(found[2])
    whole = "\n".join(item.text for item in inputs)
    fresh = words(text) - _LINKING
    known = {word[:4] for word in words(whole)}
    share = sum(word[:4] in known for word in fresh) / len(fresh) if fresh else 0.0
    if share < _KNOWN_SHARE or not scalars(text) <= scalars(whole) or is_blocked(text):
        return None
    if not keeps_negations(text, whole):
        return None
    return text, inputs


def _by_score(draft: Draft, at: datetime) -> list[MemoryItem]:
    """What may go, the first to go first.

    At equal scores that is what was confirmed least and longest ago; of what came at once, as a
    file filled by hand does, the lowest, which the prompt has no room for either.
    """
    movable = [item for item in reversed(draft.old_items) if not item.is_pinned]
    return sorted(
        movable,
        key=lambda item: (score(item, at), item.strength, item.confirmed_at, item.learnt_at),
    )


def _is_roomy(draft: Draft, limit: int) -> bool:
    return draft.size <= limit * ROOM


class _Twins:
    """Finds entries that say nearly the same, among those with the same longest words."""

    def __init__(self, entries: Sequence[str]) -> None:
        self._by_words: dict[tuple[str, ...], list[str]] = {}
        for entry in entries:
            for key in _keys(entry):
                self._by_words.setdefault(key, []).append(entry)

    def of(self, text: str, entries: Collection[str]) -> str | None:
        """One of `entries` that says the same as `text`."""
        alike = (one for key in _keys(text) for one in self._by_words[key][:COMPARED])
        twins = (one for one in alike if one != text and are_near_duplicates(text, one))
        return next((one for one in twins if one in entries), None)


def _keys(text: str) -> list[tuple[str, ...]]:
    """Two near duplicates have one of these in common, unless they differ in their longest."""
    longest = sorted(words(text), key=lambda word: (-len(word), word))[:3]
    return [tuple(pair) for pair in combinations(longest, min(2, len(longest)))]
