"""Curves of precision and recall are by their definition on toy cases, and k-means finds the cells of clear ones."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from genbench.numerics.clusters import k_means, nearest_centres
from genbench.numerics.prd import Curve, clustered_curve, curve


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def masses(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def by_definition(real: Tensor, fake: Tensor, angles: int) -> tuple[np.ndarray, np.ndarray]:
    precision, recall = [], []
    for angle in np.linspace(1e-10, math.pi / 2 - 1e-10, angles):
        slope = math.tan(angle)
        shared = sum(min(slope * p, q) for p, q in zip(real.tolist(), fake.tolist(), strict=True))
        precision.append(min(1.0, shared))
        recall.append(min(1.0, shared / slope))
    return np.array(precision), np.array(recall)


@pytest.mark.parametrize("angles", [2, 7, 1001])
@pytest.mark.parametrize("seed", range(3))
def test_the_curve_is_by_its_definition(angles: int, seed: int) -> None:
    real, fake = (normal(6, seed=2 * seed + k).double().softmax(0) for k in (0, 1))
    found, (precision, recall) = curve(real, fake, angles), by_definition(real, fake, angles)
    np.testing.assert_allclose(found.precision.numpy(), precision, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(found.recall.numpy(), recall, rtol=1e-12, atol=1e-15)


def test_equal_distributions_reach_the_corner() -> None:
    found = curve(masses(0.2, 0.3, 0.5), masses(0.2, 0.3, 0.5))
    assert found.f_score(8) == found.f_score(1 / 8) == pytest.approx(1, rel=1e-12)
    assert torch.maximum(found.precision, found.recall) == pytest.approx(1)


def test_disjoint_distributions_share_nothing() -> None:
    found = curve(masses(0.5, 0.5, 0, 0), masses(0, 0, 0.5, 0.5))
    assert found.precision.max() == found.recall.max() == found.f_score(8) == found.f_score(1 / 8) == 0


def test_a_dropped_mode_costs_recall() -> None:
    # Fakes cover half of the real mass: all precision at recall up to 1/2, none beyond.
    found = curve(masses(0.5, 0.5), masses(1, 0))
    assert found.recall.max().item() == pytest.approx(0.5)
    assert found.precision.max().item() == pytest.approx(1)
    assert found.f_score(1 / 8) == pytest.approx((1 + 1 / 64) * 0.5 / (1 / 64 + 0.5), rel=1e-2)
    assert found.f_score(8) == pytest.approx(65 * 0.5 / (64 + 0.5), rel=1e-2)


def test_an_invented_mode_costs_precision() -> None:
    found = curve(masses(1, 0), masses(0.5, 0.5))
    assert found.precision.max().item() == pytest.approx(0.5)
    assert found.recall.max().item() == pytest.approx(1)
    assert found.f_score(8) > 0.9 > 0.6 > found.f_score(1 / 8)


def test_swapped_distributions_swap_precision_and_recall() -> None:
    real, fake = (normal(6, seed=seed).double().softmax(0) for seed in (0, 1))
    there, back = curve(real, fake), curve(fake, real)
    torch.testing.assert_close(there.precision, back.recall.flip(0), rtol=1e-6, atol=1e-9)
    assert there.f_score(8) == pytest.approx(back.f_score(1 / 8), rel=1e-6)


def test_precision_rises_and_recall_falls_within_bounds() -> None:
    found = curve(*(normal(20, seed=seed).double().softmax(0) for seed in (0, 1)))
    assert (found.precision.diff() >= 0).all()
    assert (found.recall.diff() <= 1e-12).all()
    assert 0 <= found.precision.min() <= found.precision.max() <= 1
    assert 0 <= found.recall.min() <= found.recall.max() <= 1


def test_f_scores_at_the_origin_are_zero_and_not_nan() -> None:
    assert Curve(torch.zeros(3).double(), torch.zeros(3).double()).f_score(8) == 0


# Clusters ------------------------------------------------------------------------------------------------------------


def islands(counts: list[int], seed: int) -> Tensor:
    """Return examples at corners of a square, so many at each."""
    corners = torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0], [9.0, 9.0]])
    centres = corners.repeat_interleave(torch.tensor(counts), 0)
    return centres + 0.1 * normal(len(centres), 2, seed=seed)


def test_k_means_finds_clear_cells() -> None:
    x = islands([30, 30, 30, 30], 0)
    cells = nearest_centres(x, k_means(x, 4, generator()))
    assert [len(part.unique()) for part in cells.split(30)] == [1, 1, 1, 1]
    assert len(cells.unique()) == 4


def test_shares_of_clear_cells_give_the_curve_of_their_masses() -> None:
    real, fake = islands([50, 50, 50, 50], 0), islands([100, 60, 40, 0], 1)
    found = clustered_curve(real, fake, generator(), clusters=4, runs=3)
    expected = curve(masses(0.25, 0.25, 0.25, 0.25), masses(0.5, 0.3, 0.2, 0))
    torch.testing.assert_close(found.precision, expected.precision, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found.recall, expected.recall, rtol=1e-12, atol=1e-12)


def test_equal_sets_score_one_and_far_ones_nothing() -> None:
    x = normal(100, 5)
    assert clustered_curve(x, x.flip(0), generator(), runs=2).f_score(8) == pytest.approx(1)
    assert clustered_curve(x, x + 50, generator(), runs=2).f_score(8) == 0


def test_runs_are_averaged_and_seeded() -> None:
    real, fake = normal(200, 5), normal(150, 5, seed=1) * 1.5
    before = torch.random.get_rng_state()
    together, again = (clustered_curve(real, fake, generator(), runs=3) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    one = generator()
    alone = [clustered_curve(real, fake, one, runs=1).precision for _ in range(3)]
    assert torch.equal(together.precision, again.precision)
    torch.testing.assert_close(together.precision, torch.stack(alone).mean(0))
    assert not torch.equal(alone[0], alone[1])


# Refusals ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (masses(0.5, 0.4), masses(0.5, 0.5), r"real masses of sum 0\.9: expected"),
        (masses(0.5, 0.5), masses(1.5, -0.5), "fake masses of sum 1: expected"),
        (masses(0.5, 0.5), masses(0.5, math.nan), "fake masses of sum nan: expected"),
        (masses(1), masses(0.5, 0.5), r"shapes \(1,\) and \(2,\): expected equal ones"),
        (torch.full((2, 2), 0.25), torch.full((2, 2), 0.25), "real masses of sum 1: expected"),
    ],
)
def test_what_is_no_distribution_is_refused(real: Tensor, fake: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        curve(real, fake)


def test_sets_and_options_that_do_not_fit_are_refused() -> None:
    x = normal(9, 3)
    with pytest.raises(ValueError, match="1 angles: expected at least two"):
        curve(masses(1), masses(1), angles=1)
    with pytest.raises(ValueError, match="0 runs: expected at least one"):
        clustered_curve(x, x, generator(), runs=0)
    with pytest.raises(ValueError, match="widths differ"):
        clustered_curve(x, normal(9, 4), generator())
    with pytest.raises(ValueError, match=r"of shape \(18, 3\): expected rows, at least 20"):
        clustered_curve(x, x, generator())
    with pytest.raises(ValueError, match="0 clusters: expected at least one"):
        k_means(x, 0, generator())
    x[4, 2] = math.nan
    with pytest.raises(ValueError, match="clustered features hold NaN or infinity, first in row 4"):
        k_means(x, 2, generator())
