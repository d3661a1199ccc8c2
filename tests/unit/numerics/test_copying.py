"""Copiers of the training set score high and fresh samples near 0, by scipy's Mann-Whitney test."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from genbench.numerics.clusters import k_means, nearest_centres
from genbench.numerics.copying import closeness, copying_z, mann_whitney_z, two_nearest_squared_distances


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def as_scipy(first: Tensor, second: Tensor) -> float:
    """Return the z whose p-value scipy's asymptotic test gives."""
    options = {"alternative": "less", "method": "asymptotic", "use_continuity": False}
    return -scipy.stats.norm.ppf(scipy.stats.mannwhitneyu(first.numpy(), second.numpy(), **options).pvalue)


# The statistic -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 40), (100, 70)])
@pytest.mark.parametrize("shift", [-1.0, 0.0, 0.5])
def test_agrees_with_scipy(n: int, m: int, ties: bool, shift: float) -> None:
    first, second = normal(n).double() + shift, normal(m, seed=1).double()
    if ties:
        first, second = first.mul(2).round(), second.mul(2).round()
        first[0] = second[0] - 1  # so that not all are equal
    assert mann_whitney_z(first, second) == pytest.approx(as_scipy(first, second), rel=1e-9, abs=1e-9)


def test_the_sign_is_that_of_smaller_first_values() -> None:
    small, large = torch.arange(10.0), torch.arange(10.0) + 100
    assert mann_whitney_z(small, large) > 3
    assert mann_whitney_z(large, small) == -mann_whitney_z(small, large)


def test_equal_values_are_at_zero() -> None:
    assert mann_whitney_z(torch.zeros(20), torch.zeros(30)) == 0
    assert mann_whitney_z(normal(50), normal(50)) == 0


def test_under_equal_distributions_it_is_standard_normal() -> None:
    found = [mann_whitney_z(normal(60, seed=2 * s), normal(90, seed=2 * s + 1)) for s in range(2000)]
    assert np.mean(found) == pytest.approx(0, abs=0.09)
    assert np.std(found) == pytest.approx(1, abs=0.07)


@pytest.mark.parametrize(("first", "second"), [((0,), (3,)), ((3,), (0,))])
def test_no_values_are_refused(first: tuple[int], second: tuple[int]) -> None:
    with pytest.raises(ValueError, match="expected some of each, and no NaN"):
        mann_whitney_z(torch.zeros(first), torch.zeros(second))
    with pytest.raises(ValueError, match="2 of them NaN"):
        mann_whitney_z(torch.tensor([math.nan, 1.0]), torch.tensor([math.nan]))


# Nearest -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("memory_mib", [1e-9, 0.01, 128])
@pytest.mark.parametrize(("n", "m", "d"), [(5, 2, 3), (50, 3, 2), (60, 90, 700)])
def test_nearest_distances_are_scipys(n: int, m: int, d: int, memory_mib: float) -> None:
    x, reference = normal(n, d), normal(m, d, seed=1)
    expected = np.sort(cdist(x.double().numpy(), reference.double().numpy(), "sqeuclidean"), 1)[:, :2]
    found = two_nearest_squared_distances(x, reference, memory_mib)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("far", [0.0, 1e3])
def test_copies_are_at_exactly_zero_even_beside_near_copies(far: float) -> None:
    reference = normal(200, 784) + far
    near = reference + 1e-4
    both = torch.cat([near, reference])
    assert two_nearest_squared_distances(reference.flip(0), both)[:, 0].max() == 0
    assert closeness(reference.flip(0), both).max() == 0


def test_copies_of_an_example_that_occurs_twice_are_as_close_as_others() -> None:
    reference = normal(20, 5)
    assert closeness(reference, torch.cat([reference, reference])).tolist() == [0.0] * 20
    assert closeness(reference + 1, torch.cat([reference, reference])).tolist() == [1.0] * 20


def test_closeness_is_a_ratio_that_no_scale_changes() -> None:
    x, reference = normal(30, 4).double(), normal(50, 4, seed=1).double()
    first, second = np.sort(cdist(x.numpy(), reference.numpy()), 1)[:, :2].T
    np.testing.assert_allclose(closeness(x, reference).numpy(), (first / second) ** 2, rtol=1e-12)
    torch.testing.assert_close(closeness(1000 * x, 1000 * reference), closeness(x, reference))


# Copying -------------------------------------------------------------------------------------------------------------


def sets(n: int = 400, d: int = 12) -> tuple[Tensor, Tensor]:
    return normal(n, d), normal(n // 2, d, seed=1)


@pytest.mark.parametrize("cells", [1, 4])
@pytest.mark.parametrize("noise", [0.0, 1e-6, 0.1, 0.5])
def test_copies_are_called_copies(noise: float, cells: int) -> None:
    train, held_out = sets()
    assert copying_z(train, held_out, train[:200] + noise * normal(200, 12, seed=3), cells, generator()) > 4


@pytest.mark.parametrize("cells", [1, 4])
def test_fresh_samples_are_not(cells: int) -> None:
    train, held_out = sets()
    found = [copying_z(train, held_out, normal(200, 12, seed=seed), cells, generator()) for seed in range(2, 22)]
    assert abs(np.mean(found)) < 2  # all share one held-out set
    assert max(found) < 3.5


@pytest.mark.parametrize("cells", [1, 4])
def test_far_samples_are_below_zero(cells: int) -> None:
    train, held_out = sets()
    assert copying_z(train, held_out, 2 * normal(200, 12, seed=3), cells, generator()) < -3


def ratios(x: Tensor, train: Tensor) -> Tensor:
    """Return scipy's distance to the nearest training example over that to the second nearest."""
    first, second = np.sort(cdist(x.double(), train.double()), 1)[:, :2].T
    return torch.from_numpy(first / second)


def test_one_cell_is_scipys_test_of_relative_distances() -> None:
    train, held_out = sets()
    samples = torch.cat([train[:20], normal(100, 12, seed=3)])
    near = [ratios(x, train) for x in (samples, held_out)]
    assert copying_z(train, held_out, samples) == pytest.approx(as_scipy(*near), rel=1e-9)


def test_cells_are_combined_as_van_elteren_does() -> None:
    train, held_out = sets()
    samples = torch.cat([train[:20], normal(100, 12, seed=3)])
    centres = k_means(train, 4, generator())
    mine, theirs = (nearest_centres(x, centres) for x in (samples, held_out))
    total = variance = 0.0
    for cell in range(4):
        one, other = (ratios(x[at == cell], train).numpy() for x, at in ((samples, mine), (held_out, theirs)))
        n, m = len(one), len(other)
        assert n > 5 < m
        weight = 1 / (n + m + 1)
        total += weight * (n * m / 2 - scipy.stats.mannwhitneyu(one, other).statistic)
        _, counts = np.unique(np.concatenate([one, other]), return_counts=True)
        ties = (counts**3 - counts).sum() / ((n + m) * (n + m - 1))
        variance += weight**2 * n * m / 12 * (n + m + 1 - ties)
    assert copying_z(train, held_out, samples, 4, generator()) == pytest.approx(total / variance**0.5, rel=1e-9)


def test_cells_without_held_out_examples_are_merged_with_others() -> None:
    far = torch.tensor([50.0, 0.0])
    train, held_out = torch.cat([normal(200, 2), normal(200, 2, seed=1) + far]), normal(100, 2, seed=2)
    samples = torch.cat([train[:30], normal(100, 2, seed=3) + far])
    expected = copying_z(train, held_out, samples)
    assert copying_z(train, held_out, samples, 2, generator()) == pytest.approx(expected, rel=1e-9)


def test_few_training_examples_have_fewer_cells() -> None:
    train, held_out = normal(39, 2), normal(50, 2, seed=1)
    samples = normal(50, 2, seed=2)
    assert copying_z(train, held_out, samples, 50, generator()) == pytest.approx(
        copying_z(train, held_out, samples), rel=1e-9
    )


# Fresh samples of any mixture ----------------------------------------------------------------------------------------

SPREADS = (1.0, 0.3, 3.0)
"""Of three Gaussian components in 8 dimensions, far apart: a dense one, a denser and a thin one."""


def component(number: int, count: int, seed: int) -> Tensor:
    return SPREADS[number] * normal(count, 8, seed=10 * seed + number) + 60 * torch.eye(8)[number]


def mixture(counts: tuple[int, int, int], seed: int) -> Tensor:
    return torch.cat([component(number, count, seed) for number, count in enumerate(counts)])


@pytest.mark.parametrize("counts", [(200, 0, 0), (0, 200, 0), (0, 0, 200), (180, 20, 0), (20, 0, 180), (10, 180, 10)])
def test_fresh_samples_of_any_mixture_are_within_three(counts: tuple[int, int, int]) -> None:
    found = []
    for draw in range(20):
        train, held_out = mixture((500, 500, 500), 3 * draw), mixture((150, 150, 150), 3 * draw + 1)
        found.append(copying_z(train, held_out, mixture(counts, 3 * draw + 2), 10, generator(draw)))
    assert sum(abs(z) <= 3 for z in found) >= 19
    assert abs(np.mean(found)) < 1  # of 20 draws, standard deviation 1: four and a half standard errors


@pytest.mark.parametrize("component_of", [0, 1, 2])
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_copies_are_found_within_any_component(share: float, component_of: int) -> None:
    train, held_out = mixture((500, 500, 500), 0), mixture((150, 150, 150), 1)
    copied, fresh = int(200 * share), component(component_of, 200, 2)
    samples = torch.cat([train[500 * component_of :][:copied], fresh[copied:]])
    assert copying_z(train, held_out, samples, 10, generator()) > 3


def test_order_of_samples_and_held_out_examples_is_of_no_account() -> None:
    train, held_out = sets()
    samples = torch.cat([train[:20], normal(100, 12, seed=3)])
    expected = copying_z(train, held_out, samples, 5, generator())
    assert copying_z(train, held_out.flip(0), samples.flip(0), 5, generator()) == pytest.approx(expected, rel=1e-9)


def test_a_copier_within_one_cell_is_hidden_without_cells() -> None:
    # The paper's case for cells: copies here and samples too far away there cancel over all.
    far = torch.tensor([50.0, 0.0])
    train = torch.cat([normal(300, 2), normal(300, 2, seed=1) + far])
    held_out = torch.cat([normal(150, 2, seed=2), normal(30, 2, seed=3) + far])
    samples = torch.cat([train[:100], 3 * normal(100, 2, seed=5) + far])
    assert copying_z(train, held_out, samples, 2, generator()) > copying_z(train, held_out, samples) + 3


def test_cells_are_seeded() -> None:
    train, held_out = sets()
    samples = normal(200, 12, seed=2)
    found = [copying_z(train, held_out, samples, 5, generator(seed)) for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("which", ["training examples", "held-out examples", "samples"])
def test_bad_sets_are_refused_by_name(which: str) -> None:
    given = {"training examples": normal(50, 3), "held-out examples": normal(50, 3), "samples": normal(50, 3)}
    with pytest.raises(ValueError, match=rf"{which} of shape \(0, 3\)"):
        copying_z(*(given | {which: torch.zeros(0, 3)}).values())
    with pytest.raises(ValueError, match=f"{which} hold NaN"):
        copying_z(*(given | {which: torch.full((50, 3), math.nan)}).values())
    with pytest.raises(ValueError, match="widths differ"):
        copying_z(*(given | {which: normal(50, 4)}).values())


def test_cells_need_a_generator_and_two_training_examples() -> None:
    train, held_out = sets()
    with pytest.raises(ValueError, match="4 cells without a generator"):
        copying_z(train, held_out, held_out, cells=4)
    with pytest.raises(ValueError, match="0 clusters: expected at least one"):
        copying_z(train, held_out, held_out, 0, generator())
    with pytest.raises(ValueError, match=r"training examples of shape \(1, 12\): expected rows, at least 2"):
        copying_z(train[:1], held_out, held_out)
