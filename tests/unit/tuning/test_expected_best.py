"""The expected best of n configurations, held to every sample with replacement that there is, and to simulation."""

import itertools

import numpy as np
import pytest

from genbench.tuning.expected_best import expected_best

SCORES = [3.0, -1.5, 7.25, 3.0, 0.5]


@pytest.mark.parametrize("best", [max, min])
def test_it_is_that_over_all_samples_with_replacement(best) -> None:
    found = expected_best(SCORES, higher_is_better=best is max)
    assert [each.n for each in found] == [1, 2, 3, 4, 5]
    for each in found:
        bests = [best(sample) for sample in itertools.product(SCORES, repeat=each.n)]
        assert each.mean == pytest.approx(np.mean(bests), rel=1e-12)
        assert each.sd == pytest.approx(np.std(bests), rel=1e-10)


def test_it_is_what_simulation_comes_to() -> None:
    random = np.random.default_rng(0)
    scores = random.normal(20, 5, 40)
    found = {each.n: each for each in expected_best(scores.tolist(), True)}
    for n in (1, 4, 40):
        bests = random.choice(scores, (40_000, n)).max(1)
        assert found[n].mean == pytest.approx(bests.mean(), abs=5 * bests.std() / 200)
        assert found[n].sd == pytest.approx(bests.std(), rel=0.03)


def test_the_order_of_scores_changes_nothing_and_it_never_falls() -> None:
    assert expected_best(SCORES[::-1], True) == expected_best(SCORES, True)
    means = [each.mean for each in expected_best(SCORES, True)]
    assert means == sorted(means)
    assert means[0] == pytest.approx(np.mean(SCORES))


def test_one_score_none_and_huge_ones() -> None:
    assert expected_best([], True) == []
    (one,) = expected_best([4.0], True)
    assert (one.mean, one.sd) == (4.0, 0.0)
    assert expected_best([-1e99, 1e99], True)[0].sd == pytest.approx(1e99)
