"""Precision, recall, density and coverage: which examples lie among the nearest neighbours of the other set."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from genbench.numerics.checks import check_rows, check_widths
from genbench.numerics.distances import paired_squared_distances, squared_distances

_SPARE = 2
"""How many neighbours beyond the k-th have their distances taken again at once. Where more are as near, all have."""

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
    Three products are computed; the memory beside them is one copy of a set and about twice `memory_mib`.

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
    near = min(max(ks) + _SPARE, len(x) - 1)
    centre, radii = x.mean(0, dtype=_product_type(x, x)), []
    for rows, distances in squared_distances(x, x, memory_mib, names=(name, name)):
        numbers = torch.arange(rows.start, rows.stop, device=x.device)
        distances[numbers - rows.start, numbers] = torch.inf  # itself: by its number, since equal rows count
        rough, found = distances.topk(near, largest=False)  # (b, near)
        slack = _slack(x[rows], centre, rough[:, [max(ks) - 1]].double())
        exact = _in_order(x, numbers, rough, found, ks, slack)
        limit = exact[:, max(ks) - 1] + slack
        for row in _unsettled(rough[:, -1], exact[:, max(ks) - 1], limit) if near < len(x) - 1 else ():
            others = (distances[row] <= limit[row]).nonzero()[:, 0]
            exact[row] = paired_squared_distances(x, numbers[row].expand(len(others)), x, others).sort().values[:near]
        radii.append(exact[:, [k - 1 for k in ks]])
    return torch.cat(radii)


def _in_order(x: Tensor, numbers: Tensor, rough: Tensor, found: Tensor, ks: tuple[int, ...], slack: Tensor) -> Tensor:
    """Return the distances (b, near) in order, those exact that rounding lets be the k-th: the others lie apart."""
    exact = rough.double()
    apart = exact[:, :, None] - exact[:, None, [k - 1 for k in ks]]  # (b, near, len(ks))
    i, place = (apart.abs() <= 2 * slack[:, None, None]).any(2).nonzero(as_tuple=True)
    exact[i, place] = paired_squared_distances(x, numbers[i], x, found[i, place])
    return exact.sort(1).values


def _unsettled(farthest: Tensor, radii: Tensor, limit: Tensor) -> list[int]:
    """Return the rows of which so many neighbours are about as near as the k-th that one left out may be nearer."""
    return ((farthest <= limit) & (radii > 0)).nonzero()[:, 0].tolist()


def _across(
    real: Tensor, fake: Tensor, real_radii: Tensor, fake_radii: Tensor, density_k: int, memory_mib: float
) -> Neighbourhoods:
    precision, density = (real.new_zeros(len(fake), dtype=torch.float64) for _ in range(2))
    recall, coverage = (real.new_zeros(len(real), dtype=torch.float64) for _ in range(2))
    centre = fake.mean(0, dtype=_product_type(real, fake))
    real_slack, fake_slack = (
        _slack(x, centre, radii) for x, radii in ((real, real_radii), (fake, fake_radii[:, None]))
    )
    for rows, distances in squared_distances(real, fake, memory_mib, _PAIR_BYTES * len(fake)):
        block = real[rows]
        i, j, inside = _held(block, fake, distances, real_radii[rows][:, None], real_slack[rows][:, None])
        precision[j[inside[:, 0]]] = 1
        density += torch.bincount(j[inside[:, 1]], minlength=len(fake))
        coverage[rows.start + i[inside[:, 1]]] = 1
        i, _, inside = _held(block, fake, distances, fake_radii[None, :, None], fake_slack[None])
        recall[rows.start + i[inside[:, 0]]] = 1
    return Neighbourhoods(precision, recall, density / density_k, coverage)


def _held(real: Tensor, fake: Tensor, distances: Tensor, radii: Tensor, slack: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return pairs (p,), (p,) that may lie in a ball, all that do among them, and whether they do, (p, balls).

    `radii` (b, m, balls) and `slack` (b, m) may have lengths of 1 to be repeated.
    """
    limit = (radii.max(2).values + slack).to(distances.dtype)
    i, j = (distances <= limit.nextafter(limit.new_tensor(torch.inf))).nonzero(as_tuple=True)
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
    parts = torch.split(x, 1024)
    norms = torch.cat([torch.linalg.vector_norm(part - centre, dim=1, dtype=torch.float64) for part in parts])
    others = norms + radii.max(1).values.sqrt()
    return (4 + math.sqrt(x.shape[1]) / 4) * torch.finfo(centre.dtype).eps * (norms.square() + others.square())


def _product_type(x: Tensor, y: Tensor) -> torch.dtype:
    """Return the type in which `squared_distances` computes."""
    return torch.float64 if x.dtype == y.dtype == torch.float64 else torch.float32
