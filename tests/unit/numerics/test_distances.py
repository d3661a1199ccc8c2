"""Squared distances agree with float64 differences, in any block size, far from the origin, and refuse bad input."""

import subprocess
import sys

import pytest
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from genbench.numerics.distances import squared_distances, squared_distances_within

MIB = 2.0**20


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def whole(x: Tensor, y: Tensor, memory_mib: float = 128) -> Tensor:
    return torch.cat([block.clone() for _, block in squared_distances(x, y, memory_mib)])


@pytest.mark.parametrize(("n", "m", "d"), [(1, 1, 1), (7, 5, 3), (40, 90, 200), (3, 2, 3000)])
def test_agree_with_scipy(n: int, m: int, d: int) -> None:
    x, y = normal(n, d), normal(m, d, seed=1)
    expected = torch.from_numpy(cdist(x.double().numpy(), y.double().numpy(), "sqeuclidean"))
    torch.testing.assert_close(whole(x, y).double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.uint8, torch.float32])
def test_other_types_are_taken_as_float32(dtype: torch.dtype) -> None:
    x, y = (normal(6, 4, seed=seed).mul(3).abs().to(dtype) for seed in (0, 1))
    assert whole(x, y).dtype == torch.float32
    torch.testing.assert_close(whole(x, y), torch.cdist(x.float(), y.float()).square(), rtol=1e-4, atol=1e-4)


def test_float64_stays_float64() -> None:
    x, y = normal(6, 50).double(), normal(9, 50, seed=1).double()
    torch.testing.assert_close(whole(x, y), (x[:, None] - y).square().sum(2), rtol=1e-13, atol=1e-13)


def test_images_are_rows() -> None:
    x, y = normal(4, 3, 5, 5), normal(6, 3, 5, 5, seed=1)
    assert torch.equal(whole(x, y), whole(x.flatten(1), y.flatten(1)))


def test_neither_set_is_changed() -> None:
    x, y = normal(4, 5), normal(6, 5, seed=1)
    whole(x, y)
    assert torch.equal(x, normal(4, 5))
    assert torch.equal(y, normal(6, 5, seed=1))


def test_equal_rows_are_near_zero_and_never_below() -> None:
    x = normal(200, 784)
    found = whole(x, x)
    assert found.min() >= 0
    assert found.diagonal().max() < 1e-6 * 4 * 784


def test_data_far_from_the_origin_lose_no_digits() -> None:
    # The shift leaves multiples of 1/64 exact, so both must give the same distances.
    x, y = (normal(20, 30, seed=seed).mul(64).round().div(64) for seed in (0, 1))
    torch.testing.assert_close(whole(x + 4096, y + 4096), whole(x, y), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rows", [8, 16, 50, 333])
def test_blocks_are_bitwise_the_whole(rows: int) -> None:
    x, y = normal(333, 64), normal(100, 64, seed=1)
    assert torch.equal(whole(x, y, memory_mib=4 * 164 * (rows + 0.5) / MIB), whole(x, y))


@pytest.mark.parametrize(("memory_mib", "blocks"), [(1e-9, 10), (4 * 9 * 3.5 / MIB, 4), (4 * 9 * 6 / MIB, 2), (1, 1)])
def test_blocks_cover_the_rows_in_order_within_the_memory(memory_mib: float, blocks: int) -> None:
    rows = [rows for rows, _ in squared_distances(normal(10, 4), normal(5, 4), memory_mib)]
    assert [row for block in rows for row in range(10)[block]] == list(range(10))
    lengths = [block.stop - block.start for block in rows]
    assert len(lengths) == blocks
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] - lengths[-1] <= 1


def test_the_caller_can_reserve_bytes_for_each_row() -> None:
    plain, reserved = (
        len(list(squared_distances(normal(100, 4), normal(6, 4), 400 / MIB, row_bytes))) for row_bytes in (0, 40)
    )
    assert (plain, reserved) == (10, 20)


@pytest.mark.parametrize("memory_mib", [1e-9, 0.01, 128])
@pytest.mark.parametrize(("n", "d"), [(1, 3), (2, 1), (7, 4), (103, 50)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_pairs_within_a_set_are_all_there_once(n: int, d: int, dtype: torch.dtype, memory_mib: float) -> None:
    x = normal(n, d).to(dtype) + 100
    found = torch.full((n, n), torch.nan, dtype=dtype)
    for rows, block in squared_distances_within(x, memory_mib):
        assert found[rows, rows.start :].isnan().all()
        found[rows, rows.start :] = block
        found[rows.start :, rows] = block.T
    torch.testing.assert_close(found, whole(x, x), rtol=1e-5, atol=1e-4)


def test_pairs_within_a_set_are_little_more_than_half() -> None:
    taken = sum(block.numel() for _, block in squared_distances_within(normal(1000, 3)))
    assert taken <= 0.55 * 1000**2


@pytest.mark.parametrize("precision", ["highest", "high", "medium"])
def test_products_are_exact_whatever_a_model_has_set(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    during = []
    addmm = torch.addmm

    def spy(*args: Tensor, **kwargs: Tensor) -> Tensor:
        during.append((torch.get_float32_matmul_precision(), torch.backends.cuda.matmul.allow_tf32))
        return addmm(*args, **kwargs)

    before = torch.get_float32_matmul_precision()
    monkeypatch.setattr(torch, "addmm", spy)
    torch.set_float32_matmul_precision(precision)
    try:
        whole(normal(4, 5), normal(6, 5))
        assert torch.get_float32_matmul_precision() == precision
    finally:
        torch.set_float32_matmul_precision(before)
    assert during == [("highest", False)]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), 1e30])
@pytest.mark.parametrize("which", ["ours", "theirs"])
def test_values_that_are_not_finite_are_refused_by_name(bad: float, which: str) -> None:
    sets = {"ours": normal(4, 5), "theirs": normal(6, 5)}
    sets[which][2, 3] = bad
    with pytest.raises(ValueError, match=f"{which} hold NaN, infinity or values too large"):
        list(squared_distances(sets["ours"], sets["theirs"], names=("ours", "theirs")))
    with pytest.raises(ValueError, match=f"{which} hold NaN, infinity or values too large"):
        list(squared_distances_within(sets[which], name=which))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ((0, 3), (4, 3), r"x of shape \(0, 3\): expected rows, at least one"),
        ((4, 3), (0, 3), r"y of shape \(0, 3\): expected rows, at least one"),
        ((4, 0), (4, 0), r"x of shape \(4, 0\): expected rows"),
        ((4,), (4, 3), r"x of shape \(4,\): expected rows"),
        ((4, 3), (4, 2), r"x of shape \(4, 3\) and y of shape \(4, 2\): widths differ"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(x: tuple[int, ...], y: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        list(squared_distances(torch.zeros(x), torch.zeros(y)))


@pytest.mark.skipif(sys.platform == "win32", reason="the peak is read by resource, which Windows lacks")
def test_the_peak_is_a_copy_of_y_and_the_memory_given() -> None:
    script = """
import resource, torch
from genbench.numerics.distances import squared_distances
x, y = torch.rand(500, 700), torch.rand(40_000, 700)
list(squared_distances(x[:9], y[:9]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in squared_distances(x, y, memory_mib=16): pass
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    peak = float(printed) / (1024 if sys.platform == "darwin" else 1)
    assert peak < 4 * 40_000 * 700 / MIB + 16 + 24
