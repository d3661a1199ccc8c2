"""Squared Euclidean distances between two sets, block by block, by matrix products in bounded memory."""

import math
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from genbench.numerics.blocks import rows_at_once, values_at_once
from genbench.numerics.checks import check_rows, check_widths
from genbench.numerics.precision import full_precision

_PAIR_VALUES = 2**16
"""How many values of paired rows are taken at a time on a CPU: few enough to stay in its cache."""

_HALF_BLOCKS = 10
"""In how many blocks the pairs within a set are taken at least: one pair in ten is then taken twice, in its block."""


def squared_distances(
    x: Tensor,
    y: Tensor,
    memory_mib: float = 128,
    row_bytes: int = 0,
    names: tuple[str, str] = ("x", "y"),
) -> Iterator[tuple[slice, Tensor]]:
    """Yield (rows, distances): ‖x_i - y_j‖² of a block of rows of x (n, ...) to every row of y (m, ...), (b, m).

    Computed in float32, or in float64 where both sets are, on the device of both; never below 0. Both sets are moved
    by the mean of y first, so data far from the origin loses no digits; what is left is an error of about 1e-7 of
    ‖x_i‖² + ‖y_j‖² about that mean. Blocks cover the rows in order and share one buffer, so each overwrites the one
    before it; the caller may write to it. A block holds as many rows as fit `memory_mib`, counting `row_bytes` that
    the caller needs for each of them, and at least one; one moved copy of y comes on top.

    Raises ValueError, with the set's name, for a set that is empty or not finite, and for unequal widths.
    """
    dtype = product_type(x, y)
    check_rows(x, names[0])
    check_rows(y, names[1])
    check_widths(x, y, names)
    x, y = x.flatten(1), y.flatten(1).to(dtype)  # (n, d), (m, d)
    centre = y.mean(0)  # (d,)
    y = y - centre
    y_norms = _squared_norms(y, names[1])  # (m,)
    blocks = _row_blocks(x, y, memory_mib, row_bytes)
    buffer = torch.empty(blocks[0].stop, len(y), dtype=dtype, device=y.device)
    for rows in blocks:
        block = x[rows].to(dtype) - centre  # (b, d)
        yield rows, _products(block, _squared_norms(block, names[0]), y, y_norms, buffer[: len(block)])


def squared_distances_within(x: Tensor, memory_mib: float = 128, name: str = "x") -> Iterator[tuple[slice, Tensor]]:
    """Yield (rows, distances): ‖x_i - x_j‖² of a block of rows of x (n, ...) to its own and all later rows, (b, rest).

    By symmetry that is every pair, for little more than half the work of `squared_distances(x, x)`, which it is like
    in all else: column j of a block that starts at row s belongs to row s + j.
    """
    check_rows(x, name)
    x = x.flatten(1).to(product_type(x, x))  # (n, d)
    x = x - x.mean(0)
    norms = _squared_norms(x, name)  # (n,)
    blocks = _row_blocks(x, x, memory_mib, 0, least=_HALF_BLOCKS)
    buffer = x.new_empty(blocks[0].stop * len(x))
    for rows in blocks:
        later, shape = slice(rows.start, None), (rows.stop - rows.start, len(x) - rows.start)
        yield rows, _products(x[rows], norms[rows], x[later], norms[later], buffer[: math.prod(shape)].view(shape))


def product_type(x: Tensor, y: Tensor) -> torch.dtype:
    """Return the type in which distances between two sets are computed."""
    return torch.float64 if x.dtype == y.dtype == torch.float64 else torch.float32


def _products(x: Tensor, x_norms: Tensor, y: Tensor, y_norms: Tensor, out: Tensor) -> Tensor:
    """Return ‖x_i - y_j‖², (b, m), written to `out`, of rows whose squared norms are known."""
    with full_precision():
        torch.addmm(y_norms, x, y.T, alpha=-2, out=out)
    return out.add_(x_norms[:, None]).clamp_(min=0)


def paired_squared_distances(x: Tensor, i: Tensor, y: Tensor, j: Tensor) -> Tensor:
    """Return ‖x_i - y_j‖² of chosen rows of x (n, ...) and y (m, ...), numbered by i and j (p,), as (p,) float64.

    Each is the sum of its own squared differences: exactly 0 for equal rows, and the same whatever else is in the sets.
    """
    x, y = x.flatten(1), y.flatten(1)
    distances = torch.empty(len(i), dtype=torch.float64, device=x.device)
    pairs = max(1, values_at_once(x.device, _PAIR_VALUES) // x.shape[1])
    for first, second, out in zip(*(torch.split(each, pairs) for each in (i, j, distances)), strict=True):
        torch.sum(x[first].double().sub_(y[second].double()).square_(), 1, out=out)
    return distances


def _squared_norms(values: Tensor, name: str) -> Tensor:
    """Return ‖v‖² of each row, (n,), summed in float64, or refuse what would leave the numbers."""
    norms = torch.empty(len(values), dtype=torch.float64, device=values.device)
    # In parts, since each is copied to float64; into one tensor, since small ones kept between them split the heap.
    rows = rows_at_once(values)
    for part, out in zip(torch.split(values, rows), torch.split(norms, rows), strict=True):
        torch.linalg.vector_norm(part, dim=1, dtype=torch.float64, out=out).square_()
    # Four times the greatest of them bounds a distance. NaN and infinity fail the comparison too.
    if not bool((norms < torch.finfo(values.dtype).max / 8).all()):
        raise ValueError(f"{name} hold NaN, infinity or values too large to square: expected finite values")
    return norms.to(values.dtype)


def _row_blocks(x: Tensor, y: Tensor, memory_mib: float, row_bytes: int, least: int = 1) -> list[slice]:
    """Return slices that cover the rows of x, the longest first and all nearly equal; `least` where it has the rows.

    Matrix products round a very short block differently, so a short rest would make results depend on the memory.
    """
    n, row = len(x), y.element_size() * (len(y) + y.shape[1]) + row_bytes
    count = max(-(-n // max(1, int(memory_mib * 2**20 / row))), min(least, n))
    size, longer = divmod(n, count)
    starts = [i * size + min(i, longer) for i in range(count + 1)]
    return [slice(start, end) for start, end in pairwise(starts)]
