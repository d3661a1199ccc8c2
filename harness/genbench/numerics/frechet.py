"""The squared Frechet distance between Gaussians fitted to two sets (Heusel et al. 2017), its error and its bias."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from genbench.numerics.blocks import rows_at_once
from genbench.numerics.checks import check_finite, check_rows, check_widths

_EPS = torch.finfo(torch.float64).eps

_TOLERANCE = 2e-7
"""Singular values are taken as roots of eigenvalues where what rounding could do to these, at worst, is below this part
of their sum. What it does was below 1e-8 of it wherever that was tried."""


@dataclass(frozen=True, eq=False)
class Gaussian:
    """The mean (d,) and the unbiased covariance (d, d) of `count` rows, both float64."""

    count: int
    mean: Tensor
    covariance: Tensor

    def without(self, part: "Gaussian") -> "Gaussian":
        """Return the Gaussian of the rows that are left when those of `part`, all among them, are taken out."""
        count = self.count - part.count
        mean = (self.count * self.mean - part.count * part.mean) / count
        apart = part.mean - mean
        scatter = (self.count - 1) * self.covariance - (part.count - 1) * part.covariance
        scatter -= part.count * count / self.count * torch.outer(apart, apart)
        return Gaussian(count, mean, scatter / (count - 1))


@dataclass(frozen=True)
class Extrapolation:
    """A straight line through distances over 1 / count: `value` where 1 / count is 0, and what it was drawn through."""

    value: float
    slope: float
    counts: tuple[int, ...]
    distances: tuple[float, ...]


def gaussian(features: Tensor, memory_mib: float = 128, name: str = "features") -> Gaussian:
    """Return the Gaussian of features (n, ...), summed in float64 block by block.

    Raises ValueError, with `name`, for fewer than two rows and for values that are not finite.
    """
    check_rows(features, name, least=2)
    check_finite(features, name)
    x = features.flatten(1)  # (n, d)
    width = x.shape[1]
    blocks = torch.split(x, max(1, int(memory_mib * 2**20 / (16 * width))))
    mean = torch.stack([block.double().sum(0) for block in blocks]).sum(0) / len(x)
    scatter = torch.zeros(width, width, dtype=torch.float64, device=x.device)
    for block in blocks:
        centred = block.double() - mean  # (b, d)
        scatter.addmm_(centred.T, centred)
    return Gaussian(len(x), mean, scatter.div_(len(x) - 1))


def frechet_distance(first: Gaussian, second: Gaussian) -> float:
    """Return ‖μ1 - μ2‖² + tr(Σ1 + Σ2 - 2 (Σ1 Σ2)^½), at least 0.

    tr (Σ1 Σ2)^½ is the sum of the singular values of R1' R2 for any roots R R' = Σ: no product of covariances is
    rooted, so nothing is complex, and singular covariances are exact.

    Raises ValueError for unequal widths and for values that are not finite.
    """
    for part, name in ((first, "first"), (second, "second")):
        check_finite(part.mean[:, None], f"the mean of the {name} Gaussian")
        check_finite(part.covariance, f"the covariance of the {name} Gaussian")
    check_widths(first.covariance, second.covariance, ("the first covariance", "the second covariance"))
    traces = _trace(first) + _trace(second)
    shared = _nuclear_norm(_root(first).T @ _root(second))
    return max(0.0, _distance(first.mean - second.mean, traces, shared))


def frechet_distance_of_features(first: Tensor, second: Tensor, memory_mib: float = 128) -> float:
    """Return `frechet_distance` between the Gaussians of two sets of features, (n, ...) and (m, ...).

    A set of at most as many rows as values, d, is its own root, so that few examples of many values need no (d, d).
    Equal sets, in whatever order, are at 0 to about twelve digits of their variance.

    Raises ValueError as `gaussian` does, and for unequal widths.
    """
    names = ("first features", "second features")
    sides = [_side(features, memory_mib, name) for features, name in zip((first, second), names, strict=True)]
    check_widths(first, second, names)
    (mean1, trace1, root1), (mean2, trace2, root2) = sides
    return max(0.0, _distance(mean1 - mean2, trace1 + trace2, _nuclear_norm(root1.T @ root2)))


def frechet_standard_error(reference: Gaussian, samples: Tensor, blocks: int = 20, memory_mib: float = 128) -> float:
    """Return the jackknife standard error of the distance of samples (n, ...) to the reference: of their sampling only.

    Each of the blocks, of every `blocks`-th row, is left out in turn. Rows are taken to be independent draws. The error
    says nothing of the distance's bias, which falls with 1 / n (see `frechet_at_infinity`).

    Raises ValueError as `gaussian` does, for unequal widths, and for fewer than two blocks or two rows in a block.
    """
    if blocks < 2 or len(samples) < 2 * blocks:
        raise ValueError(f"{blocks} blocks of {len(samples)} rows: expected at least two blocks of at least two rows")
    around = _Reference(reference, samples)
    shared = [_root_sum(covariance) for covariance in _covariances_without(around.turned, blocks)]
    values = [around.distance(*rest) for rest in zip(*_moments_without(samples, blocks), shared, strict=True)]
    return math.sqrt((blocks - 1) * float(torch.tensor(values, dtype=torch.float64).var(correction=0)))


def frechet_at_infinity(
    reference: Gaussian,
    samples: Tensor,
    generator: torch.Generator,
    points: int = 15,
    smallest: int | None = None,
) -> Extrapolation:
    """Return the distance extrapolated to infinitely many samples (Chong & Forsyth 2020), which may fall below 0.

    Distances of `points` random subsets, of evenly spaced counts from `smallest` (a tenth of all where None) to all n,
    are fitted by a straight line over 1 / count. The reference's own bias is not taken away.

    Raises ValueError as `gaussian` does, for unequal widths, and where there are not two different counts.
    """
    around = _Reference(reference, samples)
    n = len(samples)
    least = max(2, n // 10) if smallest is None else smallest
    if not 2 <= least < n or points < 2:
        raise ValueError(
            f"{points} counts from {least} to {n}: expected at least two, from at least 2 to more than that"
        )
    counts = [least + round(step * (n - least) / (points - 1)) for step in range(points)]
    orders = (torch.randperm(n, generator=generator, device=generator.device) for _ in counts)
    distances = [around.of(order[:count].to(samples.device)) for order, count in zip(orders, counts, strict=True)]
    value, slope = _line(torch.tensor(counts).double().reciprocal(), torch.tensor(distances).double())
    return Extrapolation(value, slope, tuple(counts), tuple(distances))


# Roots ---------------------------------------------------------------------------------------------------------------


def _trace(fitted: Gaussian) -> float:
    return float(fitted.covariance.trace())


def _distance(means_apart: Tensor, traces: float, shared: float) -> float:
    """Return the distance, which rounding may leave below 0."""
    return float(means_apart.square().sum()) + traces - 2 * shared


def _root(fitted: Gaussian) -> Tensor:
    """Return R (d, r) with R R' = Σ, without directions whose variance is rounding alone."""
    covariance = fitted.covariance
    rounding = _EPS * (len(covariance) + math.sqrt(fitted.count)) * covariance.diagonal().max()
    factored: tuple[Tensor, Tensor] = torch.linalg.cholesky_ex(covariance)
    lower, failed = factored
    if bool(failed == 0) and bool((lower.diagonal().square() > rounding).all()):
        return lower
    return _root_by_directions(covariance, rounding)


def _root_by_directions(covariance: Tensor, rounding: Tensor) -> Tensor:
    decomposed: tuple[Tensor, Tensor] = torch.linalg.eigh(covariance)
    variances, directions = decomposed
    real = variances > rounding
    real[-1] = True  # the greatest stays, be it 0: a root of no columns would need care everywhere
    return directions[:, real] * variances[real].clamp_min(0).sqrt()


def _side(features: Tensor, memory_mib: float, name: str) -> tuple[Tensor, float, Tensor]:
    """Return the mean (d,), the trace of the covariance and a root (d, r) of it."""
    check_rows(features, name, least=2)
    if len(features) > features[0].numel():
        fitted = gaussian(features, memory_mib, name)
        return fitted.mean, _trace(fitted), _root(fitted)
    check_finite(features, name)
    x = features.flatten(1).double()  # (n, d)
    mean = x.mean(0)
    root = _without_mean(x - mean).div_(math.sqrt(len(x) - 1))
    return mean, float(root.square().sum()), root.T


def _without_mean(centred: Tensor) -> Tensor:
    """Return n - 1 rows with the scatter of n centred ones, which are linearly dependent: by a Householder reflection.

    It takes the direction of the mean to the first row, which is left out: a singular value of 0 would be rounding.
    """
    n = len(centred)
    normal = torch.full((n,), 1 / math.sqrt(n), dtype=centred.dtype, device=centred.device)
    normal[0] += 1
    return (centred - torch.outer(normal, normal @ centred) / normal[0])[1:]


def _nuclear_norm(product: Tensor) -> float:
    """Return the sum of the singular values of (p, q).

    As roots of the eigenvalues of the smaller square, which are found four times faster; but a small eigenvalue is
    rounding, and its root is not small: so where such roots could matter, by a decomposition after all.
    """
    tall = product if len(product) >= product.shape[1] else product.T
    squares = torch.linalg.eigvalsh(tall.T @ tall).clamp_min_(0)
    rounding = 4 * _EPS * squares[-1]
    doubt = (rounding / squares.clamp_min(rounding).sqrt()).nan_to_num_(0).sum()
    roots = squares.sqrt_()
    return float((roots if doubt <= _TOLERANCE * roots.sum() else torch.linalg.svdvals(product)).sum())


def _root_sum(covariance: Tensor) -> float:
    return float(torch.linalg.eigvalsh(covariance).clamp_min_(0).sqrt_().sum())


# Subsets of samples --------------------------------------------------------------------------------------------------


class _Reference:
    """Distances of subsets of some samples: these, multiplied by the reference's root, are all that is needed."""

    def __init__(self, reference: Gaussian, samples: Tensor) -> None:
        check_rows(samples, "samples", least=2)
        check_finite(samples, "samples")
        check_widths(reference.covariance, samples, ("the reference's covariance", "samples"))
        self.mean, self.trace = reference.mean, _trace(reference)
        self.samples = samples.flatten(1)
        root = _root(reference)
        self.turned = torch.cat(
            [(part.double() - self.mean) @ root for part in torch.split(self.samples, rows_at_once(self.samples))]
        )  # (n, r)

    def distance(self, mean: Tensor, trace: Tensor, shared: float) -> float:
        return _distance(mean - self.mean, self.trace + float(trace), shared)

    def of(self, rows: Tensor) -> float:
        """Return the distance of the samples numbered by `rows`, which rounding may leave below 0."""
        x = self.samples[rows].double()
        turned = self.turned[rows]  # (m, r)
        shared = _nuclear_norm(_without_mean(turned - turned.mean(0)).div_(math.sqrt(len(rows) - 1)))
        return self.distance(x.mean(0), x.var(0).sum(), shared)


def _covariances_without(turned: Tensor, blocks: int) -> Iterator[Tensor]:
    """Yield, for each block left out, the covariance (r, r) of the other rows of (n, r); or where n < r, what shares
    its eigenvalues: the centred products of rows."""
    if len(turned) > turned.shape[1]:
        whole = gaussian(turned)
        yield from (whole.without(gaussian(turned[block::blocks])).covariance for block in range(blocks))
        return
    products = turned @ turned.T  # (n, n)
    for block in range(blocks):
        rows = torch.arange(len(turned), device=turned.device) % blocks != block
        kept = products[rows][:, rows]
        yield (kept - kept.mean(0) - kept.mean(1, keepdim=True) + kept.mean()) / (len(kept) - 1)


def _moments_without(samples: Tensor, blocks: int) -> tuple[Tensor, Tensor]:
    """Return, for each block left out, the mean of the other rows (blocks, d) and the sum of their variances."""
    x = samples.flatten(1)
    centre = x[:1024].double().mean(0)  # near enough: it only keeps digits
    parts = (x[block::blocks].double() - centre for block in range(blocks))
    totals = [(part.sum(0), part.square().sum(), len(part)) for part in parts]
    sums, squares = (torch.stack(column) for column in list(zip(*totals, strict=True))[:2])  # (blocks, d), (blocks,)
    counts = len(x) - torch.tensor([size for _, _, size in totals], dtype=torch.float64, device=x.device)
    left = sums.sum(0) - sums
    spread = squares.sum() - squares - left.square().sum(1) / counts
    return centre + left / counts[:, None], spread / (counts - 1)


def _line(x: Tensor, y: Tensor) -> tuple[float, float]:
    """Return the intercept and the slope of the least-squares line."""
    dx = x - x.mean()
    slope = (dx * y).sum() / dx.square().sum()
    return float(y.mean() - slope * x.mean()), float(slope)
