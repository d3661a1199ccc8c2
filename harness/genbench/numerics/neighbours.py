"""Precision, recall, density and coverage: which examples lie among the nearest neighbours of the other set."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from genbench.numerics.blocks import rows_at_once
from genbench.numerics.checks import check_rows, check_widths
from genbench.numerics.distances import (
    paired_squared_distances,
    product_type,
    squared_distances,
    squared_distances_within,
)

_SPARE = 2
"""How many neighbours beyond the k-th are found at once. Where more are as near, all are looked at."""

_PAIR_BYTES = 64
"""What a pair takes that may lie in a ball; in the worst case all do."""


@dataclass(frozen=True, eq=False)
class Neighbourhoods:
    """What each example adds to a score: the score is the mean, all float64.

    `precision` and `density` have one value for each fake example, `recall` and `coverage` one for each real one; all
    but the density are 0 or 1, so that `std / √n` is their binomial standard error. It takes the balls as given.
    """

    precision: Tensor
    recall: Tensor
    density: Tensor
    coverage: Tensor


def neighbourhoods(
    real: Tensor, fake: Tensor, k: int = 3, density_k: int = 5, memory_mib: float = 128
) -> Neighbourhoods:
    """Return precision, recall (at k: Kynkäänniemi et al. 2019), density, coverage (at density_k: Naeem et al. 2020).

    Around each example lies a ball as large as the distance to its k-th nearest neighbour in its own set (n, ...),
    itself left out. Precision is the share of fake examples in a real one's ball, recall the share of real examples in
    a fake one's; density is how many real balls hold a fake example, over k; coverage is the share of real balls that
    hold a fake example.

    Balls are closed (`<=`), as in Kynkäänniemi et al. and torch-fidelity, so that equal sets have precision = recall =
    coverage = 1 even where examples repeat. `prdc` takes them open (`<`): it differs only for exact ties, such as
    copies of real examples, whose density is 1 + 1 / k here and 1 there.

    Distances are matrix products in float32 (float64 where both sets are); where rounding could decide, they are taken
    again in float64 from differences. So results depend neither on the memory given nor on the order of examples.
    The product of both sets is computed, and half of that of each with itself; the memory beside them is one copy of a
    set and about twice `memory_mib`.

    Raises ValueError for k below 1, sets of at most k examples, that are not finite, or of unequal widths.
    """
    if min(k, density_k) < 1:
        raise ValueError(f"k = {min(k, density_k)}: expected at least one neighbour")
    check_rows(real, "real features", least=max(k, density_k) + 1)
    check_rows(fake, "fake features", least=max(k, density_k) + 1)
    check_widths(real, fake, ("real features", "fake features"))
    real, fake = real.flatten(1), fake.flatten(1)
    real_radii = _radii(real, (k, density_k), memory_mib, "real features")  # (n, 2)
    fake_radii = _radii(fake, (k,), memory_mib, "fake features")[:, 0]  # (m,)
    return _across(real, fake, real_radii, fake_radii, density_k, memory_mib)


def _radii(x: Tensor, ks: tuple[int, ...], memory_mib: float, name: str) -> Tensor:
    """Return the squared distance of each row to its k-th nearest other row, for each k, (n, len(ks)) float64."""
    columns = [k - 1 for k in ks]
    near = min(max(ks) + _SPARE, len(x) - 1)
    rough, found = _nearest(x, near, memory_mib, name)  # (n, near)
    slack = _slack(x, x.mean(0, dtype=product_type(x, x)), rough[:, -1:])
    exact = _retaken(x, rough, found, columns, slack)
    radii = exact[:, max(columns)]
    limit = radii + slack
    if near < len(x) - 1:
        _settle(x, exact, limit, _unsettled(rough[:, -1], radii, limit), memory_mib)
    return exact[:, columns]


def _retaken(x: Tensor, rough: Tensor, found: Tensor, columns: list[int], slack: Tensor) -> Tensor:
    """Return distances (n, near) in order, float64, exact in the columns given where all that are as near are found.

    Of a row's neighbours found so far, only those are taken again that rounding may have put before or behind these.
    """
    window = 2 * slack[:, None, None]
    chosen = ((rough[:, :, None] - rough[:, None, columns]).double().abs() <= window).any(2)  # (n, near)
    rows = chosen.nonzero()[:, 0]
    exact = rough.double()
    exact[chosen] = paired_squared_distances(x, rows, x, found[chosen])
    return exact.sort(1).values


def _nearest(x: Tensor, near: int, memory_mib: float, name: str) -> tuple[Tensor, Tensor]:
    """Return the distances of each row to its nearest other rows, as products give them, and their numbers, (n, near).

    Each block of pairs serves its rows and, transposed, the rows after them.
    """
    distances = x.new_full((len(x), near), torch.inf, dtype=product_type(x, x))
    numbers = torch.zeros(len(x), near, dtype=torch.int64, device=x.device)
    for rows, block in squared_distances_within(x, memory_mib, name=name):
        block.fill_diagonal_(torch.inf)  # itself: by its number, since equal rows count
        later = slice(rows.stop, len(x))
        _merge(distances[rows], numbers[rows], block, rows.start)
        _merge(distances[later], numbers[later], block[:, rows.stop - rows.start :].T, rows.start)
    return distances, numbers


def _merge(nearest: Tensor, numbers: Tensor, distances: Tensor, start: int) -> None:
    """Put among the nearest so far, (b, near), what is nearer of `distances` (b, m) to the rows from `start` on."""
    near = nearest.shape[1]
    values, found = distances.topk(min(near, distances.shape[1]), largest=False)
    values, at = torch.cat([nearest, values], 1).topk(near, largest=False)
    nearest.copy_(values)
    numbers.copy_(torch.cat([numbers, found + start], 1).gather(1, at))


def _settle(x: Tensor, exact: Tensor, limit: Tensor, rows: Tensor, memory_mib: float) -> None:
    """Put into `exact` (n, k) the least distances of some rows, taken again to all others within their limits."""
    for part in torch.split(rows, rows_at_once(x)) if len(rows) else ():
        for block, distances in squared_distances(x[part], x, memory_mib):
            for row, apart in zip(part[block].tolist(), distances, strict=True):
                others = (apart <= limit[row]).nonzero()[:, 0]
                others = others[others != row]
                again = paired_squared_distances(x, others.new_full((len(others),), row), x, others)
                exact[row] = again.sort().values[: exact.shape[1]]


def _unsettled(farthest: Tensor, radii: Tensor, limit: Tensor) -> Tensor:
    """Return the rows of which so many neighbours are about as near as the k-th that one left out may be nearer."""
    return ((farthest <= limit) & (radii > 0)).nonzero()[:, 0]


def _across(
    real: Tensor, fake: Tensor, real_radii: Tensor, fake_radii: Tensor, density_k: int, memory_mib: float
) -> Neighbourhoods:
    precision, density = (real.new_zeros(len(fake), dtype=torch.float64) for _ in range(2))
    recall, coverage = (real.new_zeros(len(real), dtype=torch.float64) for _ in range(2))
    centre = fake.mean(0, dtype=product_type(real, fake))
    real_slack, fake_slack = (
        _slack(x, centre, radii) for x, radii in ((real, real_radii), (fake, fake_radii[:, None]))
    )
    for rows, distances in _thin_blocks(real, fake, memory_mib):
        block = real[rows]
        i, j, inside = _held(block, fake, distances, real_radii[rows][:, None], real_slack[rows][:, None])
        precision[j[inside[:, 0]]] = 1
        density += torch.bincount(j[inside[:, 1]], minlength=len(fake))
        coverage[rows.start + i[inside[:, 1]]] = 1
        i, _, inside = _held(block, fake, distances, fake_radii[None, :, None], fake_slack[None])
        recall[rows.start + i[inside[:, 0]]] = 1
    return Neighbourhoods(precision, recall, density / density_k, coverage)


def _thin_blocks(real: Tensor, fake: Tensor, memory_mib: float) -> Iterator[tuple[slice, Tensor]]:
    """Yield the distances of few rows at a time, of products of many: of those few, all pairs may lie in balls."""
    few = max(1, int(memory_mib * 2**20 / (_PAIR_BYTES * len(fake))))
    for rows, distances in squared_distances(real, fake, memory_mib):
        for start in range(0, len(distances), few):
            part = distances[start : start + few]
            yield slice(rows.start + start, rows.start + start + len(part)), part


def _held(real: Tensor, fake: Tensor, distances: Tensor, radii: Tensor, slack: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return pairs (p,), (p,) that may lie in a ball, all that do among them, and whether they do, (p, balls).

    `radii` (b, m, balls) and `slack` (b, m) may have lengths of 1 to be repeated.
    """
    limit = (radii.max(2).values + slack).to(distances.dtype)
    i, j = (distances <= limit.nextafter(limit.new_full((), torch.inf))).nonzero(as_tuple=True)
    shape = distances.shape
    radius = radii.expand(*shape, -1)[i, j]  # (p, balls)
    d = distances[i, j].double()
    close = ((d[:, None] - radius).abs() <= slack.expand(shape)[i, j, None]).any(1).nonzero()[:, 0]
    d[close] = paired_squared_distances(real, i[close], fake, j[close])
    return i, j, d[:, None] <= radius


def _slack(x: Tensor, centre: Tensor, radii: Tensor) -> Tensor:
    """Return a bound on the rounding of distances from each row to whatever lies in its largest ball, (n,).

    A product's rounding grows with both squared norms about the centre. That of the other row is bounded too, since it
    lies in the ball.
    """
    parts = torch.split(x, rows_at_once(x))
    norms = torch.cat([torch.linalg.vector_norm(part - centre, dim=1, dtype=torch.float64) for part in parts])
    others = norms + radii.max(1).values.sqrt()
    return (4 + math.sqrt(x.shape[1]) / 4) * torch.finfo(centre.dtype).eps * (norms.square() + others.square())
