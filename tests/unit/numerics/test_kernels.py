"""The kernel distance is torch-fidelity's on its subsets, unbiased, and its standard error is the spread over draws."""

import math
import warnings

import numpy as np
import pytest
import torch
from torch import Tensor

from genbench.numerics import kernels
from genbench.numerics.kernels import KernelDistance, kernel_distance, random_subsets


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def everything(x: Tensor, y: Tensor) -> list[tuple[Tensor, Tensor]]:
    return [(torch.arange(len(x)), torch.arange(len(y)))]


def estimate(x: Tensor, y: Tensor, subsets: int, size: int, seed: int = 0) -> KernelDistance:
    return kernel_distance(x, y, random_subsets(len(x), len(y), generator(seed), subsets, size))


def by_definition(x: Tensor, y: Tensor) -> float:
    x, y = x.double(), y.double()

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.T / a.shape[1] + 1) ** 3

    n, m = len(x), len(y)
    within = [(kernel(a, a).sum() - kernel(a, a).trace()) / (len(a) * (len(a) - 1)) for a in (x, y)]
    return (within[0] + within[1] - 2 * kernel(x, y).sum() / (n * m)).item()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("n", "m", "d"), [(2, 2, 1), (5, 9, 3), (101, 64, 20), (64, 3, 500)])
def test_one_subset_is_by_definition(n: int, m: int, d: int, dtype: torch.dtype) -> None:
    x, y = normal(n, d).to(dtype), normal(m, d, seed=1).to(dtype) + 0.5
    found = kernel_distance(x, y, everything(x, y))
    assert found.value == pytest.approx(by_definition(x, y), rel=1e-12 if dtype == torch.float64 else 2e-5)
    assert found.spread == 0


def test_subsets_are_averaged() -> None:
    x, y = normal(50, 4).double(), normal(60, 4, seed=1).double() * 1.5
    rows = list(random_subsets(50, 60, generator(), 7, 20))
    values = [by_definition(x[i], y[j]) for i, j in rows]
    found = kernel_distance(x, y, rows)
    assert found.value == pytest.approx(np.mean(values), rel=1e-12)
    assert found.spread == pytest.approx(np.std(values), rel=1e-9)


@pytest.mark.parametrize("d", [8, 64])
def test_agrees_with_torch_fidelity_on_its_subsets(d: int) -> None:
    from torch_fidelity.metric_kid import kid_features_to_metric

    x, y = normal(300, d).double(), normal(400, d, seed=1).double() * 1.1
    options = {"kid_subsets": 20, "kid_subset_size": 100, "rng_seed": 2020, "verbose": False, "kid_kernel": "poly"}
    options |= {"kid_kernel_poly_degree": 3, "kid_kernel_poly_gamma": None, "kid_kernel_poly_coef0": 1}
    expected = kid_features_to_metric(x, y, **options)
    draw = np.random.RandomState(2020)
    rows = [tuple(torch.from_numpy(draw.choice(n, 100, replace=False)) for n in (300, 400)) for _ in range(20)]
    found = kernel_distance(x, y, rows)
    assert found.value == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-9)
    assert found.spread == pytest.approx(expected["kernel_inception_distance_std"], rel=1e-9)
    single = kernel_distance(x.float(), y.float(), rows)
    assert single.value == pytest.approx(found.value, rel=1e-5)


def test_agrees_with_clean_fids_estimate_on_the_whole_sets() -> None:
    x, y = normal(80, 6).double(), normal(80, 6, seed=1).double() + 0.3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # while it is compiled
        from cleanfid.fid import kernel_distance as peer

    expected = peer(x.numpy(), y.numpy(), num_subsets=1, max_subset_size=80)
    assert kernel_distance(x, y, everything(x, y)).value == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 50])
def test_the_cut_of_a_set_changes_nothing(parts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = normal(50, 4).double(), normal(41, 4, seed=1).double()
    expected = kernel_distance(x, y, everything(x, y))
    monkeypatch.setattr(kernels, "_PARTS", parts)
    found = kernel_distance(x, y, everything(x, y))
    assert found.value == pytest.approx(expected.value, rel=1e-11)
    assert found.standard_error == pytest.approx(expected.standard_error, rel=1e-11)


def test_what_must_not_matter_does_not() -> None:
    x, y = normal(60, 8).double(), normal(70, 8, seed=1).double() * 1.5
    turn = torch.linalg.qr(normal(8, 8, seed=2).double()).Q
    expected = kernel_distance(x, y, everything(x, y))
    for a, b in ((x.flip(0), y.roll(3, 0)), (x @ turn, y @ turn), (y, x), (x.view(-1, 2, 2, 2), y.view(-1, 2, 2, 2))):
        found = kernel_distance(a, b, everything(a, b))
        assert found.value == pytest.approx(expected.value, rel=1e-10)
        assert found.standard_error == pytest.approx(expected.standard_error, rel=1e-10)


def test_equal_sets_are_below_zero_by_their_diagonal_only() -> None:
    x = normal(100, 8).double()
    kernel = (x @ x.T / 8 + 1) ** 3
    expected = 2 * ((kernel.sum() - kernel.trace()) / 9900 - kernel.sum() / 10_000)
    assert kernel_distance(x, x, everything(x, x)).value == pytest.approx(expected.item(), rel=1e-10)


def test_constant_features_are_at_zero_without_error() -> None:
    x = torch.full((20, 4), 0.5)
    assert kernel_distance(x, x, everything(x, x)) == KernelDistance(0, 0, 0)


@pytest.mark.parametrize("level", [1.0, 30.0, 100.0])
def test_features_far_from_the_origin_lose_no_digits(level: float) -> None:
    """Products of float32 alone would be off by hundreds here, and more than their error."""
    constant = (level + 0.1 * torch.arange(256.0)).repeat(20, 1)
    assert kernel_distance(constant, constant, everything(constant, constant)) == KernelDistance(0, 0, 0)
    x, y = constant + 0.1 * normal(20, 256), constant + 0.1 * normal(20, 256, seed=1)
    found, exact = (kernel_distance(a, b, everything(a, b)) for a, b in ((x, y), (x.double(), y.double())))
    assert found.value == pytest.approx(exact.value, rel=1e-4)
    assert found.standard_error == pytest.approx(exact.standard_error, rel=1e-5)


# Bias and error ------------------------------------------------------------------------------------------------------

CASES = pytest.mark.parametrize(
    ("scale", "shift"), [(1.0, 0.0), (1.0, 0.1), (1.5, 0.0), (0.7, 1.0)], ids=["null", "near", "wider", "apart"]
)


def many(scale: float, shift: float, n: int, m: int, subsets: int, size: int) -> list[KernelDistance]:
    sets = [(normal(n, 6, seed=2 * s), normal(m, 6, seed=2 * s + 1) * scale + shift) for s in range(250)]
    return [estimate(x.double(), y.double(), subsets, size, seed) for seed, (x, y) in enumerate(sets)]


@pytest.fixture
def small_sets_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut no set, which is slower where sets are small."""
    monkeypatch.setattr(kernels, "_PARTS", 1)


@pytest.mark.usefixtures("small_sets_whole")
@CASES
def test_it_is_unbiased_and_the_standard_error_is_the_spread_over_draws(scale: float, shift: float) -> None:
    found = many(scale, shift, 120, 90, 5, 45)
    values = np.array([each.value for each in found])
    errors = np.array([each.standard_error for each in found])
    x, y = normal(3000, 6, seed=-1).double(), normal(3000, 6, seed=-2).double() * scale + shift
    far = kernel_distance(x, y, everything(x, y))
    assert abs(values.mean() - far.value) < 4 * math.hypot(values.std() / math.sqrt(250), far.standard_error)
    assert math.sqrt((errors**2).mean()) == pytest.approx(values.std(), rel=0.18)
    assert (np.abs(values - far.value) < 2 * errors).mean() > 0.87  # draws are skewed, and so not quite 95 %


@pytest.mark.usefixtures("small_sets_whole")
@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (1.5, 0.0)])
def test_the_error_of_all_examples_at_once_is_right_too(scale: float, shift: float) -> None:
    found = many(scale, shift, 80, 80, 1, 80)
    spread = np.std([each.value for each in found])
    assert math.sqrt(np.mean([each.standard_error**2 for each in found])) == pytest.approx(spread, rel=0.18)


def test_the_spread_is_no_error() -> None:
    x, y = normal(500, 6), normal(500, 6, seed=1) * 1.5
    few, more = estimate(x, y, 50, 50), estimate(x, y, 50, 250)
    assert few.spread > 2 * more.spread
    assert few.standard_error < 2 * more.standard_error


# Subsets -------------------------------------------------------------------------------------------------------------


def test_subsets_are_drawn_without_replacement_and_seeded() -> None:
    before = torch.random.get_rng_state()
    first, again = (list(random_subsets(30, 40, generator(), 5, 25)) for _ in range(2))
    other = list(random_subsets(30, 40, generator(1), 5, 25))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(len(set(i.tolist())) == len(set(j.tolist())) == 25 for i, j in first)
    assert all(torch.equal(i, k) and torch.equal(j, m) for (i, j), (k, m) in zip(first, again, strict=True))
    assert not torch.equal(first[0][0], other[0][0])


@pytest.mark.parametrize(("subsets", "size"), [(0, 10), (5, 1), (5, 31)])
def test_subsets_that_cannot_be_drawn_are_refused(subsets: int, size: int) -> None:
    with pytest.raises(
        ValueError, match=rf"{subsets} subsets of {size} from 30 and 40 rows: expected some, of 2 to 30"
    ):
        list(random_subsets(30, 40, generator(), subsets, size))


# Refusals ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_values_that_are_not_finite_are_refused_by_name(bad: float) -> None:
    x, y = normal(9, 3), normal(9, 3)
    y[4, 1] = bad
    with pytest.raises(ValueError, match="second features hold NaN or infinity, first in row 4"):
        kernel_distance(x, y, everything(x, y))


def test_features_too_large_to_be_cubed_are_refused() -> None:
    x = normal(9, 3) * 1e8
    with pytest.raises(ValueError, match="too large to be cubed"):
        kernel_distance(x, x, everything(x, x))


def test_sets_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="widths differ"):
        kernel_distance(normal(9, 3), normal(9, 4), [])
    with pytest.raises(ValueError, match=r"first features of shape \(1, 3\): expected rows, at least 2"):
        kernel_distance(normal(1, 3), normal(9, 3), [])
    with pytest.raises(ValueError, match="no subsets: expected at least one"):
        kernel_distance(normal(9, 3), normal(9, 3), [])
    with pytest.raises(ValueError, match="a subset of 1 and 9 rows: expected at least two"):
        kernel_distance(normal(9, 3), normal(9, 3), [(torch.arange(1), torch.arange(9))])
