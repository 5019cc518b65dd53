"""What an entry is about, and whether two entries can both be true. Offline, by wording alone.

Deliberately timid: of two entries that only look alike, neither is touched.
"""

import re
from functools import lru_cache
from typing import NamedTuple

SCALAR = re.compile(
    r"https?://\S+|~?(?:/[\w.@+-]+)+/?|\b[\w-]{1,64}(?:\.[\w-]{1,64}){1,9}\b|\b\d[\w.:,-]{0,64}\b|\b[0-9a-f]{7,40}\b",
    re.IGNORECASE,
)
"""A value that is written as one token: a number, version, date, address, path or host."""
WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")

_SENTENCE_END = re.compile(r"(?<=[.;!?])\s+|\n+")
_CLAIM = re.compile(
    r"^(?P<subject>.{2,80}?)(?:\s*(?:=|:(?!//)|→)\s+|\s+(?P<verb>is|are|was|were|has|uses|lives?|runs?|"
    r"listens?|defaults?|points?|equals?|means?|stays?|sits?)\s+"
    r"(?P<at>(?:(?:now|in|on|at|to|called|named|under|currently)\s+)*))(?P<value>.+)$",
    re.IGNORECASE | re.DOTALL,
)
_VAGUE = frozenset(
    {
        "user", "person", "he", "she", "it", "they", "i", "we", "you", "this", "that", "there",
        "project", "repo", "app", "code", "note", "todo", "who", "what", "name", "owner",
    }
)  # fmt: skip
"""Subjects of which several things can be true at once."""
_DROPPED = frozenset(
    {
        "the", "a", "an", "my", "our", "your", "its", "their", "now", "currently", "is", "are",
        "was", "were", "also",
    }
)  # fmt: skip
_NEGATIONS = frozenset(
    {
        "not", "never", "no", "don't", "doesn't", "isn't", "aren't", "won't", "without",
        "avoid", "avoids", "dislike", "dislikes", "dont", "can't", "cannot", "couldn't", "didn't",
        "hasn't", "haven't", "mustn't", "shouldn't", "wasn't", "weren't", "wouldn't", "neither",
        "nor", "nobody", "none", "nothing", "except", "unless", "hate", "hates",
        "nicht", "nie", "niemals", "kein", "keine", "keinen", "ohne",
    }
)  # fmt: skip
_CHOOSING = frozenset(
    {
        "prefer", "prefers", "preferred", "like", "likes", "use", "uses", "using", "want",
        "wants", "choose", "chooses", "always", "user", "person", "i", "with", "for", "do",
        "does", "over", "rather", "than", "to", "code", "their", "indent", "indentation",
        "theme",
    }
)  # fmt: skip
_EXCLUSIVE: tuple[frozenset[str], ...] = tuple(
    frozenset(group.split())
    for group in (
        "tabs spaces", "pip uv poetry pdm conda", "npm yarn pnpm bun", "dark light",
        "vim neovim emacs nano vscode helix", "short long brief detailed terse verbose",
        "postgres postgresql mysql sqlite mariadb", "black ruff", "pytest unittest",
        "tea coffee", "metric imperial", "merge rebase squash", "bash zsh fish",
        "english german french spanish italian",
    )
)  # fmt: skip
"""Choices of which a person or a project makes one."""


class Claim(NamedTuple):
    """`subject` has `value`, as words without articles and case."""

    subject: tuple[str, ...]
    value: str


def plain(text: str) -> str:
    """`text` without case, punctuation and runs of white space: equal for exact duplicates."""
    return " ".join(re.findall(r"\w+|[^\w\s.,;:!?'\"`()]+", text.casefold()))


@lru_cache(1024)
def words(text: str) -> frozenset[str]:
    return frozenset(WORD.findall(text.casefold().replace("\u2019", "'")))


@lru_cache(1024)
def scalars(text: str) -> frozenset[str]:
    return frozenset(found.rstrip(".,:;-/") for found in SCALAR.findall(text.casefold()))


@lru_cache(1024)
def claim(text: str) -> Claim | None:
    """What `text` says of what; None when it is not of the form "X is Y"."""
    found = _CLAIM.match(" ".join(text.split()))
    if found is None:
        return None
    subject = [word for word in WORD.findall(found["subject"].casefold()) if word not in _DROPPED]
    if not subject or len(subject) > 8 or _VAGUE.issuperset(subject):
        return None
    return Claim(tuple(subject), found["value"].strip().rstrip(".").casefold())


def is_negated(text: str) -> bool:
    return not _NEGATIONS.isdisjoint(words(text))


def keeps_negations(text: str, whole: str) -> bool:
    """Whether `text` has each sentence of `whole` that says "not" word for word, and no other."""
    said = _flat(text)
    sentences = [one for one in _SENTENCE_END.split(whole) if is_negated(one)]
    if _negations(text) != sum(_negations(one) for one in sentences):
        return False
    return all(f" {_flat(one)} " in f" {said} " for one in sentences)


def _negations(text: str) -> int:
    return sum(word in _NEGATIONS for word in WORD.findall(_straight(text)))


def _flat(text: str) -> str:
    return plain(_straight(text))


def _straight(text: str) -> str:
    return text.casefold().replace("\u2019", "'")


def are_near_duplicates(one: str, other: str) -> bool:
    """Whether they say the same in nearly the same words, with the same figures and polarity."""
    if scalars(one) != scalars(other) or is_negated(one) != is_negated(other):
        return False
    mine, theirs = words(one) - _DROPPED, words(other) - _DROPPED
    return bool(mine) and len(mine & theirs) / len(mine | theirs) >= 0.85


def supersedes(new: str, old: str) -> bool:
    """Whether `new` is `old` with another figure: same subject, same words, another scalar."""
    mine, theirs = claim(new), claim(old)
    if mine is None or theirs is None or mine.subject != theirs.subject:
        return False
    if is_negated(new) != is_negated(old):
        return False
    if not scalars(mine.value) or not scalars(theirs.value):
        return False
    # What surrounds the figure has to agree, or else it may be a figure of something else.
    frames = [plain(SCALAR.sub(" ", value)) for value in (mine.value, theirs.value)]
    return frames[0] == frames[1] and scalars(mine.value) != scalars(theirs.value)


def contradiction(one: str, other: str) -> str:
    """Why they cannot both be true, as far as wording tells; empty when it does not."""
    if plain(one) == plain(other):
        return ""
    mine, theirs = claim(one), claim(other)
    if mine and theirs and mine.subject == theirs.subject and mine.value != theirs.value:
        lengths = [len(value.split()) for value in (mine.value, theirs.value)]
        if max(lengths) <= 6 and not are_near_duplicates(one, other):
            return f"two values for {' '.join(mine.subject)!r}"
    if choice := _other_choice(one, other):
        return choice
    if is_negated(one) != is_negated(other):
        stems = [_stems(text) for text in (one, other)]
        if len(stems[0]) >= 2 and stems[0] == stems[1]:
            return "one says the opposite of the other"
    return ""


def _other_choice(one: str, other: str) -> str:
    if is_negated(one) or is_negated(other):
        return ""
    mine, theirs = words(one), words(other)
    for group in _EXCLUSIVE:
        chosen = [group & mine, group & theirs]
        if not chosen[0] or not chosen[1] or chosen[0] & chosen[1]:
            continue
        rest = [side - group - _CHOOSING - _DROPPED for side in (mine, theirs)]
        if rest[0] == rest[1]:
            return f"{min(chosen[0])} or {min(chosen[1])}"
    return ""


def _stems(text: str) -> frozenset[str]:
    return frozenset(
        word.removesuffix("s") for word in words(text) - _NEGATIONS - _DROPPED - {"do", "does"}
    )
