"""Intervals of shares: held against the equation they solve, and against simulated raters whose true shares are known."""

import numpy as np
import pytest
from scipy.stats import beta, binom

from genbench.study import intervals
from genbench.study.intervals import over_raters, wilson


@pytest.mark.parametrize(("count", "n"), [(0, 1), (1, 1), (0, 20), (3, 20), (20, 20), (411, 1000), (7, 9999)])
def test_wilsons_ends_are_the_shares_that_lie_just_so_far(count: int, n: int) -> None:
    """Each end p solves |count/n - p| = 1.96 √(p(1 - p)/n), but where all answers are alike and it is 0 or 1."""
    z, share = 1.959963984540054, count / n
    for end in wilson(count, n):
        assert abs(share - end) == pytest.approx(z * (end * (1 - end) / n) ** 0.5, abs=1e-9)
    assert wilson(count, n)[0] <= share <= wilson(count, n)[1]


@pytest.mark.parametrize(("count", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_what_is_no_share(count: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"{count} of {n}: expected a count of at least one answer"):
        wilson(count, n)


@pytest.mark.parametrize("share", [0.1, 0.4, 0.5, 0.9])
def test_wilson_covers_the_true_share_of_independent_answers(share: float) -> None:
    """The chance is summed exactly over every count of 200 answers that there can be."""
    held = [low <= share <= high for low, high in (wilson(count, 200) for count in range(201))]
    assert binom.pmf(np.arange(201), 200, share)[held].sum() == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("raters", [8, 20])
def test_resampled_raters_cover_the_mean_of_raters_who_differ_and_wilson_does_not(raters: int) -> None:
    rng = np.random.default_rng(0)
    studies, images = 300, 40
    held = wilson_held = 0
    for _ in range(studies):
        shares = rng.binomial(images, beta.rvs(3, 7, size=raters, random_state=rng)) / images  # mean .3, sd .14
        low, high = over_raters(shares)
        held += low <= 0.3 <= high
        low, high = wilson(round(images * shares.sum()), images * raters)
        wilson_held += low <= 0.3 <= high
    assert 0.91 <= held / studies <= 0.98
    assert wilson_held / studies < 0.75


@pytest.mark.parametrize(("raters", "least", "most"), [(2, 0.45, 0.65), (3, 0.7, 0.88), (4, 0.8, 0.93)])
def test_fewer_than_five_raters_get_too_narrow_an_interval(raters: int, least: float, most: float, monkeypatch) -> None:
    monkeypatch.setattr(intervals, "DRAWS", 2000)
    rng = np.random.default_rng(0)
    shares = rng.binomial(40, beta.rvs(3, 7, size=(300, raters), random_state=rng)) / 40
    found = [over_raters(each) or (each[0], each[0]) for each in shares]
    assert least < np.mean([low <= 0.3 <= high for low, high in found]) < most


def test_over_raters_is_the_same_each_time_and_whatever_their_order() -> None:
    shares = [0.1, 0.25, 0.3, 0.55, 0.6]
    assert over_raters(shares) == over_raters(shares) == over_raters(shares[::-1])


def test_over_raters_says_nothing_of_one_and_all_of_those_who_agree() -> None:
    assert over_raters([0.4]) is None
    assert over_raters([0.25] * 6) is None


def test_over_raters_is_wider_than_plain_quantiles_by_what_students_t_asks_for(monkeypatch) -> None:
    """For 30 raters, near the t interval with n - 1 degrees of freedom; plain quantiles are narrower by 1/√(1 - 1/n)."""
    monkeypatch.setattr(intervals, "DRAWS", 200_000)
    shares = np.linspace(0.2, 0.6, 30)
    low, high = over_raters(shares)
    t = 2.045 * shares.std(ddof=1) / np.sqrt(30)
    assert (high - low) / 2 == pytest.approx(t, rel=0.01)
