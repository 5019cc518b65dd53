"""Vectors without a model: the same for texts of the same words, near for words that mean the same.

Words, two words in a row and groups of letters are hashed into 256 numbers; words of
`SYNONYMS` count as the first of their row.
"""

import math
import re
from hashlib import blake2b
from itertools import pairwise

DIMENSIONS = 256
SYNONYMS = (
    "database postgres postgresql storage tables",
    "machine server host box computer",
    "move moved moving migrate migrated migration relocate relocated relocating",
    "invoice invoices bill bills billing",
    "customer customers client clients",
    "late overdue delayed",
    "reminder reminders nagging dunning",
)
NOISE = frozenset("a an and did for how in is it its now of on our the to was we were what".split())  # noqa: SIM905
_FIRST = {word: row.split()[0] for row in SYNONYMS for word in row.split()}


def vector_of(text: str) -> list[float]:
    """A vector of any length, never of zeros only."""
    found: list[str] = re.findall(r"\w+", text.lower())
    words = [_FIRST.get(word, word) for word in found if word not in NOISE] or ["nothing"]
    weights = [(f"word {word}", 1.0) for word in words]
    weights += [(f"pair {a} {b}", 0.3) for a, b in pairwise(words)]
    weights += [(f"part {word[at : at + 4]}", 0.1) for word in words for at in range(len(word) - 3)]
    vector = [0.0] * DIMENSIONS
    for name, weight in weights:
        digest = int.from_bytes(blake2b(name.encode(), digest_size=4).digest(), "big")
        vector[digest % DIMENSIONS] += weight if digest & 0x80000000 else -weight
    return vector if math.hypot(*vector) else [1.0, *vector[1:]]
