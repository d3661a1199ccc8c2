"""The kernel distance: unbiased MMD² with a cubic kernel (Bińkowski et al. 2018), with a standard error."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor

from genbench.numerics.blocks import rows_at_once
from genbench.numerics.checks import check_finite, check_rows, check_widths
from genbench.numerics.precision import full_precision

_PARTS = 4
"""Into how many parts a set is cut where it meets itself: products below the diagonal are left out."""


@dataclass(frozen=True)
class KernelDistance:
    """The mean MMD² of subsets, their standard deviation, which is no error, and the standard error of the mean."""

    value: float
    spread: float
    standard_error: float


@dataclass(frozen=True, eq=False)
class _Moved:
    """Features less a centre, (m, d), their products with it, (m,), and the kernel's root there, |c|² / d + 1."""

    x: Tensor
    along: Tensor
    root: float

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: slice | Tensor) -> "_Moved":
        return _Moved(self.x[rows], self.along[rows], self.root)


@dataclass(frozen=True)
class _Subset:
    """MMD² of one pair of subsets and its parts of variance: see `_variance`."""

    mmd: float
    first: float
    second: float
    first_pairs: float
    second_pairs: float
    cross_pairs: float


def random_subsets(
    n: int, m: int, generator: torch.Generator, subsets: int = 100, size: int = 1000
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the rows (size,), (size,) of subsets of n and of m examples, drawn without replacement.

    Raises ValueError for less than one subset, or a size below 2 or above n or m.
    """
    if subsets < 1 or not 2 <= size <= min(n, m):
        raise ValueError(f"{subsets} subsets of {size} from {n} and {m} rows: expected some, of 2 to {min(n, m)} rows")
    for _ in range(subsets):
        first, second = (torch.randperm(count, generator=generator, device=generator.device) for count in (n, m))
        yield first[:size], second[:size]


def kernel_distance(first: Tensor, second: Tensor, rows: Iterable[tuple[Tensor, Tensor]]) -> KernelDistance:
    """Return the mean over subsets of MMD² between features (n, ...) and (m, ...), kernel (x·y / d + 1)³.

    `rows` gives the rows of each subset (see `random_subsets`). Each MMD² is unbiased, so it may be below 0. Products
    are in float32, or in float64 where both sets are, of features moved by their mean, and the kernel's value at the
    mean is left out: it cancels in MMD², and would take the last digits with it. Sums are in float64. `spread` divides
    by the number of subsets.

    The standard error is that of the mean for new draws of both sets and of the subsets, which are taken to be random.
    By the law of total variance it is the variance of MMD² on all n and m examples, whose parts by Hoeffding's
    decomposition (examples, and pairs, which is what remains where both distributions agree) are estimated within the
    subsets, plus the spread's square over the number of subsets.

    Raises ValueError for sets that are empty, not finite or of unequal widths, features too large to be cubed, no
    subsets, and subsets of fewer than two rows.
    """
    for values, name in ((first, "first features"), (second, "second features")):
        check_rows(values, name, least=2)
        check_finite(values, name)
    check_widths(first, second, ("first features", "second features"))
    dtype = torch.float64 if first.dtype == second.dtype == torch.float64 else torch.float32
    x, y = first.flatten(1), second.flatten(1)
    centre = ((x.mean(0, dtype=torch.float64) + y.mean(0, dtype=torch.float64)) / 2).to(dtype)
    moved = _moved(x, centre), _moved(y, centre)  # a copy of each set
    parts = [_subset(moved[0][i.to(x.device)], moved[1][j.to(y.device)]) for i, j in rows]
    if not parts:
        raise ValueError("no subsets: expected at least one")
    return _summary(parts, len(x), len(y))


def _summary(parts: list[_Subset], n: int, m: int) -> KernelDistance:
    values = torch.tensor([part.mmd for part in parts], dtype=torch.float64)
    if not bool(values.isfinite().all()):
        raise ValueError("features are too large to be cubed: expected a finite kernel")
    between = float(values.var()) / len(values) if len(values) > 1 else 0.0
    variance = _variance(parts, n, m) + between
    return KernelDistance(float(values.mean()), float(values.std(correction=0)), math.sqrt(variance))


def _variance(parts: list[_Subset], n: int, m: int) -> float:
    """Return the variance of MMD² on n and m examples, with Hoeffding's parts averaged over subsets.

    First order: 4 Var[E k(x, x') - E k(x, y) | x] / n, and likewise of y. Second: of the kernel with both of its
    conditional means taken off, over pairs of x, of y, and of both.
    """
    names = ("first", "second", "first_pairs", "second_pairs", "cross_pairs")
    x, y, xx, yy, xy = (max(0.0, fmean(getattr(part, name) for part in parts)) for name in names)
    return 4 * x / n + 4 * y / m + 2 * xx / (n * (n - 1)) + 2 * yy / (m * (m - 1)) + 4 * xy / (n * m)


def _moved(x: Tensor, centre: Tensor) -> _Moved:
    x, c = x.to(centre.dtype) - centre, centre.double()
    along = torch.cat([part.double() @ c for part in torch.split(x, rows_at_once(x))])  # each is copied to float64
    return _Moved(x, along.to(centre.dtype), float(c @ c) / len(c) + 1)


def _subset(x: _Moved, y: _Moved) -> _Subset:
    if min(len(x), len(y)) < 2:
        raise ValueError(f"a subset of {len(x)} and {len(y)} rows: expected at least two of each")
    with full_precision():
        (xx, xx_pairs), (yy, yy_pairs) = _within(x), _within(y)
        xy, yx, cross = _between(x, y)
    # A mean over m others differs from its expectation, which adds what is taken off here to the variance over rows.
    numbers = (
        xx.mean() + yy.mean() - 2 * xy.mean(),
        (xx - xy).var() - xx_pairs / (len(x) - 1) - cross / len(y),
        (yy - yx).var() - yy_pairs / (len(y) - 1) - cross / len(x),
    )
    # As floats: small tensors kept between the large ones of all subsets would split the heap.
    return _Subset(*torch.stack([*numbers, xx_pairs, yy_pairs, cross]).tolist())


def _kernel(x: _Moved, y: _Moved) -> Tensor:
    """Return the kernel of each row of x with each of y less that at the centre, r³, in float64.

    With x·y / d + 1 = r + e it is e (e (e + 3 r) + 3 r²), where e is small wherever features are nearly equal.
    """
    d, r = x.x.shape[1], x.root
    e = torch.addmm(y.along, x.x, y.x.T).add_(x.along[:, None]).div_(d)
    return (e + 3 * r).mul_(e).add_(3 * r**2).mul_(e).double()


def _within(x: _Moved) -> tuple[Tensor, Tensor]:
    """Return each row's mean kernel with the others, (m,), and the variance of the kernel without both row means."""
    m = len(x)
    sums, squares = x.x.new_zeros(m, dtype=torch.float64), x.x.new_zeros((), dtype=torch.float64)
    step = -(-m // _PARTS)
    for start in range(0, m, step):
        part = x[start : start + step]
        kernel = _kernel(part, x[start:])  # (b, m - start)
        kernel.diagonal().zero_()
        after = kernel[:, len(part) :]
        sums[start:] += torch.cat([kernel.sum(1), after.sum(0)])
        squares += _square_sum(kernel) + _square_sum(after)
    means, pairs = sums / (m - 1), squares / (m * (m - 1))
    return means, pairs - 2 * means.square().mean() + means.mean().square()


def _between(x: _Moved, y: _Moved) -> tuple[Tensor, Tensor, Tensor]:
    """Return the mean kernel of each x (m,) and of each y, and the variance of the kernel without both."""
    kernel = _kernel(x, y)
    rows, columns = kernel.mean(1), kernel.mean(0)
    pairs = _square_sum(kernel) / kernel.numel()
    return rows, columns, pairs - rows.square().mean() - columns.square().mean() + rows.mean().square()


def _square_sum(kernel: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(kernel)
    return norm.square()
