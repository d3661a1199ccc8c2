"""The Parzen window estimate of a log-likelihood (Breuleux et al. 2011, as used by Goodfellow et al. 2014)."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from genbench.numerics.blocks import values_at_once
from genbench.numerics.distances import paired_squared_distances, squared_distances

PAPER_SIGMAS: tuple[float, ...] = tuple(10.0 ** (k / 9 - 1) for k in range(10))
"""The ten bandwidths among which the paper's code (`parzen_ll.py`) chooses: logspace(-1, 0, 10)."""

SIGMA_LIMITS: tuple[float, float] = (1e-3, 1e3)
"""Where a widening search ends. The lower one is a quarter of a grey level for 8-bit images in [0, 1]: where it is
best, the samples repeat the validation points, and their likelihood grows without bound as sigma falls."""

_COARSE = 32
_DECADE = 9 * _COARSE
_FIRST, _LAST = -2 * _DECADE, 4 * _DECADE
"""The search counts in steps of 1/32 of the paper's: 0.8 %. Step 0 is 0.1; these two are SIGMA_LIMITS."""

_KERNELS = 2**21
"""How many kernels are computed at a time on a CPU: few enough to stay in its cache."""


@dataclass(frozen=True)
class Bandwidth:
    """A chosen sigma, the mean log-likelihood it gives (nats), and whether it lies at an end of what was searched."""

    sigma: float
    log_likelihood: float
    at_edge: bool


def log_likelihoods(samples: Tensor, points: Tensor, sigmas: Sequence[float], memory_mib: float = 128) -> Tensor:
    """Return the log density of each point under a Gaussian of each bandwidth on every sample, (k, n_points) float64.

    LL(x) = logmeanexp_j(-‖x - s_j‖² / 2σ²) - d·log(σ√(2π)), in nats, for samples (n, ...) and points (n_points, ...)
    on one device; each distance is computed once for all sigmas. Working memory, beside one copy of the samples and a
    few MiB (on a GPU some 200), stays within `memory_mib` (or one row of distances); it changes results by rounding at
    most.

    Raises ValueError for empty sets or sigmas, values that are not finite, unequal widths, sigmas out of range.
    """
    return _log_densities(_gaps(samples, points, memory_mib), _checked(sigmas), math.prod(points.shape[1:]))


def choose_sigma(
    samples: Tensor, valid: Tensor, sigmas: Sequence[float] | None = PAPER_SIGMAS, memory_mib: float = 128
) -> Bandwidth:
    """Return the bandwidth with the greatest mean log-likelihood of the validation points.

    One of `sigmas`, in rising order; or, where that is None, the best to 1 %: the paper's grid is widened a decade at
    a time, within SIGMA_LIMITS, until the best is inside it, then its step is halved five times around the best. The
    search needs each distance once if half of `memory_mib` holds them all, else once for each widening and halving.

    Raises ValueError as `log_likelihoods` does.
    """
    means = _mean_likelihoods(samples, valid, memory_mib)
    return _refined(means) if sigmas is None else _best_of(means, _checked(sigmas))


def _checked(sigmas: Sequence[float]) -> Sequence[float]:
    if not sigmas:
        raise ValueError("no sigmas: expected at least one bandwidth")
    for sigma in sigmas:
        if not 1e-15 <= sigma <= 1e15:  # so that 1/σ² is a float32
            raise ValueError(f"sigma {sigma!r}: expected bandwidths between 1e-15 and 1e15")
    return sigmas


# Density -------------------------------------------------------------------------------------------------------------


def _gaps(samples: Tensor, points: Tensor, memory_mib: float) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield for a block of points the squared distance to the nearest sample (b,) and how much farther all are (b, n).

    The nearest sample decides most of a likelihood, so its distance is taken again in float64 from the difference: a
    sample that equals its point is at 0, not at the rounding error of a matrix product.
    """
    row_bytes = 32 * math.prod(points.shape[1:])
    for rows, distances in squared_distances(points, samples, memory_mib, row_bytes, names=("points", "samples")):
        least, nearest = distances.min(dim=1, keepdim=True)
        numbers = torch.arange(rows.start, rows.stop, device=points.device)
        yield paired_squared_distances(points, numbers, samples, nearest[:, 0]), distances.sub_(least)


def _log_densities(blocks: Iterable[tuple[Tensor, Tensor]], sigmas: Sequence[float], dim: int) -> Tensor:
    parts, kernel = [], None
    for nearest, gaps in blocks:
        rows = max(1, values_at_once(gaps.device, _KERNELS) // gaps.shape[1])
        kernel = gaps.new_empty(rows, gaps.shape[1]) if kernel is None else kernel
        for near, gap in zip(torch.split(nearest, rows), torch.split(gaps, rows), strict=True):
            part = [_log_density(near, gap, sigma, dim, kernel[: len(gap)]) for sigma in sigmas]
            parts.append(torch.stack(part))
    return torch.cat(parts, dim=1)  # (k, n_points)


def _log_density(nearest: Tensor, gaps: Tensor, sigma: float, dim: int, kernel: Tensor) -> Tensor:
    """Return LL (b,) in float64. The nearest sample's kernel is exp(0), so the mean of kernels never underflows."""
    scale = -0.5 / sigma**2
    # exp2, since exp slows down tenfold on a CPU where the result underflows, as it does for most samples.
    mean = torch.mul(gaps, scale * math.log2(math.e), out=kernel).exp2_().sum(1).double() / gaps.shape[1]
    return mean.log_() + scale * nearest - dim * math.log(sigma * math.sqrt(2 * math.pi))


# The search for sigma ------------------------------------------------------------------------------------------------


def _mean_likelihoods(samples: Tensor, valid: Tensor, memory_mib: float) -> Callable[[Sequence[float]], list[float]]:
    """Return a function from bandwidths to the mean log-likelihoods of the validation points, in nats."""
    half = memory_mib / 2
    fits = max(4, samples.element_size()) * len(samples) * len(valid) <= half * 2**20
    kept = [(nearest, gaps.clone()) for nearest, gaps in _gaps(samples, valid, half)] if fits else None

    def means(sigmas: Sequence[float]) -> list[float]:
        blocks = kept or _gaps(samples, valid, memory_mib)
        return _log_densities(blocks, sigmas, math.prod(valid.shape[1:])).mean(1).tolist()

    return means


def _best_of(means: Callable[[Sequence[float]], list[float]], sigmas: Sequence[float]) -> Bandwidth:
    values = means(sigmas)
    best = max(range(len(sigmas)), key=values.__getitem__)
    return Bandwidth(sigmas[best], values[best], at_edge=best in (0, len(sigmas) - 1))


def _refined(means: Callable[[Sequence[float]], list[float]]) -> Bandwidth:
    found: dict[int, float] = {}

    def best(steps: Iterable[int]) -> int:
        new = [step for step in steps if step not in found]
        found.update(zip(new, means([_sigma(step) for step in new]), strict=True) if new else ())
        return max(found, key=lambda step: (found[step], -step))

    peak = best(range(0, _DECADE + 1, _COARSE))
    while peak in (min(found), max(found)) and _FIRST < peak < _LAST:  # at an end: widen by a decade on that side
        side = _COARSE if peak == max(found) else -_COARSE
        peak = best(range(peak + side, peak + 10 * side, side))
    at_edge = peak in (_FIRST, _LAST)
    stride = _COARSE
    while stride > 1 and not at_edge:  # inside: both neighbours at this stride are known to be worse
        stride //= 2
        peak = best((peak - stride, peak + stride))
    return Bandwidth(_sigma(peak), found[peak], at_edge)


def _sigma(step: int) -> float:
    return float(10.0 ** (step / _DECADE - 1))
