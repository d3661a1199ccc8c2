"""Points for integrals over small images: the middle of every cell of a grid."""

from __future__ import annotations

import torch
from torch import Tensor


def cells(
    shape: tuple[int, int, int], low: float, high: float, side: int, device: torch.device | str = "cpu"
) -> tuple[Tensor, float]:
    """Return the middles of side^D equal cells of [low, high]^D as images (side^D, C, H, W), and a cell's volume."""
    width = (high - low) / side
    line = low + width * (torch.arange(side, dtype=torch.float64, device=device) + 0.5)
    dim = shape[0] * shape[1] * shape[2]
    return torch.cartesian_prod(*[line] * dim).float().view(-1, *shape), width**dim
