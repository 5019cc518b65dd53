"""How far a skill can be trusted to help, from what came of using it.

A Beta posterior: what its origin lets one expect, and successes and failures whose weight
halves every sixty days. So an idle skill drifts back to what one would expect of a new one. What
came of an earlier version says half as much of the one there is.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from itertools import accumulate
from typing import Literal

from msgspec import Struct

from hermes_tui.core.skills import Origin, Outcome, Skill, Use
from hermes_tui.skills.versions import Version

HALF_LIFE = timedelta(days=60)
EARLIER = 0.5
"""What a use of an earlier version weighs, compared with one of the version there is."""
PRIORS: dict[Origin, tuple[float, float]] = {
    "agent": (1.5, 2.0),
    "hub": (2.0, 2.0),
    "foreign": (2.0, 2.0),
    "project": (3.0, 2.0),
    "person": (6.0, 2.0),
    "bundled": (6.0, 2.0),
}
WEIGHTS: dict[Outcome, tuple[float, float]] = {
    "verified": (1.0, 0.0),
    "success": (0.5, 0.0),
    "correction": (0.0, 1.0),
    "failure": (0.0, 1.0),
    "interrupted": (0.0, 0.0),
}
"""Success and failure each outcome counts for."""
SESSIONS_TO_PROVE = 2
FAILURES_TO_DOUBT = 3
BAND = (0.1, 0.9)
_STEPS = 400

State = Literal["candidate", "active", "doubtful"]


class Confidence(Struct, frozen=True):
    """The chance that it helps, as a Beta distribution of `a` successes and `b` failures."""

    a: float
    b: float

    @property
    def mean(self) -> float:
        """Between 0 and 1."""
        return self.a / (self.a + self.b)

    @property
    def low(self) -> float:
        """It is above this with a chance of nine in ten."""
        return _quantiles(self.a, self.b)[0]

    @property
    def high(self) -> float:
        """It is below this with a chance of nine in ten."""
        return _quantiles(self.a, self.b)[1]

    def __str__(self) -> str:
        return f"{self.mean:.2f} ({self.low:.2f} to {self.high:.2f})"


def confidence(
    origin: Origin, uses: Sequence[Use], now: datetime, *, changed: datetime | None = None
) -> Confidence:
    """What `uses` say at `now`.

    Args:
        changed: When the skill became what it is; None where it has always been that.
    """
    a, b = PRIORS[origin]
    for use in uses:
        if use.outcome is not None:
            kept = 0.5 ** (max(now - use.at, timedelta(0)) / HALF_LIFE)
            kept *= EARLIER if changed is not None and use.at < changed else 1.0
            success, failure = WEIGHTS[use.outcome]
            a, b = a + kept * success, b + kept * failure
    return Confidence(a, b)


def state(skill: Skill, uses: Sequence[Use]) -> State:
    """Where it stands in its life: what Hermes wrote has to prove itself first.

    Three failures in a row make any skill doubtful until something succeeds with it.
    """
    told = [use for use in uses if use.outcome not in {None, "interrupted"}]
    good = [use for use in told if WEIGHTS[use.outcome or "success"][0]]
    last = told[-FAILURES_TO_DOUBT:]
    if len(last) == FAILURES_TO_DOUBT and not any(use in good for use in last):
        return "doubtful"
    is_proven = len({use.session for use in good}) >= SESSIONS_TO_PROVE
    return "active" if skill.origin != "agent" or is_proven else "candidate"


def may_change_at_once(skill: Skill, state: State, versions: Sequence[Version]) -> bool:
    """Whether Hermes may change a skill without asking.

    It may as long as it wrote all of it, and the skill has not proved itself yet.
    """
    return (
        skill.origin == "agent"
        and not skill.is_pinned
        and state != "active"
        and not any(version.by_user for version in versions)
    )


@cache
def _quantiles(a: float, b: float) -> tuple[float, float]:
    """The ends of `BAND` of a Beta distribution, to a four-hundredth."""
    middles = [(step + 0.5) / _STEPS for step in range(_STEPS)]
    shares = list(accumulate(x ** (a - 1) * (1 - x) ** (b - 1) for x in middles))
    low, high = (
        next(x for x, share in zip(middles, shares, strict=True) if share >= part * shares[-1])
        for part in BAND
    )
    return low, high
