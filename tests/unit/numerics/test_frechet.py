"""The Frechet distance agrees with closed forms, scipy and the peers, is exact where singular, and knows its error."""

import math
import warnings

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from genbench.numerics import frechet
from genbench.numerics.frechet import (
    Gaussian,
    frechet_at_infinity,
    frechet_distance,
    frechet_distance_of_features,
    frechet_standard_error,
    gaussian,
)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def spectrum(name: str, d: int) -> Tensor:
    return {
        "white": torch.ones(d),
        "falling to 1e-14 of variance": torch.logspace(0, -7, d),
        "singular": (torch.arange(d) < d / 2).float(),
    }[name]


def two_sets(n: int, m: int, d: int, name: str) -> tuple[Tensor, Tensor]:
    turn = torch.linalg.qr(normal(d, d, seed=7)).Q
    return normal(n, d) * spectrum(name, d) @ turn, normal(m, d, seed=1) * 1.2 * spectrum(name, d) @ turn + 0.1


def exact(x: Tensor, y: Tensor) -> float:
    """Return the distance by numpy's singular values of the product of the centred features."""
    a, b = (v.double().numpy() for v in (x, y))
    apart = a.mean(0) - b.mean(0)
    a, b = ((v - v.mean(0)) / math.sqrt(len(v) - 1) for v in (a, b))
    return apart @ apart + (a**2).sum() + (b**2).sum() - 2 * np.linalg.svd(a @ b.T, compute_uv=False).sum()


def from_statistics(x: Tensor, y: Tensor) -> float:
    return frechet_distance(gaussian(x), gaussian(y))


BOTH = pytest.mark.parametrize("distance", [from_statistics, frechet_distance_of_features])
SPECTRA = pytest.mark.parametrize("name", ["white", "falling to 1e-14 of variance", "singular"])
SIZES = pytest.mark.parametrize(
    ("n", "m", "d"), [(300, 400, 10), (300, 400, 100), (50, 60, 100), (50, 300, 100), (300, 50, 100), (2, 2, 5)]
)


# Statistics ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("memory_mib", [1e-9, 0.01, 128])
def test_statistics_are_numpys(memory_mib: float) -> None:
    x = normal(500, 7) + 100
    found = gaussian(x, memory_mib)
    assert found.count == 500
    assert found.mean.dtype == found.covariance.dtype == torch.float64
    np.testing.assert_allclose(found.mean.numpy(), x.double().numpy().mean(0), rtol=1e-14)
    np.testing.assert_allclose(
        found.covariance.numpy(), np.cov(x.double().numpy(), rowvar=False), rtol=1e-11, atol=1e-13
    )


def test_images_are_rows() -> None:
    x = normal(20, 3, 2, 2)
    assert torch.equal(gaussian(x).covariance, gaussian(x.flatten(1)).covariance)


@pytest.mark.parametrize("part", [2, 50, 148])
def test_rows_taken_out_are_as_if_never_there(part: int) -> None:
    x = normal(150, 6) * 3 + 10
    found, expected = gaussian(x).without(gaussian(x[:part])), gaussian(x[part:])
    assert found.count == expected.count
    torch.testing.assert_close(found.mean, expected.mean, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found.covariance, expected.covariance, rtol=1e-9, atol=1e-9)


# Value ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [1, 2, 9])
def test_diagonal_gaussians_have_a_closed_form(d: int) -> None:
    means, deviations = normal(2, d).double(), normal(2, d, seed=1).double().abs()
    first, second = (Gaussian(100, m, torch.diag(s**2)) for m, s in zip(means, deviations, strict=True))
    expected = ((means[0] - means[1]) ** 2 + (deviations[0] - deviations[1]) ** 2).sum().item()
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-10)


def test_commuting_covariances_have_a_closed_form() -> None:
    x = gaussian(normal(100, 8) * 2)
    assert frechet_distance(x, Gaussian(100, x.mean + 1, 9 * x.covariance)) == pytest.approx(
        8 + 4 * x.covariance.trace().item(), rel=1e-10
    )


@BOTH
@SPECTRA
@SIZES
def test_agrees_with_numpys_singular_values(distance, n: int, m: int, d: int, name: str) -> None:
    x, y = two_sets(n, m, d, name)
    assert distance(x, y) == pytest.approx(exact(x, y), rel=1e-8)


@BOTH
def test_agrees_with_scipys_root_of_the_product(distance) -> None:
    x, y = two_sets(300, 400, 20, "white")
    first, second = (np.cov(v.double().numpy(), rowvar=False) for v in (x, y))
    apart = (x.double().mean(0) - y.double().mean(0)).square().sum().item()
    expected = apart + np.trace(first + second - 2 * scipy.linalg.sqrtm(first @ second).real)
    assert distance(x, y) == pytest.approx(expected, rel=1e-10)


def as_torch_fidelity(x: Tensor, y: Tensor) -> float:
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    first, second = (fid_features_to_statistics(v.double()) for v in (x, y))
    return fid_statistics_to_metric(first, second, verbose=False)["frechet_inception_distance"]


def as_clean_fid(x: Tensor, y: Tensor) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # while it is compiled
        warnings.filterwarnings("ignore", "The `disp` argument is deprecated", DeprecationWarning)
        from cleanfid.fid import frechet_distance as peer

        a, b = (v.double().numpy() for v in (x, y))
        return float(peer(a.mean(0), np.cov(a, rowvar=False), b.mean(0), np.cov(b, rowvar=False)))


@BOTH
@pytest.mark.parametrize("peer", [as_torch_fidelity, as_clean_fid])
@pytest.mark.parametrize("d", [3, 64])
def test_agrees_with_the_peers(peer, distance, d: int) -> None:
    x, y = two_sets(500, 600, d, "white")
    assert distance(x, y) == pytest.approx(peer(x, y), rel=1e-9)


@BOTH
@SPECTRA
@SIZES
def test_equal_sets_are_at_zero_in_whatever_order(distance, n: int, m: int, d: int, name: str) -> None:
    x, _ = two_sets(n, m, d, name)
    for other in (x.clone(), x.flip(0), torch.roll(x, 1, 0)):
        assert 0 <= distance(x, other) < 1e-8 * x.square().sum(1).mean()


@BOTH
def test_few_directions_in_many_dimensions_are_exact(distance) -> None:
    # Both sets within one line each, at right angles: nothing is shared, so the distance is both variances.
    x, y = torch.zeros(40, 300), torch.zeros(50, 300)
    x[:, 3], y[:, 200] = normal(40), normal(50, seed=1)
    expected = x[:, 3].double().var() + y[:, 200].double().var()
    apart = x[:, 3].double().mean() ** 2 + y[:, 200].double().mean() ** 2
    assert distance(x, y) == pytest.approx((expected + apart).item(), rel=1e-12)


@BOTH
@pytest.mark.parametrize("n", [5, 200])
def test_constant_features_are_points(distance, n: int) -> None:
    point, x = torch.full((n, 6), 0.75), normal(100, 6)
    assert distance(point, point) == 0
    assert distance(point, point + 0.5) == 6 * 0.25
    expected = x.double().var(0).sum() + (x.double().mean(0) - 0.75).square().sum()
    assert distance(point, x) == pytest.approx(expected.item(), rel=1e-12)
    assert distance(x, point) == pytest.approx(expected.item(), rel=1e-12)


@BOTH
def test_what_must_not_matter_does_not(distance) -> None:
    x, y = two_sets(200, 300, 30, "white")
    turn = torch.linalg.qr(normal(30, 30, seed=5).double()).Q
    expected = distance(x, y)
    assert distance(y, x) == pytest.approx(expected, rel=1e-10)
    assert distance(x.flip(0), y.flip(1).flip(1)) == pytest.approx(expected, rel=1e-10)
    assert distance(x.double() + 1000, y.double() + 1000) == pytest.approx(expected, rel=1e-8)
    assert distance(x.double() @ turn, y.double() @ turn) == pytest.approx(expected, rel=1e-10)
    assert distance(10 * x.double(), 10 * y.double()) == pytest.approx(100 * expected, rel=1e-10)


def test_the_memory_given_changes_rounding_at_most() -> None:
    x, y = two_sets(300, 400, 10, "white")
    expected = frechet_distance_of_features(x, y)
    assert frechet_distance_of_features(x, y, memory_mib=0.001) == pytest.approx(expected, rel=1e-12)


def test_either_way_to_singular_values_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = two_sets(300, 400, 20, "white")
    fast = frechet_distance_of_features(x, y)
    monkeypatch.setattr(frechet, "_TOLERANCE", 0.0)
    assert frechet_distance_of_features(x, y) == pytest.approx(fast, rel=1e-10)


# Error and bias ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "d", "blocks"), [(403, 6, 10), (40, 60, 10), (400, 6, 20), (61, 60, 20)])
def test_the_jackknife_is_by_its_definition(n: int, d: int, blocks: int) -> None:
    reference, samples = gaussian(normal(500, d)), normal(n, d, seed=1) * 1.2 + 5
    kept = [samples[torch.arange(n) % blocks != block] for block in range(blocks)]
    values = np.array([frechet_distance(reference, gaussian(rest)) for rest in kept])
    expected = math.sqrt((blocks - 1) / blocks * ((values - values.mean()) ** 2).sum())
    assert frechet_standard_error(reference, samples, blocks) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("n", [30, 200])
def test_the_jackknife_is_right_for_singular_references(n: int) -> None:
    flat = normal(20, 60)
    flat[:, 30:] = 0
    samples = normal(n, 60, seed=1)
    values = np.array(
        [frechet_distance(gaussian(flat), gaussian(samples[torch.arange(n) % 10 != b])) for b in range(10)]
    )
    expected = math.sqrt(9 * values.var())
    assert frechet_standard_error(gaussian(flat), samples, 10) == pytest.approx(expected, rel=1e-5)


def test_samples_that_do_not_vary_have_no_error() -> None:
    point = torch.full((40, 5), 0.3)
    assert frechet_standard_error(gaussian(normal(100, 5)), point) == pytest.approx(0, abs=1e-6)
    assert frechet_standard_error(gaussian(point), normal(100, 5)) > 0.1


def test_the_standard_error_is_the_spread_over_draws() -> None:
    reference = gaussian(normal(5000, 5))
    draws = [normal(400, 5, seed=seed) * 1.3 + 0.3 for seed in range(1, 301)]
    spread = np.std([frechet_distance(reference, gaussian(draw)) for draw in draws])
    found = np.mean([frechet_standard_error(reference, draw) for draw in draws])
    assert found == pytest.approx(spread, rel=0.12)  # of 300 draws a spread is known to 4 %


def test_extrapolation_removes_the_bias() -> None:
    truth = Gaussian(10**9, torch.zeros(20).double(), torch.eye(20).double())
    draws = [normal(2000, 20, seed=seed) * 1.1 for seed in range(40)]
    expected = 20 * 0.1**2
    finite = np.mean([frechet_distance(truth, gaussian(draw)) for draw in draws]) - expected
    rest = np.mean([frechet_at_infinity(truth, draw, generator()).value for draw in draws]) - expected
    assert finite > 0.04
    assert abs(rest) < 0.2 * finite


def test_the_line_is_numpys_through_the_counts_asked_for() -> None:
    reference, samples = gaussian(normal(500, 4)), normal(300, 4, seed=1)
    found = frechet_at_infinity(reference, samples, generator(), points=4, smallest=60)
    assert found.counts == (60, 140, 220, 300)
    slope, value = np.polyfit(1 / np.array(found.counts), found.distances, 1)
    assert (found.value, found.slope) == (pytest.approx(value), pytest.approx(slope))
    assert found.distances[-1] == pytest.approx(frechet_distance(reference, gaussian(samples)), rel=1e-10)


def test_extrapolation_is_seeded_and_leaves_global_generators_alone() -> None:
    reference, samples = gaussian(normal(500, 4)), normal(300, 4, seed=1)
    before = torch.random.get_rng_state()
    found = [frechet_at_infinity(reference, samples, generator(seed)) for seed in (0, 0, 1)]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert found[0] == found[1] != found[2]


# Refusals ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_refused(bad: float) -> None:
    x, y = normal(60, 4), normal(60, 4)
    y[7, 2] = bad
    with pytest.raises(ValueError, match="second features hold NaN or infinity, first in row 7"):
        frechet_distance_of_features(x, y)
    with pytest.raises(ValueError, match="second features hold NaN or infinity, first in row 1"):
        frechet_distance_of_features(x, y[6:9])
    for call in (
        lambda: frechet_standard_error(gaussian(x), y),
        lambda: frechet_at_infinity(gaussian(x), y, generator()),
    ):
        with pytest.raises(ValueError, match="samples hold NaN or infinity"):
            call()
    broken = Gaussian(30, torch.zeros(4).double(), torch.full((4, 4), bad).double())
    with pytest.raises(ValueError, match="covariance of the second Gaussian hold NaN or infinity"):
        frechet_distance(gaussian(x), broken)


@pytest.mark.parametrize(
    ("shape", "message"),
    [((1, 4), "expected rows, at least 2"), ((0, 4), "at least 2"), ((5, 0), "at least one value"), ((5,), "rows")],
)
def test_sets_without_a_covariance_are_refused(shape: tuple[int, ...], message: str) -> None:
    for call in (lambda x: gaussian(x, name="samples"), lambda x: frechet_distance_of_features(normal(9, 4), x)):
        with pytest.raises(ValueError, match=rf"of shape .*: .*{message}"):
            call(torch.zeros(shape))


def test_unequal_widths_are_refused() -> None:
    with pytest.raises(ValueError, match="widths differ"):
        frechet_distance_of_features(normal(9, 4), normal(9, 3))
    with pytest.raises(ValueError, match="widths differ"):
        from_statistics(normal(9, 4), normal(9, 3))
    with pytest.raises(ValueError, match="widths differ"):
        frechet_standard_error(gaussian(normal(50, 4)), normal(50, 3))


@pytest.mark.parametrize(("n", "blocks"), [(39, 20), (100, 1), (3, 2)])
def test_too_few_rows_for_the_blocks_are_refused(n: int, blocks: int) -> None:
    with pytest.raises(ValueError, match=rf"{blocks} blocks of {n} rows: expected at least two"):
        frechet_standard_error(gaussian(normal(50, 4)), normal(n, 4), blocks)


@pytest.mark.parametrize(("points", "smallest"), [(1, None), (15, 50), (15, 1), (15, 51)])
def test_a_line_needs_two_counts(points: int, smallest: int | None) -> None:
    with pytest.raises(ValueError, match=r"counts from .* to 50: expected at least two"):
        frechet_at_infinity(gaussian(normal(50, 4)), normal(50, 4), generator(), points, smallest)
