"""Copiers of the training set score high and fresh samples near 0, by scipy's Mann-Whitney test."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from genbench.numerics.copying import copying_z, mann_whitney_z, nearest_squared_distances


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
@pytest.mark.parametrize(("n", "m", "d"), [(5, 1, 3), (50, 3, 2), (60, 90, 700)])
def test_nearest_distances_are_scipys(n: int, m: int, d: int, memory_mib: float) -> None:
    x, reference = normal(n, d), normal(m, d, seed=1)
    expected = cdist(x.double().numpy(), reference.double().numpy(), "sqeuclidean").min(1)
    np.testing.assert_allclose(nearest_squared_distances(x, reference, memory_mib).numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("far", [0.0, 1e3])
def test_copies_are_at_exactly_zero_even_beside_near_copies(far: float) -> None:
    reference = normal(200, 784) + far
    near = reference + 1e-4
    found = nearest_squared_distances(reference.flip(0), torch.cat([near, reference]))
    assert found.max() == 0


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
    assert copying_z(train, held_out, 2 * normal(200, 12, seed=3), cells, generator()) < -4


def test_one_cell_is_scipys_test_of_nearest_distances() -> None:
    train, held_out = sets()
    samples = torch.cat([train[:20], normal(100, 12, seed=3)])
    near = [torch.from_numpy(cdist(x.double(), train.double()).min(1)) for x in (samples, held_out)]
    assert copying_z(train, held_out, samples) == pytest.approx(as_scipy(*near), rel=1e-9)


def test_cells_are_weighted_by_held_out_examples() -> None:
    # Two islands: in one, with three quarters of the held-out examples, all is copied; in the other nothing.
    far = torch.tensor([50.0, 0.0])
    train = torch.cat([normal(200, 2), normal(200, 2, seed=1) + far])
    here, there = normal(150, 2, seed=2), normal(50, 2, seed=3) + far
    fresh = normal(60, 2, seed=4) + far
    found = copying_z(train, torch.cat([here, there]), torch.cat([train[:60], fresh]), 2, generator())
    copied, other = copying_z(train, here, train[:60]), copying_z(train, there, fresh)
    assert found == pytest.approx(0.75 * copied + 0.25 * other, rel=1e-9)
    few = copying_z(train, torch.cat([here, there]), torch.cat([train[:60], fresh[:19]]), 2, generator())
    assert few == pytest.approx(copied, rel=1e-9)  # 19 samples are too few for a cell to count


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


def test_cells_need_a_generator_and_enough_samples() -> None:
    train, held_out = sets()
    with pytest.raises(ValueError, match="4 cells without a generator"):
        copying_z(train, held_out, held_out, cells=4)
    with pytest.raises(ValueError, match="4 cells: none has 20 samples"):
        copying_z(train, held_out, held_out[:10], 4, generator())
    with pytest.raises(ValueError, match="0 clusters: expected at least one"):
        copying_z(train, held_out, held_out, 0, generator())
