"""Do samples copy the training set? The test of Meehan, Chaudhuri & Dasgupta 2020, high where they do."""

import math

import torch
from torch import Tensor

from genbench.numerics.clusters import k_means, nearest_centres
from genbench.numerics.distances import paired_squared_distances, squared_distances

_NEAR = 4
"""Of how many nearest examples the distance is taken again, since rounding may have changed their order."""

_LEAST = 20
"""Cells with fewer samples do not count (the paper's τ = 20 / m)."""


def copying_z(
    train: Tensor,
    held_out: Tensor,
    samples: Tensor,
    cells: int = 1,
    generator: torch.Generator | None = None,
    memory_mib: float = 128,
) -> float:
    """Return by how many standard errors samples lie nearer to the training set than held-out examples do.

    HIGH MEANS COPYING: it is -C_T of the paper. 0 is expected of samples that are as far as fresh examples, below -3 or
    so they are farther (underfitted). It grows with the counts, as any z-score does.

    The Mann-Whitney z of distances to the nearest of all training examples, sets (n, ...). With `cells`, within each
    k-means cell of the training set (drawn by the generator), averaged by the cell's share of held-out examples over
    the cells with at least 20 samples and a held-out example.

    Raises ValueError for sets that are empty, not finite or of unequal widths, for cells without a generator, and
    where no cell counts.
    """
    sets = ((samples, "samples"), (held_out, "held-out examples"))
    near = [nearest_squared_distances(x, train, memory_mib, (name, "training examples")) for x, name in sets]
    if cells == 1:
        return mann_whitney_z(near[0], near[1])
    if generator is None:
        raise ValueError(f"{cells} cells without a generator: expected one to draw them by")
    centres = k_means(train, cells, generator)
    return _by_cell(near, [nearest_centres(x, centres, memory_mib) for x, _ in sets], cells)


def nearest_squared_distances(
    x: Tensor, reference: Tensor, memory_mib: float = 128, names: tuple[str, str] = ("x", "reference")
) -> Tensor:
    """Return the squared distance of each row of x (n, ...) to the nearest of the reference (m, ...), (n,) float64.

    Exactly 0 for a copy. Raises ValueError, with the set's name, as `squared_distances` does.
    """
    found = []
    for rows, distances in squared_distances(x, reference, memory_mib, names=names):
        nearest = distances.topk(min(_NEAR, len(reference)), largest=False, sorted=False).indices  # (b, near)
        numbers = torch.arange(rows.start, rows.stop, device=x.device).repeat_interleave(nearest.shape[1])
        exact = paired_squared_distances(x, numbers, reference, nearest.flatten())
        found.append(exact.view(nearest.shape).min(1).values)
    return torch.cat(found)


def mann_whitney_z(first: Tensor, second: Tensor) -> float:
    """Return the z-score of how often values (n,) are below values (m,): positive where the first tend to be smaller.

    Normal approximation, corrected for ties and not for continuity; 0 where all values are equal.

    Raises ValueError where there are none, or NaN among them.
    """
    both = torch.cat([first.flatten(), second.flatten()])
    n, m = first.numel(), second.numel()
    if min(n, m) == 0 or bool(both.isnan().any()):
        raise ValueError(
            f"{n} and {m} values, {int(both.isnan().sum())} of them NaN: expected some of each, and no NaN"
        )
    _, places, whole = torch.unique(both, return_inverse=True, return_counts=True)
    counts = whole.double()
    ranks = whole.cumsum(0) - (counts - 1) / 2  # of equal values the mean; torch 2.6 on CUDA sums no floats repeatably
    above = float(ranks[places[:n]].sum()) - n * (n + 1) / 2  # pairs in which the first is greater, ties half
    ties = float((counts**3 - counts).sum()) / ((n + m) * (n + m - 1))
    variance = n * m / 12 * (n + m + 1 - ties)
    return (n * m / 2 - above) / math.sqrt(variance) if variance > 1e-9 * n * m else 0.0


def _by_cell(near: list[Tensor], cells: list[Tensor], count: int) -> float:
    """Return the mean z over cells, weighted by held-out examples; both lists hold the samples' first."""
    total = weights = 0.0
    for cell in range(count):
        samples, held_out = (distances[places == cell] for distances, places in zip(near, cells, strict=True))
        if len(samples) >= _LEAST and len(held_out):
            total += len(held_out) * mann_whitney_z(samples, held_out)
            weights += len(held_out)
    if not weights:
        raise ValueError(f"{count} cells: none has {_LEAST} samples and a held-out example; expected fewer cells")
    return total / weights
