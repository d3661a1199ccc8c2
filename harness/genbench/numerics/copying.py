"""Do samples copy the training set? The test of Meehan, Chaudhuri & Dasgupta 2020, high where they do."""

import math

import torch
from torch import Tensor

from genbench.numerics.checks import check_rows
from genbench.numerics.clusters import k_means, nearest_centres
from genbench.numerics.distances import paired_squared_distances, squared_distances

_NEAR = 4
"""Of how many nearest examples the distance is taken again, since rounding may have changed their order."""

_LEAST = 20
"""Training examples for each cell at least, on average: of fewer there are fewer cells."""


def copying_z(
    train: Tensor,
    held_out: Tensor,
    samples: Tensor,
    cells: int = 1,
    generator: torch.Generator | None = None,
    memory_mib: float = 128,
) -> float:
    """Return by how many standard errors samples lie nearer to single training examples than held-out examples do.

    HIGH MEANS COPYING: it is -C_T of the paper, but for three things. Compared are not distances to the nearest
    training example of all, sets (n, ...), but these over the distances to the second nearest (`closeness`): of fresh
    samples the plain distances say how dense the place is, the ratios hardly. With `cells`, each k-means cell of the
    training set (drawn by the generator; at most one for 20 examples) compares its own samples with its own held-out
    examples; one without held-out examples is merged with the others, sample by sample with the nearest. And cells are
    combined as van Elteren 1960 does, not averaged: the sum of their Mann-Whitney statistics, each over
    its count of both + 1, is divided by its own standard deviation. So the variance is 1 for fresh samples whatever
    the cells' shares, and a cell with a single sample may count.

    0 is expected of samples that are like fresh examples, however they are spread over the cells; below -3 or so they
    are farther (underfitted). It grows with the counts, as any z-score does.

    Raises ValueError for sets that are empty, not finite or of unequal widths, for fewer than two training examples,
    and for cells without a generator.
    """
    sets = ((samples, "samples"), (held_out, "held-out examples"))
    first, second = (closeness(x, train, memory_mib, (name, "training examples")) for x, name in sets)
    if cells == 1:
        return mann_whitney_z(first, second)
    if generator is None:
        raise ValueError(f"{cells} cells without a generator: expected one to draw them by")
    centres = k_means(train, min(cells, max(1, len(train) // _LEAST)), generator)
    found, of_held_out = torch.unique(nearest_centres(held_out, centres, memory_mib), return_inverse=True)
    return _van_elteren_z(first, second, nearest_centres(samples, centres[found], memory_mib), of_held_out)


def closeness(
    x: Tensor, reference: Tensor, memory_mib: float = 128, names: tuple[str, str] = ("x", "reference")
) -> Tensor:
    """Return the squared distance of each row of x to the nearest of the reference over that to the second nearest.

    Of sets (n, ...) and (m, ...), (n,) float64 from 0 to 1: 0 for copies, of an example that occurs twice too. Raises
    ValueError, with the set's name, as `squared_distances` does, and for a reference of one row.
    """
    nearest, second = two_nearest_squared_distances(x, reference, memory_mib, names).unbind(1)
    return torch.where(nearest > 0, nearest / second, 0.0)


def two_nearest_squared_distances(
    x: Tensor, reference: Tensor, memory_mib: float = 128, names: tuple[str, str] = ("x", "reference")
) -> Tensor:
    """Return the squared distances of each row of x (n, ...) to the two nearest of the reference (m, ...), (n, 2).

    In float64, exactly 0 for a copy. Raises ValueError, with the set's name, as `squared_distances` does, and for a
    reference of one row.
    """
    return two_nearest(x, reference, memory_mib, names)[0]


def two_nearest(
    x: Tensor, reference: Tensor, memory_mib: float = 128, names: tuple[str, str] = ("x", "reference")
) -> tuple[Tensor, Tensor]:
    """Return `two_nearest_squared_distances`, and which of the reference those are, (n, 2). Raises as it does."""
    check_rows(reference, names[1], least=2)
    found, which = [], []
    for rows, distances in squared_distances(x, reference, memory_mib, names=names):
        nearest = distances.topk(min(_NEAR, len(reference)), largest=False, sorted=False).indices  # (b, near)
        numbers = torch.arange(rows.start, rows.stop, device=x.device).repeat_interleave(nearest.shape[1])
        exact = paired_squared_distances(x, numbers, reference, nearest.flatten())
        values, order = exact.view(nearest.shape).sort(1)
        found.append(values[:, :2])
        which.append(nearest.gather(1, order[:, :2]))
    return torch.cat(found), torch.cat(which)


def mann_whitney_z(first: Tensor, second: Tensor) -> float:
    """Return the z-score of how often values (n,) are below values (m,): positive where the first tend to be smaller.

    Normal approximation, corrected for ties and not for continuity; 0 where all values are equal.

    Raises ValueError where there are none, or NaN among them.
    """
    return _over_deviation(*_mann_whitney(first, second))


def _mann_whitney(first: Tensor, second: Tensor) -> tuple[float, float]:
    """Return how many more pairs than half have the first smaller, ties half, and the variance of this by chance."""
    both = torch.cat([first.flatten(), second.flatten()])
    n, m = first.numel(), second.numel()
    if min(n, m) == 0 or bool(both.isnan().any()):
        raise ValueError(
            f"{n} and {m} values, {int(both.isnan().sum())} of them NaN: expected some of each, and no NaN"
        )
    _, places, counts = torch.unique(both, return_inverse=True, return_counts=True)
    last, counts = counts.cumsum(0).double(), counts.double()  # whole numbers: CUDA adds floats in no fixed order
    ranks = last - (counts - 1) / 2  # of equal values the mean
    above = float(ranks[places[:n]].sum()) - n * (n + 1) / 2  # pairs in which the first is greater, ties half
    ties = float((counts**3 - counts).sum()) / ((n + m) * (n + m - 1))
    variance = n * m / 12 * (n + m + 1 - ties)
    return n * m / 2 - above, variance if variance > 1e-9 * n * m else 0.0


def _van_elteren_z(first: Tensor, second: Tensor, first_cells: Tensor, second_cells: Tensor) -> float:
    """Return the z-score over cells, numbered for each value; each of them holds a second value."""
    total = total_variance = 0.0
    for cell in torch.unique(first_cells).tolist():
        mine, theirs = first[first_cells == cell], second[second_cells == cell]
        excess, variance = _mann_whitney(mine, theirs)
        weight = 1 / (len(mine) + len(theirs) + 1)
        total += weight * excess
        total_variance += weight**2 * variance
    return _over_deviation(total, total_variance)


def _over_deviation(value: float, variance: float) -> float:
    return value / math.sqrt(variance) if variance else 0.0
