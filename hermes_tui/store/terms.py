"""What somebody typed into a search box, as terms an index can look up.

Nothing typed is an error: words are quoted for the index one by one, so no character has
a meaning of its own except double quotes around a phrase and a star after a word.
"""

import re
from collections.abc import Iterable
from itertools import pairwise

from msgspec import Struct

from hermes_tui.store.words import find_words, folded, has_unspaced, spaced, unspaced_runs

MAX_QUERY_CHARS = 2000
MAX_TERMS = 32
MAX_TERM_CHARS = 100
PHRASE_OF_CHARACTERS = 3
"""A run of Chinese or Japanese up to this long is one word; a longer one is looked up in pairs."""
MIN_WIDENED_CHARS = 5
"""Shorter words are not looked up by their beginning."""

STOP_WORDS = frozenset(
    """
    a about after all also am an and any are aren't as at be because been before being but by can
    can't cannot could couldn't did didn't do does doesn't doing don't done ever for from get got
    had has have having he her here hers him his how i i'd i'll i'm i've if in into is isn't it its
    just let's like me mine my near no not of off on once one or our ours out over please she
    should so some such tell than that the their them then there these they they're this those
    through to too under until up us very was wasn't we we're were weren't what when where which
    while who whom whose why will with won't would you you're your yours
    """.split()  # noqa: SIM905  a list of 140 quoted words is no easier to read
)

_PIECE = re.compile(r'"([^"]*)"|([^\s"]+)')
_TYPOGRAPHIC = str.maketrans({"“": '"', "”": '"', "„": '"', "\u2019": "'", "\0": " "})
_POSSESSIVE = re.compile(r"'s\b", re.IGNORECASE)
# The underscore stays: FTS4 takes it for a letter.
_OUTER_SIGNS = re.compile(r"^\W+|\W+$")


class Term(Struct, frozen=True):
    """One thing to look for."""

    text: str
    """As typed, without its quotes or star."""
    words: tuple[str, ...]
    """Folded; next to each other in this order."""
    is_prefix: bool = False
    """The last word may go on."""
    is_quoted: bool = False

    def __str__(self) -> str:
        if self.is_quoted:
            return f'"{self.text}"'
        return f"{self.text}*" if self.is_prefix else self.text

    @property
    def quoted_for_index(self) -> str:
        """The term for a MATCH expression, which both FTS5 and FTS4 read alike."""
        return f'"{spaced(self.text)}"'

    @property
    def is_stop_word(self) -> bool:
        return not (self.is_quoted or self.is_prefix) and self.text.lower() in STOP_WORDS


class Terms(Struct, frozen=True):
    """A query taken apart; a message matches when it has any of them."""

    kept: tuple[Term, ...]
    dropped: tuple[str, ...]
    """Stop words left out."""

    @property
    def loosened(self) -> "Terms | None":
        """Words in place of what only looked like phrases (`top.txt`), if there are any."""
        if all(term.is_quoted or len(term.words) == 1 for term in self.kept):
            return None
        loose: dict[Term, None] = {}
        for term in self.kept:
            parts = (term,) if term.is_quoted else tuple(Term(w, (w,)) for w in term.words)
            loose.update(dict.fromkeys(parts))
        return Terms(tuple(loose)[:MAX_TERMS], self.dropped)

    @property
    def widened(self) -> "Terms | None":
        """Words that begin like these, phrases taken apart; None when there is no difference."""
        wide: dict[Term, None] = {}
        for term in self.kept:
            for word in term.words:
                beginning = _beginning(word)
                wide[
                    Term(beginning, (beginning,), is_prefix=True)
                    if beginning
                    else Term(word, (word,))
                ] = None
        terms = tuple(wide)[:MAX_TERMS]
        return Terms(terms, self.dropped) if terms and terms != self.kept else None

    def joined(self, others: Iterable["Terms"]) -> "Terms":
        """These terms and what others add to them."""
        kept = dict.fromkeys(self.kept)
        for other in others:
            kept.update(dict.fromkeys(other.kept))
        return Terms(tuple(kept)[:MAX_TERMS], self.dropped)


def parse(query: str) -> Terms:
    """The terms of whatever was typed; none when it holds no letter or digit."""
    found: dict[tuple[tuple[str, ...], bool], Term] = {}
    for piece in _PIECE.finditer(query[:MAX_QUERY_CHARS].translate(_TYPOGRAPHIC)):
        quoted, bare = piece.groups()
        for term in _quoted(quoted) if bare is None else _bare(bare):
            found.setdefault((term.words, term.is_prefix), term)
    terms = tuple(found.values())
    kept = tuple(term for term in terms if not term.is_stop_word)
    if not kept:
        return Terms(terms[:MAX_TERMS], ())
    dropped = tuple(term.text for term in terms if term.is_stop_word)
    return Terms(kept[:MAX_TERMS], dropped)


def _beginning(word: str) -> str:
    """How words like `word` begin; empty where that says too little."""
    if len(word) < MIN_WIDENED_CHARS or not word.isascii() or word.isdigit():
        return ""
    # The index stems beginnings too, which must not change them.
    beginning = word[: max(MIN_WIDENED_CHARS - 1, len(word) // 2)].rstrip("aeiouys")
    return beginning if len(beginning) > 2 else ""


def _quoted(text: str) -> list[Term]:
    text = text.strip()[:MAX_TERM_CHARS]
    words = find_words(folded(text))
    return [Term(text, words, is_quoted=True)] if words else []


def _bare(text: str) -> list[Term]:
    terms: list[Term] = []
    for run in unspaced_runs(_POSSESSIVE.sub("", text)[:MAX_TERM_CHARS]):
        words = find_words(folded(run))
        if len(words) > PHRASE_OF_CHARACTERS and has_unspaced(run):
            terms.extend(Term("".join(pair), pair) for pair in pairwise(words))
        elif words:
            terms.append(Term(_OUTER_SIGNS.sub("", run), words))
    # One-letter beginnings stay words: looking them up takes 100 ms.
    if text.endswith("*") and terms and len(terms[-1].words[-1]) > 1:
        terms[-1] = Term(terms[-1].text, terms[-1].words, is_prefix=True)
    return terms
