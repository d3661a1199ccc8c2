"""Autocorrelation, effective sample size and R-hat against processes whose values are known."""

import numpy as np
import pytest
import torch

from genbench.numerics.chains import (
    autocorrelation,
    autocorrelation_time,
    effective_sample_size,
    potential_scale_reduction,
)


def autoregressive(phi: float, steps: int, chains: int, seed: int = 0) -> torch.Tensor:
    """Return x_t = phi x_{t-1} + e_t from its stationary distribution, (steps, chains)."""
    rng = np.random.default_rng(seed)
    x = np.empty((steps, chains))
    x[0] = rng.normal(size=chains) / np.sqrt(1 - phi**2)
    for t in range(1, steps):
        x[t] = phi * x[t - 1] + rng.normal(size=chains)
    return torch.from_numpy(x)


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_the_time_of_an_autoregressive_process(phi: float) -> None:
    x = autoregressive(phi, 2000, 100)
    assert autocorrelation_time(x) == pytest.approx((1 + phi) / (1 - phi), rel=0.05)
    assert effective_sample_size(x) == pytest.approx(x.numel() * (1 - phi) / (1 + phi), rel=0.05)
    assert potential_scale_reduction(x) == pytest.approx(1, abs=0.02)


def test_autocorrelation_against_its_definition() -> None:
    x = autoregressive(0.7, 50, 3)
    centred = x - x.mean()
    by_hand = [float((centred[t:] * centred[: 50 - t]).sum() / (3 * (50 - t))) for t in range(50)]
    torch.testing.assert_close(autocorrelation(x), torch.tensor(by_hand, dtype=torch.float64) / by_hand[0])


def test_the_effective_size_is_what_the_error_of_the_mean_says() -> None:
    means = [float(autoregressive(0.8, 200, 4, seed).mean()) for seed in range(400)]
    sizes = [effective_sample_size(autoregressive(0.8, 200, 4, seed)) for seed in range(20)]
    variance = 1 / (1 - 0.8**2)
    assert np.mean(sizes) == pytest.approx(variance / np.var(means), rel=0.25)


def test_chains_stuck_apart_have_not_mixed() -> None:
    x = autoregressive(0.3, 200, 10) + 20 * torch.arange(10)
    assert potential_scale_reduction(x) > 10
    assert autocorrelation_time(x) > 50
    assert effective_sample_size(x) < 40


def test_chains_that_agree_are_about_1_and_may_fall_below_it() -> None:
    found = [
        potential_scale_reduction(torch.randn(50, 4, generator=torch.Generator().manual_seed(i))) for i in range(50)
    ]
    assert min(found) < 1 < max(found)
    assert all(abs(value - 1) < 0.1 for value in found)


def test_a_drift_is_seen() -> None:
    assert potential_scale_reduction(autoregressive(0.3, 200, 10) + torch.linspace(0, 10, 200)[:, None]) > 1.5


@pytest.mark.parametrize(("x", "r_hat"), [(torch.zeros(10, 3), 1.0), (torch.arange(3.0).expand(10, 3), float("inf"))])
def test_constant_chains(x: torch.Tensor, r_hat: float) -> None:
    assert potential_scale_reduction(x) == r_hat
    assert autocorrelation_time(torch.zeros(10, 3)) == 1


def test_scale_and_place_do_not_matter() -> None:
    x = autoregressive(0.6, 100, 5)
    assert autocorrelation_time(1000 * x - 7) == pytest.approx(autocorrelation_time(x))
    assert potential_scale_reduction(1000 * x - 7) == pytest.approx(potential_scale_reduction(x))
