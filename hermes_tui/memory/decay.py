"""How much an item matters now: it fades with time, faster the more fleeting its kind."""

import math
import re
from datetime import datetime

from hermes_tui.core.memory import Kind, MemoryItem, Target

LIFE_DAYS: dict[Kind, float] = {
    "task": 7,
    "environment": 45,
    "project": 90,
    "fact": 180,
    "preference": 365,
}
"""After so many days without confirmation the weight is down to 37 %."""
FADED = 0.05
"""An item with less of its weight left goes to the archive before any other choice is made."""

_ENVIRONMENT = re.compile(
    r"(?<!\w)~?/\w|\b(?:port|host|server|path|installed|runs on|docker|box)\b", re.IGNORECASE
)
_PREFERENCE = re.compile(
    r"\b(?:prefers?|likes?|dislikes?|wants?|favou?rite|always|never|please)\b", re.IGNORECASE
)


def guessed_kind(text: str, target: Target) -> Kind:
    """What kind of thing `text` is, where nobody said."""
    if target == "user" or _PREFERENCE.search(text):
        return "preference"
    return "environment" if _ENVIRONMENT.search(text) else "fact"


def importance(item: MemoryItem) -> float:
    """From 0 to 1, before time counts: what a person wrote weighs most."""
    if item.origin in {"person", "hand"}:
        return 1.0
    return 0.8 if item.evidence or item.origin == "import" else 0.6


def freshness(item: MemoryItem, at: datetime) -> float:
    """What time has left of its weight, from 1 to 0; a clock set back takes nothing away."""
    days = max(0.0, (at - item.confirmed_at).total_seconds() / 86_400)
    return math.exp(-days / (LIFE_DAYS[item.kind] * (1 + item.strength)))


def score(item: MemoryItem, at: datetime) -> float:
    """Its rank among others; what is pinned comes first."""
    return math.inf if item.is_pinned else importance(item) * freshness(item, at)
