"""Precision, recall, density and coverage are brute force's to the last example, ties included, and the peers'."""

import math
import subprocess
import sys

import pytest
import torch
from torch import Tensor

from genbench.numerics import distances, neighbours
from genbench.numerics.neighbours import Neighbourhoods, neighbourhoods

FIELDS = ("precision", "recall", "density", "coverage")


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def whole_numbers(n: int, d: int, seed: int) -> Tensor:
    """Return points on a small grid: most distances are ties, and many points are equal."""
    return torch.randint(0, 3, (n, d), generator=torch.Generator().manual_seed(seed)).float()


def by_definition(real: Tensor, fake: Tensor, k: int, density_k: int) -> Neighbourhoods:
    real, fake = real.double(), fake.double()

    def radii(x: Tensor, k: int) -> Tensor:
        apart = (x[:, None] - x).square().sum(2)
        return apart.fill_diagonal_(math.inf).sort(1).values[:, k - 1]

    apart = (real[:, None] - fake).square().sum(2)  # (n, m)
    near, nearer = apart <= radii(real, density_k)[:, None], apart <= radii(real, k)[:, None]
    return Neighbourhoods(
        precision=nearer.any(0).double(),
        recall=(apart <= radii(fake, k)).any(1).double(),
        density=near.sum(0).double() / density_k,
        coverage=near.any(1).double(),
    )


def assert_equal(found: Neighbourhoods, expected: Neighbourhoods) -> None:
    for field in FIELDS:
        assert torch.equal(getattr(found, field), getattr(expected, field)), field


def means(found: Neighbourhoods) -> dict[str, float]:
    return {field: getattr(found, field).mean().item() for field in FIELDS}


@pytest.mark.parametrize(("k", "density_k"), [(1, 1), (3, 5), (5, 3), (4, 4)])
@pytest.mark.parametrize(("n", "m", "d"), [(6, 7, 1), (90, 70, 2), (150, 200, 40), (60, 80, 700)])
def test_every_example_is_as_by_definition(n: int, m: int, d: int, k: int, density_k: int) -> None:
    real, fake = normal(n, d), normal(m, d, seed=1) * 1.1
    assert_equal(neighbourhoods(real, fake, k, density_k), by_definition(real, fake, k, density_k))


@pytest.mark.parametrize("shift", [0.0, 0.1, 1000.0])
@pytest.mark.parametrize("d", [1, 3, 6])
def test_ties_and_repeated_examples_are_as_by_definition(d: int, shift: float) -> None:
    # About a mean that is no whole number float32 rounds every product: ties are there only in the differences. Moved
    # by 0.1 they are off by a rounding of the values themselves, which counts.
    real, fake = whole_numbers(120, d, 0) + shift, whole_numbers(90, d, 1) + shift
    assert_equal(neighbourhoods(real, fake), by_definition(real, fake, 3, 5))


@pytest.mark.parametrize("far", [1.0, 30.0, 1e4])
def test_near_ties_among_large_numbers_are_settled(far: float) -> None:
    # Two clusters far apart: squared norms about the mean are far² and what decides is of the size of 1.
    cluster = far * (torch.arange(200) % 2 * 2 - 1)[:, None]
    real, fake = normal(200, 5) + cluster, normal(200, 5, seed=1) + cluster
    assert_equal(neighbourhoods(real, fake), by_definition(real, fake, 3, 5))


@pytest.mark.parametrize("d", [1, 7, 64, 1000, 2048])
@pytest.mark.parametrize("order", ["same", "reversed", "shuffled"])
def test_equal_sets_hold_each_other_exactly(d: int, order: str) -> None:
    real = normal(120, d).abs()
    rows = {"same": torch.arange(120), "reversed": torch.arange(119, -1, -1)}.get(
        order, torch.randperm(120, generator=torch.Generator().manual_seed(0))
    )
    found = neighbourhoods(real, real[rows])
    assert means(found) == {"precision": 1, "recall": 1, "density": pytest.approx(6 / 5), "coverage": 1}
    # Each ball of k = 5 holds its centre and five others, one of them on the edge.
    assert found.density.sum().item() * 5 == pytest.approx(120 * 6)


@pytest.mark.parametrize("copies", [2, 4, 40])
def test_equal_sets_with_repeats_hold_each_other(copies: int) -> None:
    real = torch.rand(30, 50, generator=torch.Generator().manual_seed(0)).repeat(copies, 1)
    found = means(neighbourhoods(real, real.flip(0)))
    assert (found["precision"], found["recall"], found["coverage"]) == (1, 1, 1)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e6])
def test_constant_features_hold_each_other_and_nothing_else(value: float) -> None:
    real, fake = torch.full((20, 3), value), torch.full((30, 3), value)
    assert means(neighbourhoods(real, fake)) == {"precision": 1, "recall": 1, "density": 4, "coverage": 1}
    assert means(neighbourhoods(real, fake + 1)) == dict.fromkeys(FIELDS, 0)


def test_sets_far_apart_hold_nothing() -> None:
    assert means(neighbourhoods(normal(50, 4), normal(40, 4) + 100)) == dict.fromkeys(FIELDS, 0)


def test_one_repeated_sample_is_precise_and_recalls_nothing() -> None:
    real = normal(100, 4)
    found = means(neighbourhoods(real, real[:1].expand(60, 4)))
    assert found["precision"] == 1
    assert found["recall"] == 1 / 100  # the one it copies
    assert 0 < found["coverage"] < 0.3


def test_precision_and_recall_swap_with_the_sets() -> None:
    real, fake = normal(80, 4), normal(90, 4, seed=1) * 0.7
    there, back = neighbourhoods(real, fake), neighbourhoods(fake, real)
    assert torch.equal(there.precision, back.recall)
    assert torch.equal(there.recall, back.precision)


def test_order_shift_and_type_do_not_matter() -> None:
    real, fake = (normal(150, 20, seed=seed).mul(64).round().div(64) for seed in (0, 1))  # exact under the shift
    expected = neighbourhoods(real, fake)
    assert_equal(neighbourhoods(real + 64, fake + 64), expected)
    assert_equal(neighbourhoods(real.double(), fake.double()), expected)
    assert_equal(neighbourhoods(real.double(), fake), expected)
    assert_equal(neighbourhoods(real.view(-1, 1, 4, 5), fake.view(-1, 1, 4, 5)), expected)
    turned = neighbourhoods(real.flip(0), fake.roll(7, 0))
    for field, change in {"precision": -7, "density": -7}.items():
        assert torch.equal(getattr(turned, field).roll(change), getattr(expected, field))
    assert torch.equal(turned.recall.flip(0), expected.recall)
    assert torch.equal(turned.coverage.flip(0), expected.coverage)


@pytest.mark.parametrize("memory_mib", [1e-9, 0.01, 0.1])
@pytest.mark.parametrize("ties", [True, False])
def test_memory_changes_nothing(ties: bool, memory_mib: float, monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = (whole_numbers(130, 4, seed) + 0.1 if ties else normal(130, 33, seed=seed) for seed in (0, 1))
    expected = neighbourhoods(real, fake)
    monkeypatch.setattr(distances, "_PAIR_VALUES", 10)
    assert_equal(neighbourhoods(real, fake, memory_mib=memory_mib), expected)


@pytest.mark.parametrize("memory_mib", [1e-9, 0.01, 128])
def test_neighbours_are_found_by_either_half_of_the_pairs(memory_mib: float) -> None:
    x = normal(130, 33)
    rough, numbers = neighbours._nearest(x, 7, memory_mib, "x")
    apart = torch.cdist(x.double(), x.double()).square().fill_diagonal_(math.inf)
    expected = apart.sort(1)
    torch.testing.assert_close(rough.double(), expected.values[:, :7], rtol=1e-5, atol=1e-4)
    assert torch.equal(numbers, expected.indices[:, :7])


def test_rows_settled_in_parts_are_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = (whole_numbers(130, 4, seed) + 0.1 for seed in (0, 1))
    expected = neighbourhoods(real, fake)
    monkeypatch.setattr(neighbours, "rows_at_once", lambda x: 7)
    assert_equal(neighbourhoods(real, fake), expected)


@pytest.mark.parametrize("d", [2, 64, 784, 3072])
@pytest.mark.parametrize("about", [0.0, 1.0, 20.0])
def test_products_are_never_rounded_more_than_is_allowed_for(d: int, about: float) -> None:
    x = normal(300, d).abs() + about * normal(300, 1, seed=5)
    y = x + 1e-3 * normal(300, d, seed=1)
    found = torch.cat([block.clone() for _, block in distances.squared_distances(x, y)]).double()
    true = (
        (x.double()[:, None] - y.double()).square().sum(2) if d < 100 else torch.cdist(x.double(), y.double()).square()
    )
    allowed = neighbours._slack(x, y.mean(0), true.max(1, keepdim=True).values)
    assert ((found - true).abs() < allowed[:, None] / 2).all()


# The peers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [3, 5])
@pytest.mark.parametrize("d", [2, 64])
def test_agrees_with_prdc(k: int, d: int, capsys: pytest.CaptureFixture[str]) -> None:
    from prdc import compute_prdc

    real, fake = normal(400, d), normal(500, d, seed=1) * 0.9 + 0.1
    expected = compute_prdc(real.double().numpy(), fake.double().numpy(), k)
    assert means(neighbourhoods(real, fake, k, k)) == pytest.approx({f: float(expected[f]) for f in FIELDS}, rel=1e-12)


@pytest.mark.parametrize("d", [2, 64])
def test_agrees_with_torch_fidelity(d: int) -> None:
    from torch_fidelity.metric_prc import prc_features_to_metric

    real, fake = normal(400, d), normal(500, d, seed=1) * 0.9 + 0.1
    options = {"prc_neighborhood": 3, "prc_batch_size": 100, "save_cpu_ram": False, "verbose": False}
    expected = prc_features_to_metric(fake.double(), real.double(), **options)
    found = means(neighbourhoods(real, fake))
    assert found["precision"] == pytest.approx(expected["precision"], rel=1e-6)  # its mean is in float32
    assert found["recall"] == pytest.approx(expected["recall"], rel=1e-6)


@pytest.mark.slow
def test_two_gaussian_sets_are_as_prdcs_authors_print_them() -> None:
    found = means(neighbourhoods(normal(10_000, 1000), normal(10_000, 1000, seed=1), k=5, density_k=5))
    # Draws differ by about 0.01, and by 0.04 in density: a few examples lie in very many balls.
    assert found["precision"] == pytest.approx(0.477, abs=0.03)
    assert found["recall"] == pytest.approx(0.471, abs=0.03)
    assert found["density"] == pytest.approx(1.056, abs=0.12)
    assert found["coverage"] == pytest.approx(0.974, abs=0.02)


# Bad input -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("which", ["real", "fake"])
def test_values_that_are_not_finite_are_refused_by_name(which: str, bad: float) -> None:
    sets = {"real": normal(20, 4), "fake": normal(20, 4)}
    sets[which][3, 2] = bad
    with pytest.raises(ValueError, match=f"{which} features hold NaN, infinity"):
        neighbourhoods(**sets)


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        ((5, 4), (20, 4), r"real features of shape \(5, 4\): expected rows, at least 6"),
        ((20, 4), (5, 4), r"fake features of shape \(5, 4\): expected rows, at least 6"),
        ((20, 4), (0, 4), r"fake features of shape \(0, 4\)"),
        ((20, 0), (20, 0), r"real features of shape \(20, 0\): expected rows, .* of at least one value"),
        ((20, 4), (20, 3), "widths differ"),
    ],
)
def test_sets_that_are_too_small_or_do_not_fit_are_refused(real, fake, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        neighbourhoods(torch.zeros(real), torch.zeros(fake))


@pytest.mark.parametrize(("k", "density_k"), [(0, 5), (3, 0), (-1, 5)])
def test_no_neighbour_is_refused(k: int, density_k: int) -> None:
    with pytest.raises(ValueError, match=r"k = .*: expected at least one neighbour"):
        neighbourhoods(normal(20, 4), normal(20, 4), k, density_k)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the peak is read by resource, which Windows lacks")
@pytest.mark.parametrize("case", ["alike", "every pair in a ball"])
def test_the_peak_is_a_copy_and_twice_the_memory_given(case: str) -> None:
    spread = 1.0 if case == "alike" else 1e-3  # fakes at the middle, where the ball of every real outlier holds them
    script = f"""
import resource, torch
from genbench.numerics.neighbours import neighbourhoods
real, fake = torch.randn(4000, 300), torch.randn(4000, 300) * {spread}
neighbourhoods(real[:9], fake[:9])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
neighbourhoods(real, fake, memory_mib=16)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    peak = float(printed) / (1024 if sys.platform == "darwin" else 1)
    assert peak < 4 * 4000 * 300 / 2**20 + 2 * 16 + 24
