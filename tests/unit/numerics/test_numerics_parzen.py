"""The Parzen estimate agrees with float64, scikit-learn and closed forms; sigma is the best to 1 %."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from sklearn.neighbors import KernelDensity
from torch import Tensor

from genbench.numerics import parzen
from genbench.numerics.parzen import PAPER_SIGMAS, SIGMA_LIMITS, choose_sigma, log_likelihoods


def uniform(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def digits_like(n: int, seed: int) -> Tensor:
    """Return images much as MNIST's are: 784 pixels, mostly 0, distances of about 100 between them."""
    generator = torch.Generator().manual_seed(seed)
    strokes = torch.rand(n, 8, generator=generator) @ torch.rand(8, 784, generator=torch.Generator().manual_seed(9))
    return (strokes - 2.2 + 0.1 * torch.randn(n, 784, generator=generator)).clamp(0, 1)


def in_float64(samples: Tensor, points: Tensor, sigma: float) -> Tensor:
    samples, points = samples.double(), points.double()
    squares = torch.stack([(samples - point).square().sum(1) for point in points])
    dim = samples.shape[1]
    mean = torch.logsumexp(-squares / (2 * sigma**2), 1) - math.log(len(samples))
    return mean - dim * math.log(sigma * math.sqrt(2 * math.pi))


def test_the_papers_grid_is_numpys() -> None:
    np.testing.assert_allclose(PAPER_SIGMAS, np.logspace(-1, 0, 10), rtol=1e-15)


@pytest.mark.parametrize("sigma", [1e-3, 0.01, 0.1, 0.15, 0.2, 1.0, 50.0])
def test_the_mean_agrees_with_float64_at_the_size_of_mnist(sigma: float) -> None:
    samples, points = digits_like(1000, 0), digits_like(100, 1)
    expected = in_float64(samples, points, sigma)
    found = log_likelihoods(samples, points, [sigma])[0]
    assert found.dtype == torch.float64
    assert found.mean().item() == pytest.approx(expected.mean().item(), rel=1e-7)
    # A squared distance of about 100 is known to 4e-6 or so in float32.
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=4e-6 / (2 * sigma**2))


@pytest.mark.parametrize("sigma", [0.1, 0.3, 2.0])
@pytest.mark.parametrize("dim", [1, 3, 30])
def test_agrees_with_scikit_learn(sigma: float, dim: int) -> None:
    samples, points = uniform(300, dim), uniform(40, dim, seed=1)
    # One leaf: the bounds of its tree cost scikit-learn itself up to 117 nats here.
    density = KernelDensity(bandwidth=sigma, leaf_size=300).fit(samples.double().numpy())
    expected = torch.from_numpy(density.score_samples(points.double().numpy()))
    torch.testing.assert_close(log_likelihoods(samples, points, [sigma])[0], expected, rtol=1e-5, atol=1e-5)


def test_one_sample_is_a_gaussian() -> None:
    sample, points = uniform(1, 20), uniform(5, 20, seed=1)
    expected = torch.distributions.Normal(sample.double(), 0.3).log_prob(points.double()).sum(1)
    torch.testing.assert_close(log_likelihoods(sample, points, [0.3])[0], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("sigma", [1e-12, 1e-3, 0.1])
def test_a_point_equal_to_the_only_sample_is_at_zero(sigma: float) -> None:
    point = uniform(1, 784)
    expected = -784 * math.log(sigma * math.sqrt(2 * math.pi))
    assert log_likelihoods(point, point, [sigma]).item() == pytest.approx(expected, rel=1e-14)


def test_equal_samples_are_one() -> None:
    sample, points = uniform(1, 50), uniform(8, 50, seed=1)
    many = log_likelihoods(sample.expand(77, 50), points, [0.2])
    torch.testing.assert_close(many, log_likelihoods(sample, points, [0.2]), rtol=1e-6, atol=1e-5)


def test_far_points_underflow_nothing() -> None:
    far = log_likelihoods(uniform(10, 4), torch.full((1, 4), 1e6), [1e-3])
    assert far.item() == pytest.approx(-0.5e6 * 4e12, rel=1e-4)


def test_each_sigma_is_as_if_alone() -> None:
    samples, points, sigmas = uniform(50, 9), uniform(7, 9, seed=1), [0.1, 0.5, 0.2]
    together = log_likelihoods(samples, points, sigmas)
    assert together.shape == (3, 7)
    assert torch.equal(together, torch.cat([log_likelihoods(samples, points, [sigma]) for sigma in sigmas]))


def changed(samples: Tensor, points: Tensor, how: str) -> tuple[Tensor, Tensor]:
    order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(3))
    return {
        "samples in another order": (samples[order], points),
        "every sample twice": (samples.repeat(2, 1), points),
        "all moved": (samples + 8, points + 8),
        "pixels in another order": (samples.flip(1), points.flip(1)),
        "in float64": (samples.double(), points.double()),
        "as images": (samples.view(-1, 1, 28, 28), points.view(-1, 1, 28, 28)),
    }[how]


@pytest.mark.parametrize(
    "how",
    [
        "samples in another order",
        "every sample twice",
        "all moved",
        "pixels in another order",
        "in float64",
        "as images",
    ],
)
def test_what_must_not_matter_does_not(how: str) -> None:
    samples, points = digits_like(500, 0), digits_like(60, 1)
    expected = log_likelihoods(samples, points, [0.1, 0.2])
    found = log_likelihoods(*changed(samples, points, how), [0.1, 0.2])
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-3)


def test_points_are_scored_each_by_itself() -> None:
    samples, points = digits_like(500, 0), digits_like(64, 1)
    alone = torch.cat([log_likelihoods(samples, part, [0.2]) for part in points.split(16)], dim=1)
    assert torch.equal(alone, log_likelihoods(samples, points, [0.2]))


@pytest.mark.parametrize("rows", [8, 24, 100])
def test_memory_changes_no_bit(rows: int) -> None:
    samples, points = digits_like(500, 0), digits_like(200, 1)
    row = 4 * (500 + 784) + 32 * 784
    found = log_likelihoods(samples, points, [0.1, 0.2], memory_mib=rows * row / 2**20)
    assert torch.equal(found, log_likelihoods(samples, points, [0.1, 0.2]))


def test_the_chunk_of_kernels_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    samples, points = digits_like(500, 0), digits_like(200, 1)
    expected = log_likelihoods(samples, points, [0.1, 0.2])
    monkeypatch.setattr(parzen, "_KERNELS", 1700)
    assert torch.equal(log_likelihoods(samples, points, [0.1, 0.2]), expected)


@pytest.mark.parametrize(
    ("samples", "points", "message"),
    [
        (torch.zeros(0, 3), torch.zeros(2, 3), r"samples of shape \(0, 3\): expected rows, at least one"),
        (torch.zeros(2, 3), torch.zeros(0, 3), r"points of shape \(0, 3\): expected rows, at least one"),
        (torch.zeros(2, 3), torch.zeros(2, 4), "widths differ"),
        (torch.full((2, 3), math.nan), torch.zeros(2, 3), "samples hold NaN"),
        (torch.full((2, 3), -math.inf), torch.zeros(2, 3), "samples hold NaN"),
        (torch.zeros(2, 3), torch.full((2, 3), math.nan), "points hold NaN"),
    ],
)
def test_bad_sets_are_refused_by_name(samples: Tensor, points: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        log_likelihoods(samples, points, [0.2])
    with pytest.raises(ValueError, match=message):
        choose_sigma(samples, points)


@pytest.mark.parametrize("sigma", [0.0, -0.1, math.nan, math.inf, 1e-20])
def test_bad_sigmas_are_refused(sigma: float) -> None:
    with pytest.raises(ValueError, match=r"sigma .*: expected bandwidths between"):
        log_likelihoods(uniform(2, 3), uniform(2, 3), [0.2, sigma])


def test_no_sigma_is_refused() -> None:
    with pytest.raises(ValueError, match="no sigmas"):
        choose_sigma(uniform(2, 3), uniform(2, 3), [])


# The search for sigma ------------------------------------------------------------------------------------------------


def best_in_float64(samples: Tensor, valid: Tensor) -> float:
    found = minimize_scalar(
        lambda log: -in_float64(samples, valid, math.exp(log)).mean().item(), bounds=(-9, 9), options={"xatol": 1e-8}
    )
    return math.exp(found.x)


@pytest.mark.parametrize("scale", [0.01, 0.1, 1.0, 10.0, 1000.0])
def test_refined_is_the_best_to_one_percent(scale: float) -> None:
    samples, valid = scale * uniform(200, 10), scale * uniform(50, 10, seed=1)
    width = choose_sigma(samples, valid, None)
    assert not width.at_edge
    assert width.sigma == pytest.approx(best_in_float64(samples, valid), rel=0.01)
    assert width.log_likelihood == pytest.approx(in_float64(samples, valid, width.sigma).mean().item(), rel=1e-6)


def test_one_sample_gives_the_root_mean_square() -> None:
    sample, valid = uniform(1, 30), uniform(40, 30, seed=1)
    expected = (valid - sample).square().mean().sqrt().item()
    assert choose_sigma(sample, valid, None).sigma == pytest.approx(expected, rel=0.008)


def test_refined_is_never_worse_than_the_papers_grid() -> None:
    samples, valid = digits_like(500, 0), digits_like(100, 1)
    assert choose_sigma(samples, valid, None).log_likelihood >= choose_sigma(samples, valid).log_likelihood


def test_samples_that_repeat_the_points_end_at_the_lower_limit() -> None:
    points = uniform(30, 784)
    assert choose_sigma(points, points, None).sigma == pytest.approx(SIGMA_LIMITS[0], rel=1e-12)
    assert choose_sigma(points, points, None).at_edge
    assert choose_sigma(points, points).sigma == pytest.approx(0.1, rel=1e-12)


def test_sets_without_end_apart_end_at_the_upper_limit() -> None:
    width = choose_sigma(torch.zeros(3, 2), torch.full((3, 2), 1e6), None)
    assert width.sigma == pytest.approx(SIGMA_LIMITS[1], rel=1e-12)
    assert width.at_edge


@pytest.mark.parametrize(
    ("scale", "sigma", "at_edge"), [(0.01, 0.1, True), (1.0, PAPER_SIGMAS[3], False), (100.0, 1.0, True)]
)
def test_a_given_grid_is_kept_to(scale: float, sigma: float, at_edge: bool) -> None:
    width = choose_sigma(scale * uniform(200, 10), scale * uniform(50, 10, seed=1))
    assert width.sigma == pytest.approx(sigma)
    assert width.at_edge is at_edge
    assert choose_sigma(scale * uniform(200, 10), scale * uniform(50, 10, seed=1), [0.7]).sigma == 0.7


@pytest.mark.parametrize("sigmas", [None, PAPER_SIGMAS])
def test_the_search_gives_the_same_whether_distances_are_kept_or_not(
    sigmas: tuple[float, ...] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples, valid = digits_like(400, 0), digits_like(100, 1)
    passes = []
    gaps = parzen._gaps
    monkeypatch.setattr(parzen, "_gaps", lambda *args: passes.append(args) or gaps(*args))
    kept = choose_sigma(samples, valid, sigmas)
    assert len(passes) == 1
    assert choose_sigma(samples, valid, sigmas, memory_mib=0.3) == kept
    assert len(passes) == 1 + (6 if sigmas is None else 1)
