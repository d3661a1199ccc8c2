"""Distributions on an interval as masses of equal bins: of a known density by quadrature, of samples by counting."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

NODES = 8
"""Points of the Gauss-Legendre rule in each bin: exact for polynomials of degree 15."""


@dataclass(frozen=True)
class Bins:
    """`count` bins of equal width from low to high."""

    low: float
    high: float
    count: int

    @property
    def width(self) -> float:
        """Return the width of a bin."""
        return (self.high - self.low) / self.count

    def midpoints(self, device: torch.device | str = "cpu") -> Tensor:
        """Return the middle of each bin, (count,) float64."""
        return self.low + self.width * (torch.arange(self.count, dtype=torch.float64, device=device) + 0.5)

    def masses(self, log_density: Callable[[Tensor], Tensor], device: torch.device | str = "cpu") -> Tensor:
        """Return the integral of exp(log_density) over each bin, (count,) float64.

        log_density maps points (m,) float64 to log p in nats (m,). Where p is smooth within a bin, the integral is
        exact to about twelve digits.
        """
        nodes, weights = (torch.from_numpy(a).to(device) for a in np.polynomial.legendre.leggauss(NODES))
        points = self.midpoints(device)[:, None] + self.width / 2 * nodes  # (count, NODES)
        density = log_density(points.flatten()).double().exp().view(points.shape)
        return density @ weights * (self.width / 2)

    def frequencies(self, x: Tensor) -> Tensor:
        """Return the share of values in each bin, (count,) float64; values at or beyond the ends count in the end bins.

        Raises ValueError where there are none, or one of them is not finite.
        """
        values = x.flatten().double()
        if len(values) == 0 or not bool(values.isfinite().all()):
            bad = int((~values.isfinite()).sum())
            raise ValueError(f"{bad} of {len(values)} samples are NaN or infinite: expected some, all of them finite")
        numbers = ((values - self.low) / self.width).clamp(0, self.count - 1).long()  # truncated: values are >= 0
        return torch.bincount(numbers, minlength=self.count).double() / len(values)
