"""Statistics of paired measurements: how large an effect is, and how sure one can be.

Without scipy: Student's distribution has a finite form for whole degrees of freedom (Abramowitz
and Stegun, 26.7.3 and 26.7.4), and quantiles are found by bisection.
"""

import math
from collections.abc import Sequence
from functools import cache
from statistics import fmean, stdev

from msgspec import Struct

LEVEL = 0.95
"""Of every interval: in so many of a hundred repetitions it holds the true value."""


class Estimate(Struct, frozen=True):
    """A value and the interval it lies in with a chance of `LEVEL`."""

    value: float
    low: float
    high: float
    n: int
    """Pairs it rests on."""


def student_quantile(chance: float, freedom: int) -> float:
    """Where Student's distribution with `freedom` ≥ 1 degrees has `chance` below it.

    `chance` lies strictly between 0 and 1; correct to nine digits.
    """
    if chance < 0.5:
        return -student_quantile(1 - chance, freedom)
    low, high = 0.0, 1.0
    while student_share(high, freedom) < chance:
        low, high = high, high * 2
    for _ in range(60):
        middle = (low + high) / 2
        if student_share(middle, freedom) < chance:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def student_share(t: float, freedom: int) -> float:
    """The chance of a value of at most `t` with `freedom` ≥ 1 degrees of freedom."""
    angle = math.atan(t / math.sqrt(freedom))
    sine, square = math.sin(angle), math.cos(angle) ** 2
    is_odd = freedom % 2
    term = math.cos(angle) if is_odd else 1.0
    total = 0.0
    for step in range(freedom // 2):
        total += term
        term *= square * (2 * step + 1 + is_odd) / (2 * step + 2 + is_odd)
    inside = (angle + sine * total) * 2 / math.pi if is_odd else sine * total
    return (1 + inside) / 2


def mean_of(values: Sequence[float]) -> Estimate | None:
    """The mean with its t-interval; None for fewer than two values."""
    n = len(values)
    if n < 2:
        return None
    mean = fmean(values)
    half = _two_sided(n - 1) * stdev(values) / math.sqrt(n)
    return Estimate(mean, mean - half, mean + half, n)


def ratio_of(pairs: Sequence[tuple[float, float]]) -> Estimate | None:
    """By which factor the first of a pair differs from the second: 0.7 is 30 % less.

    The mean of log-ratios with its t-interval, as factors. Pairs with a 0, which nobody measured,
    are left out; None for fewer than two.
    """
    logs = [math.log(one / other) for one, other in pairs if one > 0 and other > 0]
    found = mean_of(logs)
    if found is None:
        return None
    return Estimate(math.exp(found.value), _factor(found.low), _factor(found.high), found.n)


def difference_of(pairs: Sequence[tuple[float, float]]) -> Estimate | None:
    """How much larger the first share of a pair is than the second, -1 to 1; None without pairs.

    The interval is Agresti and Min's (2005): half a pair more of each kind of outcome, so that it
    has a width even where all pairs agree. The value itself is the plain mean.
    """
    n = len(pairs)
    if not n:
        return None
    differences = [one - other for one, other in pairs]
    more = n + 2
    middle = sum(differences) / more
    spread = (sum(one**2 for one in differences) + 1) / more - middle**2
    half = _normal() * math.sqrt(max(spread, 0.0) / more)
    return Estimate(fmean(differences), max(middle - half, -1.0), min(middle + half, 1.0), n)


def _factor(log: float) -> float:
    """`exp(log)`, kept to what JSON can say."""
    return math.exp(min(max(log, -700.0), 700.0))


@cache
def _two_sided(freedom: int) -> float:
    return student_quantile((1 + LEVEL) / 2, freedom)


@cache
def _normal() -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf((1 + LEVEL) / 2)
