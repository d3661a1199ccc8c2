"""Intervals, tests and rank ranges against scipy and hand values, their invariances, and error rates by simulation."""

import math
import random
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
from scipy import special, stats

from genbench.ranking import statistics
from genbench.ranking.statistics import RankRange, Row

SIMULATED = 20_000
"""Tables per simulation: the standard error of a rate near .05 is then .0015."""


def drawn(n: int, seed: int, mean: float = 0.0, sd: float = 1.0) -> list[float]:
    draw = random.Random(seed)
    return [draw.gauss(mean, sd) for _ in range(n)]


def ranges(*rows: Sequence[float] | Row, higher: bool = True, alpha: float = 0.05) -> list[tuple[int, int] | None]:
    found = statistics.rank_ranges([r if isinstance(r, Row) else Row(r) for r in rows], higher, alpha)
    return [None if rank is None else (rank.low, rank.high) for rank in found]


# Intervals -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 5, 30])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_summary_is_scipys(n: int, level: float) -> None:
    values = drawn(n, seed=n, mean=27.9, sd=0.2)
    found = statistics.summarise(values, level)
    low, high = stats.t.interval(level, n - 1, loc=np.mean(values), scale=stats.sem(values))
    assert (found.n, found.mean) == (n, pytest.approx(np.mean(values)))
    assert found.sd == pytest.approx(np.std(values, ddof=1))
    assert found.stderr == pytest.approx(stats.sem(values))
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_one_value_has_no_error() -> None:
    assert statistics.summarise([3.5]) == statistics.Summary(1, 3.5, None, None, None, None)


@pytest.mark.parametrize("value", [0.1, -256075.1, 1e300, 1 / 3, 0.0])
@pytest.mark.parametrize("n", [2, 3, 5, 7, 10])
def test_equal_values_have_no_spread(value: float, n: int) -> None:
    found = statistics.summarise([value] * n)
    assert (found.mean, found.sd, found.stderr, found.low, found.high) == (value, 0.0, 0.0, value, value)


def test_spread_survives_a_large_offset() -> None:
    steps = [0.0, 2.0**-30, 2.0**-29]  # exact beside the offset
    found = statistics.summarise([-256075.0 + step for step in steps])
    assert found.sd == np.std(steps, ddof=1)
    assert found.mean == -256075.0 + 2.0**-30


def test_summary_has_the_same_bits_in_any_order_and_of_any_numbers() -> None:
    values = drawn(6, seed=1, mean=1e6)
    assert statistics.summarise(values) == statistics.summarise(sorted(values))
    assert statistics.summarise([1, 2, 4]) == statistics.summarise(np.array([1.0, 2.0, 4.0]).tolist())
    assert type(statistics.summarise(np.array([1.0, 3.0])).mean) is float  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [2, 3, 5])
def test_prediction_interval_is_scipys(n: int) -> None:
    values = drawn(n, seed=n, mean=-3)
    scale = np.std(values, ddof=1) * math.sqrt(1 + 1 / n)
    expected = stats.t.interval(0.9, n - 1, loc=np.mean(values), scale=scale)
    assert statistics.prediction_interval(values, 0.9) == pytest.approx(expected)


SHARES = ([0.98, 0.99, 0.9999], [0.001, 0.0, 0.004], [1.0, 1.0, 0.9], [0.5, 0.1, 0.9], [1e-9, 3e-9, 2e-8])


@pytest.mark.parametrize("values", SHARES)
@pytest.mark.parametrize("bounds", [(0.0, 1.0), (0.0, math.log(2)), (-3.0, 5.0)])
def test_intervals_of_bounded_scores_stay_within(values: list[float], bounds: tuple[float, float]) -> None:
    least, width = bounds[0], bounds[1] - bounds[0]
    scaled = [least + width * value for value in values]
    for low, high in (
        (lambda s: (s.low, s.high))(statistics.summarise(scaled, bounds=bounds)),
        statistics.prediction_interval(scaled, bounds=bounds),
    ):
        assert least <= low < np.mean(scaled) < high <= bounds[1]
    plain = statistics.summarise(scaled)
    assert plain.low < least or plain.high > bounds[1]
    found = statistics.summarise(scaled, bounds=bounds)
    assert (found.mean, found.sd, found.stderr) == (plain.mean, plain.sd, plain.stderr)


def test_the_interval_of_a_share_is_a_t_interval_of_its_logit() -> None:
    values = drawn(5, seed=3, mean=0.9, sd=0.02)
    mean = float(np.mean(values))
    slope = 1 / mean + 1 / (1 - mean)  # of log(m / (1 - m))
    on_logits = stats.t.interval(0.95, 4, loc=math.log(mean / (1 - mean)), scale=slope * stats.sem(values))
    found = statistics.summarise(values, bounds=(0.0, 1.0))
    assert (found.low, found.high) == pytest.approx(tuple(1 / (1 + math.exp(-end)) for end in on_logits))


def test_far_from_its_bounds_a_share_has_nearly_the_symmetric_interval() -> None:
    values = drawn(5, seed=4, mean=0.5, sd=0.001)
    bounded, plain = statistics.summarise(values, bounds=(0.0, 1.0)), statistics.summarise(values)
    assert (bounded.low, bounded.high) == pytest.approx((plain.low, plain.high), abs=1e-6)


def test_what_has_no_place_on_the_logit_scale_keeps_its_interval() -> None:
    for values in ([1.0, 1.0, 1.0], [1.5, 1.7, 1.6], [-0.1, 0.1, 0.0]):
        assert statistics.summarise(values, bounds=(0.0, 1.0)) == statistics.summarise(values)


@pytest.mark.parametrize("n", [3, 5])
@pytest.mark.parametrize("centre", [0.5, 0.9, 0.98])
def test_intervals_of_shares_cover_what_they_say(n: int, centre: float) -> None:
    drawn_logits = np.random.default_rng(n).normal(math.log(centre / (1 - centre)), 0.2, (4000, n))
    values = 1 / (1 + np.exp(-drawn_logits))
    true = float(values.mean())
    found = [statistics.summarise(row, bounds=(0.0, 1.0)) for row in values.tolist()]
    assert np.mean([s.low <= true <= s.high for s in found]) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_intervals_cover_what_they_say(n: int) -> None:
    values = np.random.default_rng(n).normal(5, 2, (SIMULATED, n + 1))
    covered = hit = 0
    for row in values[:4000].tolist():  # the functions themselves
        found = statistics.summarise(row[:n])
        low, high = statistics.prediction_interval(row[:n])
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 5 <= found.high
        hit += low <= row[n] <= high
    means, sds = values[:, :n].mean(1), values[:, :n].std(1, ddof=1)
    t = stats.t.ppf(0.975, n - 1)
    shares = [
        np.abs(means - 5) <= t * sds / math.sqrt(n),
        np.abs(values[:, n] - means) <= t * sds * math.sqrt(1 + 1 / n),
    ]
    assert covered == shares[0][:4000].sum()
    assert hit == shares[1][:4000].sum()
    for share in shares:  # many more, by the same formulas
        assert 0.94 <= share.mean() <= 0.96


# Tests ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "m"), [(2, 2), (3, 3), (3, 5), (5, 2), (40, 30)])
@pytest.mark.parametrize(("shift", "sd"), [(0.0, 1.0), (1.0, 1.0), (3.0, 0.001), (50.0, 20.0)])
def test_welch_is_scipys(n: int, m: int, shift: float, sd: float) -> None:
    a, b = drawn(n, seed=n), drawn(m, seed=100 + m, mean=shift, sd=sd)
    assert statistics.welch(a, b) == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue, rel=1e-9)
    assert statistics.welch(a, b) == statistics.welch(b, a)


@pytest.mark.parametrize("power", [-600, -300, 0, 300, 600])
def test_welch_depends_on_no_scale(power: int) -> None:
    a, b = drawn(3, seed=1), drawn(4, seed=2, mean=1)
    scale = 2.0**power
    scaled = statistics.welch([x * scale for x in a], [x * scale for x in b])
    assert scaled == pytest.approx(statistics.welch(a, b), rel=1e-12)


def test_welch_depends_on_no_offset() -> None:
    a, b = [0.0, 1.0, 3.0], [2.0, 2.5, 4.0]
    moved = statistics.welch([x - 256075 for x in a], [x - 256075 for x in b])
    assert moved == pytest.approx(statistics.welch(a, b), rel=1e-9)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [([0.1] * 3, [0.1] * 5, 1.0), ([0.1] * 3, [math.nextafter(0.1, 1)] * 3, 0.0), ([1.0, 1.0], [2.0, 2.0], 0.0)],
)
def test_welch_compares_exactly_where_nothing_varies(a: list[float], b: list[float], expected: float) -> None:
    assert statistics.welch(a, b) == expected


def test_welch_with_one_constant_side_is_the_one_sample_test() -> None:
    values = drawn(4, seed=3)
    expected = stats.ttest_1samp(values, 0.5).pvalue
    assert statistics.welch(values, [0.5] * 3) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("pvalues", "expected"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.005, 0.01, 0.03, 0.04], [0.02, 0.03, 0.06, 0.06]),
        ([0.02, 0.02, 0.02], [0.06, 0.06, 0.06]),
        ([0.9, 0.001, 0.6], [1.0, 0.003, 1.0]),
        ([0.0, 1.0], [0.0, 1.0]),
        ([0.04], [0.04]),
        ([], []),
    ],
)
def test_holm_by_hand(pvalues: list[float], expected: list[float]) -> None:
    assert statistics.holm(pvalues) == pytest.approx(expected)


def test_holm_lies_between_no_correction_and_bonferroni_and_keeps_the_order() -> None:
    draw = random.Random(0)
    for _ in range(200):
        pvalues = [draw.random() ** 3 for _ in range(draw.randrange(1, 12))]
        adjusted = statistics.holm(pvalues)
        assert all(p <= q <= min(1, p * len(pvalues)) for p, q in zip(pvalues, adjusted, strict=True))
        order = sorted(range(len(pvalues)), key=pvalues.__getitem__)
        assert [adjusted[i] for i in order] == sorted(adjusted)


# Rank ranges ---------------------------------------------------------------------------------------------------------

HIGH, MIDDLE, LOW = [9.0, 9.1, 9.2], [5.0, 5.1, 5.2], [1.0, 1.1, 1.2]
WIDE = [0.0, 5.0, 10.0]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], []),
        ([HIGH], [(1, 1)]),
        ([MIDDLE, HIGH, LOW], [(2, 2), (1, 1), (3, 3)]),
        ([HIGH, HIGH, LOW], [(1, 2), (1, 2), (3, 3)]),
        ([HIGH, LOW, WIDE], [(1, 2), (2, 3), (1, 3)]),
        ([HIGH, [3.0], LOW], [(1, 1), None, (2, 2)]),
        ([[3.0], []], [None, None]),
        ([[1.0, 1.0], [1.0, 1.0], [1.5, 1.5]], [(2, 3), (2, 3), (1, 1)]),
        ([[1.0, 1.0], HIGH], [(2, 2), (1, 1)]),
    ],
)
def test_rank_ranges(rows: list[list[float]], expected: list[tuple[int, int] | None]) -> None:
    assert ranges(*rows) == expected


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([Row(HIGH, complete=False), Row(LOW)], [(1, 2), (1, 2)]),
        ([Row(HIGH), Row(LOW, complete=False)], [(1, 1), (2, 2)]),
        ([Row(HIGH, complete=False), Row(MIDDLE), Row(LOW)], [(1, 3), (1, 2), (2, 3)]),
        ([Row(HIGH), Row(MIDDLE, complete=False), Row(LOW)], [(1, 1), (2, 3), (2, 3)]),
        ([Row(HIGH, complete=False), Row(LOW, complete=False)], [(1, 2), (1, 2)]),
        ([Row(HIGH), Row([20.0], complete=False)], [(1, 1), None]),
        ([Row([2.0, 2.0], complete=False), Row([1.0, 1.0])], [(1, 2), (1, 2)]),
    ],
)
def test_incomplete_rows_never_win(rows: list[Row], expected: list[tuple[int, int] | None]) -> None:
    assert ranges(*rows) == expected


def random_rows(seed: int) -> list[Row]:
    draw = random.Random(seed)
    models = draw.randrange(2, 6)
    return [Row(drawn(draw.choice([1, 3, 5]), seed + k, mean=4 * k % 7), draw.random() < 0.8) for k in range(models)]


@pytest.mark.parametrize("seed", range(0, 2000, 100))
def test_rank_ranges_do_not_depend_on_order_scale_shift_or_direction(seed: int) -> None:
    rows = random_rows(seed)
    expected = ranges(*rows)
    order = random.Random(seed).sample(range(len(rows)), len(rows))
    assert ranges(*(rows[i] for i in order)) == [expected[i] for i in order]
    assert ranges(*(Row([8 * x - 1024 for x in row.values], row.complete) for row in rows)) == expected
    assert ranges(*(Row([-x for x in row.values], row.complete) for row in rows), higher=False) == expected


@pytest.mark.parametrize("seed", range(0, 2000, 100))
def test_the_other_direction_turns_the_ranges_of_complete_rows_round(seed: int) -> None:
    rows = [Row(row.values) for row in random_rows(seed)]
    ranked = sum(len(row.values) >= 2 for row in rows)
    turned = [rank and (ranked + 1 - rank[1], ranked + 1 - rank[0]) for rank in ranges(*rows)]
    assert ranges(*rows, higher=False) == turned


@pytest.mark.parametrize("seed", range(0, 2000, 100))
def test_rank_ranges_say_what_the_pairs_say(seed: int) -> None:
    rows = [row for row in random_rows(seed) if len(row.values) >= 2]
    pairs = list(combinations(range(len(rows)), 2))
    pvalues = [stats.ttest_ind(rows[i].values, rows[j].values, equal_var=False).pvalue for i, j in pairs]
    beats = np.zeros((len(rows), len(rows)), dtype=bool)
    for rank, k in enumerate(np.argsort(pvalues)):  # step down until the first that does not reject
        if pvalues[k] > 0.05 / (len(pairs) - rank):
            break
        i, j = sorted(pairs[k], key=lambda m: -np.mean(rows[m].values))
        beats[i, j] = rows[i].complete
    expected = [(1 + int(beats[:, i].sum()), len(rows) - int(beats[i].sum())) for i in range(len(rows))]
    assert ranges(*rows) == expected


def test_a_stricter_alpha_never_narrows_a_range() -> None:
    for seed in range(0, 3000, 100):
        rows = random_rows(seed)
        for strict, loose in zip(ranges(*rows, alpha=0.001), ranges(*rows, alpha=0.1), strict=True):
            if strict and loose:
                assert strict[0] <= loose[0] <= loose[1] <= strict[1]


def test_rank_ranges_are_of_their_type() -> None:
    assert statistics.rank_ranges([Row(HIGH), Row(LOW)], higher_is_better=False) == [RankRange(2, 2), RankRange(1, 1)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[1.0, 1.0], [2.0, 2.0]], True),
        ([[1.0, 1.0], HIGH], False),
        ([[1.0], [2.0, 2.0]], False),
        ([HIGH, LOW], False),
        ([], False),
    ],
)
def test_compared_exactly(rows: list[list[float]], expected: bool) -> None:
    assert statistics.compared_exactly([Row(values) for values in rows]) is expected


# The smallest difference ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seeds", "models", "expected"), [(3, 2, 2.3), (3, 5, 4.6), (5, 2, 1.5), (5, 5, 2.4)])
def test_smallest_difference_as_captions_print_it(seeds: int, models: int, expected: float) -> None:
    found = statistics.smallest_difference(seeds, models)
    assert found is not None
    assert round(found, 1) == expected


@pytest.mark.parametrize(("seeds", "models"), [(1, 2), (0, 5), (3, 1), (3, 0)])
def test_nothing_can_show_without_two_seeds_and_models(seeds: int, models: int) -> None:
    assert statistics.smallest_difference(seeds, models) is None


@pytest.mark.parametrize("models", [2, 3, 5])
@pytest.mark.parametrize("factor", [0.999, 1.001])
def test_smallest_difference_is_where_a_pair_begins_to_count(models: int, factor: float) -> None:
    least = statistics.smallest_difference(3, models)
    assert least is not None
    values = [-1.0, 0.0, 1.0]  # of standard deviation 1
    rows = [values] * (models - 1)  # all alike, so that one pair at most counts at the first step
    pvalue = statistics.welch(values, [x + factor * least for x in values])
    assert (statistics.holm([pvalue] + [1.0] * (math.comb(models, 2) - 1))[0] <= 0.05) is (factor > 1)
    assert (ranges(*rows, [x + factor * least for x in values])[-1] == (1, 1)) is (factor > 1)


# What is refused -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: statistics.summarise([]), "no values: expected at least one"),
        (lambda: statistics.summarise([1.0, math.nan]), "value nan: expected finite numbers"),
        (lambda: statistics.summarise([-math.inf]), "value -inf: expected finite numbers"),
        (lambda: statistics.summarise([1.0, 2.0], level=1.0), r"level 1\.0: expected a number between 0 and 1"),
        (lambda: statistics.prediction_interval([1.0]), r"1 value\(s\): expected at least two"),
        (lambda: statistics.prediction_interval([1.0, 2.0], level=95), "level 95: expected a number between 0 and 1"),
        (lambda: statistics.welch([1.0], [1.0, 2.0]), r"1 value\(s\): expected at least two"),
        (lambda: statistics.welch([1.0, 2.0], []), r"0 value\(s\): expected at least two"),
        (lambda: statistics.welch([1.0, 2.0], [1.0, math.inf]), "value inf: expected finite numbers"),
        (lambda: statistics.holm([0.5, 1.5]), r"p value 1\.5: expected a number from 0 to 1"),
        (lambda: statistics.holm([math.nan]), "p value nan: expected a number from 0 to 1"),
        (lambda: ranges(HIGH, [math.nan, 1.0]), "value nan: expected finite numbers"),
        (lambda: ranges(HIGH, LOW, alpha=0), "alpha 0: expected a number between 0 and 1"),
        (lambda: statistics.smallest_difference(3, 2, alpha=1.5), r"alpha 1\.5: expected a number between 0 and 1"),
    ],
)
def test_refusals(call: object, message: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=message):
        call()


# Error rates ---------------------------------------------------------------------------------------------------------


def wrong_shares(means: Sequence[float], sds: Sequence[float], seeds: int) -> float:
    """Return the share of simulated tables with a wrong strict ordering, and check some against `rank_ranges`.

    A strict ordering is wrong where a row counts as better than one whose true mean is equal or higher.
    """
    values = np.random.default_rng(seeds * 100 + len(means)).normal(means, sds, (SIMULATED, seeds, len(means)))
    beats = significant(values)
    wrong = (beats & (np.asarray(means)[:, None] <= np.asarray(means))).any((1, 2))
    for table, won in zip(values[:60], beats, strict=False):
        expected = [(1 + int(won[:, i].sum()), len(means) - int(won[i].sum())) for i in range(len(means))]
        assert ranges(*table.T.tolist()) == expected
    return float(wrong.mean())


def significant(values: np.ndarray) -> np.ndarray:
    """Return which model is significantly better than which, (tables, models, models), of (tables, seeds, models)."""
    seeds, models = values.shape[1:]
    means, squares = values.mean(1), values.var(1, ddof=1) / seeds
    i, j = np.triu_indices(models, 1)
    gaps, total = means[:, i] - means[:, j], squares[:, i] + squares[:, j]  # (tables, pairs)
    df = (seeds - 1) * total**2 / (squares[:, i] ** 2 + squares[:, j] ** 2)
    pvalues = 2 * special.stdtr(df, -np.abs(gaps) / np.sqrt(total))
    order = np.argsort(pvalues, 1)
    passes = np.take_along_axis(pvalues, order, 1) <= 0.05 / np.arange(len(i), 0, -1)
    rejected = np.empty_like(passes)
    np.put_along_axis(rejected, order, np.logical_and.accumulate(passes, 1), 1)
    beats = np.zeros((len(values), models, models), dtype=bool)
    beats[:, i, j], beats[:, j, i] = rejected & (gaps > 0), rejected & (gaps < 0)
    return beats


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("models", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("spread", [1.0, 2.0, 10.0])
def test_equal_models_are_seldom_told_apart(models: int, seeds: int, spread: float) -> None:
    assert wrong_shares([0.0] * models, spread ** np.linspace(0, 1, models), seeds) <= 0.06


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize(
    "means", [[0, 0, 0, 20], [0, 0, 20, 20], [0, 1, 2, 3], [0, 0, 3, 3, 6, 6], [0, 0, 0, 0.5, 40, 80]]
)
@pytest.mark.parametrize("spread", [1.0, 10.0])
def test_wrong_strict_orderings_are_as_rare_beside_real_differences(
    means: list[float], seeds: int, spread: float
) -> None:
    assert wrong_shares(means, spread ** np.linspace(0, 1, len(means)), seeds) <= 0.06


def test_real_differences_are_found() -> None:
    values = np.random.default_rng(0).normal([0, 10, 20], 1, (2000, 5, 3))
    beats = significant(values)
    assert beats[:, 2, 0].mean() > 0.999
    assert beats[:, 1, 0].mean() > 0.99
