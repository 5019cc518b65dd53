"""What paired measurements say, against known values and by simulation."""

import math
import random
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.learning.evaluation.pairs import (
    difference_of,
    mean_of,
    ratio_of,
    student_quantile,
    student_share,
)


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [(1, 12.7062), (2, 4.3027), (3, 3.1824), (5, 2.5706), (7, 2.3646), (9, 2.2622),
     (11, 2.2010), (23, 2.0687), (30, 2.0423), (60, 2.0003), (120, 1.9799)],
)  # fmt: skip
def test_quantiles_are_those_of_the_printed_tables(freedom: int, quantile: float) -> None:
    assert student_quantile(0.975, freedom) == pytest.approx(quantile, abs=6e-5)


def test_many_degrees_of_freedom_come_near_the_normal_distribution() -> None:
    assert student_quantile(0.975, 5_000) == pytest.approx(NormalDist().inv_cdf(0.975), abs=6e-4)


@given(st.floats(0.001, 0.999), st.integers(1, 200))
def test_a_quantile_has_its_share_below_it(chance: float, freedom: int) -> None:
    assert student_share(student_quantile(chance, freedom), freedom) == pytest.approx(
        chance, abs=1e-8
    )


@given(st.floats(-50, 50), st.floats(0, 10), st.integers(1, 100))
def test_shares_grow_and_are_symmetric(t: float, more: float, freedom: int) -> None:
    assert student_share(t, freedom) <= student_share(t + more, freedom) + 1e-12
    assert student_share(-t, freedom) == pytest.approx(1 - student_share(t, freedom), abs=1e-9)


def test_the_interval_of_a_mean_is_the_textbooks() -> None:
    # Mean 5.5, standard deviation 3.02765, t(9) = 2.26216: 5.5 ± 2.16586.
    found = mean_of(range(1, 11))
    assert found is not None
    assert (found.value, found.n) == (5.5, 10)
    assert found.low == pytest.approx(3.33415, abs=1e-4)
    assert found.high == pytest.approx(7.66585, abs=1e-4)


def test_one_pair_has_no_interval_and_none_has_no_difference() -> None:
    assert mean_of([1.0]) is None
    assert ratio_of([(3, 4)]) is None
    assert difference_of([]) is None


def test_halving_every_time_is_a_factor_of_a_half_without_doubt() -> None:
    found = ratio_of([(50, 100), (200, 400), (7, 14)])
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))


def test_what_nobody_measured_is_no_pair() -> None:
    found = ratio_of([(0, 100), (50, 0), (50, 100), (30, 60)])
    assert found is not None
    assert found.n == 2


def test_shares_that_always_agree_still_leave_doubt() -> None:
    found = difference_of([(1.0, 1.0)] * 12)
    assert found is not None
    # Agresti and Min: 14 pairs, variance 1/14, so 1.96 / 14.
    assert (found.value, found.low, found.high) == pytest.approx((0, -0.14, 0.14), abs=1e-4)


def test_a_difference_of_matched_shares_is_agresti_and_mins() -> None:
    # 20 pairs, 8 won, 2 lost: 22 pairs with 8.5 and 2.5 make 0.2727 ± 0.2735.
    found = difference_of([(1, 0)] * 8 + [(0, 1)] * 2 + [(1, 1)] * 10)
    assert found is not None
    assert found.value == pytest.approx(0.3)
    half = NormalDist().inv_cdf(0.975) * math.sqrt((11 / 22 - (6 / 22) ** 2) / 22)
    assert (found.low, found.high) == pytest.approx((6 / 22 - half, 6 / 22 + half))


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=40))
def test_an_interval_of_shares_stays_between_all_lost_and_all_won(
    pairs: list[tuple[float, float]],
) -> None:
    found = difference_of(pairs)
    assert found is not None
    assert -1 <= found.low <= found.high <= 1


def simulated(chance: random.Random, n: int, *, factor: float) -> list[tuple[float, float]]:
    """Tokens of `n` tasks, which differ much, each done twice, which differs little."""
    pairs: list[tuple[float, float]] = []
    for _ in range(n):
        task = chance.gauss(9, 0.6)
        one, other = (math.exp(task + chance.gauss(0, 0.25)) for _ in range(2))
        pairs.append((one * factor, other))
    return pairs


def share_of(n: int, *, factor: float, times: int = 1_500) -> tuple[float, float]:
    """How often the interval lies below 1, and how often it holds the truth."""
    chance = random.Random(7)
    below = held = 0
    for _ in range(times):
        found = ratio_of(simulated(chance, n, factor=factor))
        assert found is not None
        below += found.high < 1
        held += found.low <= factor <= found.high
    return below / times, held / times


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    for n in (8, 20):
        below, held = share_of(n, factor=1.0)
        assert held == pytest.approx(0.95, abs=0.02)
        assert below < 0.04  # an effect that is not there, in one direction


@pytest.mark.parametrize(
    ("n", "factor", "power"), [(10, 0.8, 0.43), (10, 0.6, 0.98), (20, 0.8, 0.76), (30, 0.8, 0.91)]
)
def test_pairs_show_a_saving_as_often_as_was_reckoned(n: int, factor: float, power: float) -> None:
    below, _ = share_of(n, factor=factor)
    assert below == pytest.approx(power, abs=0.05)
