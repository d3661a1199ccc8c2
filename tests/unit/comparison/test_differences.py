"""Differences of scores: intervals that hold the truth as often as they say, chances and numbers of seeds."""

import importlib.util
import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from places import ROOT
from scipy import stats

from genbench.comparison import differences
from genbench.comparison.differences import Scores, Spread, difference
from genbench.comparison.power import MOST, is_limited_by_images, power, seeds_needed


def script() -> ModuleType:
    """Return the module of the script that simulates."""
    path = ROOT / "benchmarks" / "statistics" / "coverage.py"
    spec = importlib.util.spec_from_file_location("simulated_coverage", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclass looks for types
    spec.loader.exec_module(module)
    return module


coverage = script()


def scores(*values: float, first: int = 0, per_image: np.ndarray | None = None) -> Scores:
    return Scores(dict(enumerate(values, first)), per_image)


# How often intervals hold the truth


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
@pytest.mark.parametrize(("paired", "b_spread", "shared"), [(True, 1.0, 0.8), (False, 1.0, 0.0), (False, 0.1, 0.0)])
def test_intervals_over_seeds_hold_the_truth_and_a_plain_bootstrap_does_not(
    seeds: int, paired: bool, b_spread: float, shared: float
) -> None:
    held, plain = coverage.covered(coverage.Case(seeds, paired, b_spread, shared), 200)
    assert 0.91 <= held <= 0.99
    assert plain < held
    assert seeds > 3 or plain < 0.85


@pytest.mark.parametrize("seeds", [2, 5])
@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize(("images", "together"), [(1.0, 0.3), (3.0, 1.0)])
def test_intervals_over_seeds_and_images_hold_the_truth(
    seeds: int, paired: bool, images: float, together: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(differences, "DRAWS", 400)
    held, _ = coverage.covered(coverage.Case(seeds, paired, images=images, together=together), 150)
    assert held >= 0.92


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
@pytest.mark.parametrize("how", coverage.HOW)
@pytest.mark.parametrize("noise", coverage.NOISES)
def test_no_coverage_is_far_below_95_percent(
    seeds: int, how: tuple[bool, float, float], noise: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(differences, "DRAWS", 1000)
    held, _ = coverage.covered(coverage.Case(seeds, *how, *noise), 500)
    assert held >= 0.925
    assert held <= (0.975 if seeds == 10 else 1)


# What intervals are made of


def test_without_images_intervals_are_those_of_t_tests() -> None:
    a, b = [1.0, 2.5, 2.0], [0.5, 1.0, 3.5]
    found = difference(scores(*a), scores(*b))
    assert found.paired
    assert (found.low, found.high) == pytest.approx(tuple(stats.ttest_rel(a, b).confidence_interval()))
    found = difference(scores(*a), scores(*b, 2.0, first=7))
    assert (found.paired, found.seeds) == (False, (3, 4))
    expected = stats.ttest_ind(a, [*b, 2.0], equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx(tuple(expected))
    assert found.means == pytest.approx((np.mean(a), np.mean([*b, 2.0])))


def test_of_one_seed_the_interval_is_a_bootstrap_of_images_and_speaks_of_no_other_seed() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.exponential(size=(1, 60)), rng.normal(size=(1, 60))
    found = difference(scores(a.mean(), per_image=a), scores(b.mean(), per_image=b))
    expected = stats.bootstrap(
        ((a - b)[0],), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(5)
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.02)
    assert (found.over_seeds, found.sign, found.greater, found.images) == (False, 0, None, 60)
    assert seeds_needed(found) is None


def test_one_seed_without_images_tells_nothing() -> None:
    found = difference(scores(1.0), scores(3.0))
    assert (found.low, found.high, found.greater, found.sign, found.mean) == (None, None, None, 0, -2.0)
    assert difference(scores(1.0, 2.0, 3.0), scores(3.0)).low is None
    with pytest.raises(ValueError, match="no scores: expected one seed or more of each"):
        difference(scores(), scores(3.0))


def test_images_that_are_hard_for_both_alike_cancel_out() -> None:
    rng = np.random.default_rng(2)
    hard = 100 * rng.normal(size=200)
    a, b = (hard + mean + 0.01 * rng.normal(size=(3, 200)) for mean in (1.0, 0.0))
    found = difference(scores(*a.mean(1), per_image=a), scores(*b.mean(1), per_image=b))
    assert found.low is not None
    assert found.low > 0.9


@pytest.mark.parametrize("seeds", [2, 3, 8])
def test_where_images_hardly_vary_the_joint_interval_is_that_of_the_t_test(seeds: int) -> None:
    rng = np.random.default_rng(10)
    a, b = rng.normal(size=(2, seeds))
    images = 0.01 * rng.normal(size=40)
    images -= images.mean()
    found = difference(scores(*a, per_image=a[:, None] + images), scores(*b, per_image=b[:, None] - images))
    assert found.images == 40
    expected = stats.ttest_rel(a, b).confidence_interval()
    assert (found.low, found.high) == pytest.approx(tuple(expected), rel=0.02)


def test_what_seed_and_image_make_only_together_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the seeds' variance holds it already: without images' own part, the interval is that of seeds alone."""
    monkeypatch.setattr(differences, "DRAWS", 2000)
    rng = np.random.default_rng(3)
    ratios = []
    for _ in range(60):
        a, b = rng.normal(size=(2, 4, 200))
        joint = difference(scores(*a.mean(1), per_image=a), scores(*b.mean(1), per_image=b))
        alone = difference(scores(*a.mean(1)), scores(*b.mean(1)))
        assert None not in (joint.low, joint.high, alone.low, alone.high)
        ratios.append((joint.high - joint.low) / (alone.high - alone.low))  # type: ignore[operator]
    assert 1 <= np.median(ratios) < 1.03  # 1.09 where it is counted twice


def test_images_of_unlike_number_take_no_part() -> None:
    a, b = np.zeros((2, 5)), np.zeros((2, 6))
    assert difference(scores(1.0, 2.0, per_image=a), scores(1.0, 3.0, per_image=b)).images == 0


def test_seeds_that_one_alone_has_are_left_out_of_pairs() -> None:
    rng = np.random.default_rng(4)
    images = rng.normal(size=(4, 30))
    a = scores(*images.mean(1), per_image=images)
    b = Scores({3: 0.5, 1: 0.2}, images[2:])
    found = difference(a, b)
    assert (found.paired, found.seeds, found.left_out) == (True, (2, 2), (0, 2))
    same = difference(
        Scores({1: a.by_seed[1], 3: a.by_seed[3]}, images[[1, 3]]), Scores({1: 0.2, 3: 0.5}, images[[3, 2]])
    )
    assert found == replace(same, left_out=(0, 2))
    assert not difference(a, b, by_seed=False).paired


def test_the_same_scores_give_the_same_interval_and_no_one_elses_randomness_changes() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=(2, 3, 50))
    np.random.seed(7)
    before = np.random.get_state()[1].tolist()  # type: ignore[index, union-attr]
    first, second = (difference(scores(*a.mean(1), per_image=a), scores(*b.mean(1), per_image=b)) for _ in range(2))
    assert first == second
    assert np.random.get_state()[1].tolist() == before  # type: ignore[index, union-attr]


def test_what_never_varies_is_compared_exactly() -> None:
    found = difference(scores(2.0, 2.0), scores(1.0, 1.0))
    assert (found.low, found.high, found.greater, found.sign, seeds_needed(found)) == (1.0, 1.0, 1.0, 1, 2)
    equal = difference(scores(0.1, 0.1, 0.1), scores(0.1, 0.1, 0.1))
    assert (equal.low, equal.high, equal.greater, seeds_needed(equal)) == (0.0, 0.0, None, None)


# A further seed


def test_of_many_seeds_the_chance_is_that_of_normal_distributions() -> None:
    rng = np.random.default_rng(6)
    z = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    a, b = 1 + 2 * rng.permutation(z), 0.5 * rng.permutation(z)
    found = difference(scores(*a), scores(*b, first=50_000))
    assert found.greater == pytest.approx(stats.norm.cdf(1 / np.hypot(2, 0.5)), abs=1e-3)


def test_the_chance_is_students_t_of_a_further_seed() -> None:
    a, b = np.array([1.0, 2.5, 2.0]), np.array([0.5, 1.0, 3.5, 1.0])
    d = a - b[:3]
    expected = stats.t.cdf(d.mean() / (d.std(ddof=1) * (4 / 3) ** 0.5), 2)
    assert difference(scores(*a), scores(*b[:3])).greater == pytest.approx(expected)
    parts = np.array([a.var(ddof=1) * 4 / 3, b.var(ddof=1) * 5 / 4])
    df = parts.sum() ** 2 / (parts[0] ** 2 / 2 + parts[1] ** 2 / 3)
    expected = stats.t.cdf((a.mean() - b.mean()) / parts.sum() ** 0.5, df)
    assert difference(scores(*a), scores(*b, first=9)).greater == pytest.approx(expected)


@pytest.mark.parametrize(("seeds", "paired"), [(2, True), (3, True), (5, False)])
def test_the_chance_of_a_further_seed_is_as_often_right_as_it_says(seeds: int, paired: bool) -> None:
    """Where B's further seed is moved by what just turns it, its place among the predicted is uniform."""
    rng, places = np.random.default_rng(8), []
    for _ in range(800):
        *a, next_a = rng.normal(size=seeds + 1)
        *b, next_b = rng.normal(size=seeds + 1)
        moved = next_a - next_b
        found = difference(scores(*(np.array(a) - moved)), scores(*b, first=0 if paired else 99))
        places.append(found.greater)
    assert stats.kstest(places, "uniform").pvalue > 0.01


# How many seeds


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("effect", [0.4, 0.7, 1.5, 4.0])
def test_power_is_that_of_the_noncentral_t(effect: float, paired: bool) -> None:
    for seeds in (2, 3, 7, 20):
        df, terms = (seeds - 1, 1) if paired else (2 * seeds - 2, 2)
        distance, beyond = effect * (seeds / terms) ** 0.5, stats.t.isf(0.025, df)
        expected = stats.nct.sf(beyond, df, distance) + stats.nct.cdf(-beyond, df, distance)
        if np.isnan(expected):
            continue  # a fault of scipy's, far out
        assert power(effect, Spread(((1.0, 9),) * terms), seeds) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("effect", "paired", "expected"), [(0.5, False, 64), (0.8, False, 26), (0.5, True, 34)])
def test_seeds_needed_are_those_of_cohens_tables(effect: float, paired: bool, expected: int) -> None:
    """Cohen 1988, table 2.4.1, power .80, alpha .05 two-sided; paired by G*Power."""
    values = (effect - 0.5**0.5, effect + 0.5**0.5)
    b = (0.0, 0.0) if paired else (-(0.5**0.5), 0.5**0.5)
    found = difference(scores(*values), scores(*b, first=0 if paired else 9))
    assert found.mean == pytest.approx(effect)
    assert seeds_needed(found) == expected


def test_seeds_needed_know_of_images() -> None:
    rng = np.random.default_rng(9)
    images = rng.normal(size=100)
    images -= images.mean()
    b = np.zeros((3, 100))

    def at(mean: float, spread: float) -> differences.Difference:
        a = mean + spread * np.array([-1.0, 0.0, 1.0])[:, None] + images
        return difference(scores(*a.mean(1), per_image=a), scores(*b.mean(1), per_image=b))

    few = at(0.1, 0.1)
    assert seeds_needed(few) is None
    assert is_limited_by_images(few)
    found = at(0.32, 0.3)
    assert not is_limited_by_images(found)
    beyond = stats.norm.isf(0.025) + stats.norm.isf(0.2)  # of so many seeds the t distribution is near the normal
    expected = 0.3**2 / ((0.32 / beyond) ** 2 - images.var(ddof=1) / 100)
    needed = seeds_needed(found)
    assert needed is not None
    assert expected < needed < expected + 3
    alone = difference(scores(0.02, 0.32, 0.62), scores(0.0, 0.0, 0.0))
    assert (seeds_needed(alone), is_limited_by_images(alone)) == (10, False)


def test_seeds_are_counted_to_a_most() -> None:
    found = difference(scores(-1.0, 1.0, 0.001), scores(0.0, 0.0, 0.0))
    assert seeds_needed(found) is None
    assert power(found.mean, found.spread, MOST) < 0.8


@pytest.mark.parametrize(("seeds", "spread", "images", "mean"), [(2, 0.2, 0.5, 2.1), (5, 1.0, 0.7, 1.9)])
def test_power_is_how_often_the_joint_interval_leaves_out_0(
    seeds: int, spread: float, images: float, mean: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(differences, "DRAWS", 1000)
    rng, told, none = np.random.default_rng(11), 0, np.zeros((seeds, 50))
    for _ in range(300):
        hard = images * 50**0.5 * rng.normal(size=50)
        a = mean + spread * rng.normal(size=(seeds, 1)) + hard
        told += difference(scores(*a.mean(1), per_image=a), scores(*none.mean(1), per_image=none)).sign != 0
    assert told / 300 == pytest.approx(power(mean, Spread(((spread**2, seeds),)), seeds, images**2), abs=0.05)


def test_power_without_spread_over_seeds_is_that_of_the_images_alone() -> None:
    beyond = stats.norm.isf(0.025)
    expected = stats.norm.sf(beyond - 3) + stats.norm.cdf(-beyond - 3)
    assert power(3.0, Spread(()), 2, 1.0) == pytest.approx(expected, abs=1e-3)
    assert power(3.0, Spread(((0.0, 5),)), 5, 1.0) == pytest.approx(expected, abs=1e-3)
    assert power(0.0, Spread(((0.0, 5),)), 5) == 0.0
