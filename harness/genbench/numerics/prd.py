"""Precision and recall for distributions: the curve of Sajjadi et al. 2018, and its F summaries."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from genbench.numerics.checks import check_widths
from genbench.numerics.clusters import k_means, nearest_centres

_END = 1e-10
"""How far the first and the last angle stay from 0 and a right angle, where recall and precision would be 0 / 0."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Precision and recall (angles,), float64 in [0, 1], from all recall to all precision."""

    precision: Tensor
    recall: Tensor

    def f_score(self, beta: float) -> float:
        """Return the greatest F_β on the curve: β = 8 weighs recall, β = 1/8 precision (section 4.2)."""
        over = beta**2 * self.precision + self.recall
        scores = (1 + beta**2) * self.precision * self.recall / over.where(over > 0, 1)
        return float(scores.max())


def curve(real: Tensor, fake: Tensor, angles: int = 1001) -> Curve:
    """Return the curve of two distributions on the same outcomes, masses (k,) and (k,) (algorithm 1).

    For slopes λ of `angles` evenly spaced angles: precision Σ min(λ real, fake), recall the same over λ.

    Raises ValueError for masses that are negative, not finite, without a sum of 1, or of different lengths.
    """
    if angles < 2:
        raise ValueError(f"{angles} angles: expected at least two")
    if real.shape != fake.shape:
        raise ValueError(f"masses of shapes {tuple(real.shape)} and {tuple(fake.shape)}: expected equal ones")
    p, q = _masses(real, "real"), _masses(fake, "fake")
    slopes = torch.linspace(_END, math.pi / 2 - _END, angles, dtype=torch.float64, device=p.device).tan()
    precision = torch.minimum(slopes[:, None] * p, q).sum(1)  # (angles,)
    return Curve(precision.clamp(0, 1), (precision / slopes).clamp(0, 1))


def clustered_curve(
    real: Tensor, fake: Tensor, generator: torch.Generator, clusters: int = 20, runs: int = 10, angles: int = 1001
) -> Curve:
    """Return the mean curve over runs of k-means on the union of features (n, ...), (m, ...) (section 4.1).

    Equal counts are advised: a cluster's share is of its own set, but the larger set decides where the clusters lie.

    Raises ValueError for fewer rows than clusters, values that are not finite, unequal widths, and no runs.
    """
    if runs < 1:
        raise ValueError(f"{runs} runs: expected at least one")
    check_widths(real, fake, ("real features", "fake features"))
    union = torch.cat([real.flatten(1), fake.flatten(1)])
    curves = []
    for _ in range(runs):
        cells = nearest_centres(union, k_means(union, clusters, generator))
        parts = cells[: len(real)], cells[len(real) :]
        p, q = (torch.bincount(part, minlength=clusters).double() / len(part) for part in parts)
        curves.append(curve(p, q, angles))
    return Curve(*(torch.stack([getattr(run, name) for run in curves]).mean(0) for name in ("precision", "recall")))


def _masses(values: Tensor, name: str) -> Tensor:
    masses = values.double()
    if masses.dim() != 1 or not bool((masses >= 0).all()) or abs(float(masses.sum()) - 1) > 1e-6:
        raise ValueError(f"{name} masses of sum {float(masses.sum()):g}: expected (k,) of at least 0, with a sum of 1")
    return masses
