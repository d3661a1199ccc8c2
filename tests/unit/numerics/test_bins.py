"""Masses of bins agree with scipy's distribution functions and with counting by numpy."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from genbench.numerics.bins import Bins


@pytest.mark.parametrize("bins", [Bins(-6, 6, 500), Bins(-1.5, 4, 7), Bins(0.25, 0.5, 2)])
def test_masses_are_differences_of_the_distribution_function(bins: Bins) -> None:
    density = stats.norm(0.5, 0.8)
    masses = bins.masses(lambda x: torch.from_numpy(density.logpdf(x.numpy())))
    edges = np.linspace(bins.low, bins.high, bins.count + 1)
    np.testing.assert_allclose(masses.numpy(), np.diff(density.cdf(edges)), rtol=1e-6, atol=1e-12)


def test_a_density_that_is_zero_in_places() -> None:
    masses = Bins(0, 2, 4).masses(lambda x: torch.where(x < 1, 0.0, -math.inf))
    torch.testing.assert_close(masses, torch.tensor([0.5, 0.5, 0, 0]).double())


def test_frequencies_are_those_of_numpy() -> None:
    x = np.random.RandomState(0).normal(size=5000).astype(np.float32)
    bins = Bins(-5, 5, 64)
    expected = np.histogram(x, 64, (-5, 5))[0] / 5000
    np.testing.assert_array_equal(bins.frequencies(torch.from_numpy(x).view(-1, 1, 1, 1)).numpy(), expected)


def test_the_ends_belong_to_the_bins_there() -> None:
    x = torch.tensor([-1.0, 0.0, 0.49, 0.5, 1.0, 7.0])
    assert Bins(0, 1, 2).frequencies(x).tolist() == [3 / 6, 3 / 6]


def test_midpoints() -> None:
    assert Bins(-1, 1, 4).midpoints().tolist() == [-0.75, -0.25, 0.25, 0.75]


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([], "0 of 0 samples are NaN or infinite: expected some"),
        ([0.1, math.nan, math.inf], "2 of 3 samples are NaN or infinite"),
    ],
)
def test_what_cannot_be_counted_is_refused(x: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Bins(0, 1, 2).frequencies(torch.tensor(x))
