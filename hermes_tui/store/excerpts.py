"""Finding terms in a text once the index has named it.

In Python rather than with FTS5's `snippet`: looking a prefix up again for each row takes
seconds, and all three kinds of index get the same excerpts.
"""

import re
from collections.abc import Iterator

from hermes_tui.store.terms import Term
from hermes_tui.store.words import begins_word, folded, root, stem, word_end

EXCERPT_CHARS = 240
_BEFORE = 80
"""How many characters of an excerpt come before the first match."""
_PLAIN_QUOTES = str.maketrans("\u00ab\u00bb", "\u2039\u203a")
_GAP = re.compile(r"[\W_]*")


class Matcher:
    """Recognises a query's terms, much as the index does."""

    def __init__(self, terms: tuple[Term, ...]) -> None:
        self._terms = tuple((root(term.words[0]), term) for term in terms)
        roots = "|".join(re.escape(first) for first, _ in self._terms)
        self._candidates = re.compile(roots or r"(?!)")

    def matches(self, text: str) -> Iterator[tuple[int, int, Term]]:
        """(start, end, term), from left to right."""
        text = folded(text)
        done = 0
        for candidate in self._candidates.finditer(text):
            start = candidate.start()
            if start < done or not begins_word(text, start):
                continue
            for first, term in self._terms:
                if text.startswith(first, start) and (end := _match_end(text, start, term)):
                    yield start, end, term
                    done = end
                    break

    def excerpt(self, text: str) -> str:
        """The surroundings of the first match on one line, matches between « and »."""
        pieces: list[str] = []
        start = position = 0
        for left, right, _ in self.matches(text):
            if not pieces:
                start = position = _excerpt_start(text, left)
            if left >= start + EXCERPT_CHARS:
                break
            pieces += (_unmarked(text[position:left]), "«", text[left:right], "»")
            position = right
        end = max(position, min(start + EXCERPT_CHARS, len(text)))
        line = " ".join("".join((*pieces, _unmarked(text[position:end]))).split())
        return f"{'…' if start else ''}{line}{'…' if end < len(text) else ''}"


def _unmarked(text: str) -> str:
    """`text` with quotation marks that cannot be taken for the marks of a match."""
    return text.translate(_PLAIN_QUOTES)


def _excerpt_start(text: str, first_match: int) -> int:
    """Some way before the match, where a word begins."""
    start = first_match - _BEFORE
    return 0 if start <= 0 else text.find(" ", start, first_match) + 1 or start


def _match_end(text: str, start: int, term: Term) -> int | None:
    """Where `term` ends if it is what stands at `start`."""
    last = len(term.words) - 1
    position = start
    for index, wanted in enumerate(term.words):
        if index and (gap := _GAP.match(text, position)):
            position = gap.end()
        end = word_end(text, position)
        word = text[position:end]
        goes_on = term.is_prefix and index == last and word.startswith(wanted)
        if stem(word) != stem(wanted) and not goes_on:
            return None
        position = end
    return position
