"""Langevin dynamics: samples from a score, the gradient of a log density."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def langevin_step(x: Tensor, score: Tensor, alpha: float, generator: torch.Generator) -> Tensor:
    """Return x + alpha/2 · score + √alpha · noise, unadjusted."""
    noise = torch.randn(x.shape, generator=generator, device=x.device)
    return x + alpha / 2 * score + math.sqrt(alpha) * noise


def annealed_langevin(
    x: Tensor,
    score: Callable[[Tensor, int], Tensor],
    sigmas: Sequence[float],
    steps: int,
    epsilon: float,
    generator: torch.Generator,
) -> Tensor:
    """Return x after `steps` steps at each noise level, from the greatest to the least (Song & Ermon 2019, alg. 1).

    score(x, i) is that of the data plus noise of deviation sigmas[i]; a step there is epsilon (sigma_i / sigma_L)².
    """
    for i, sigma in enumerate(sigmas):
        for _ in range(steps):
            x = langevin_step(x, score(x, i), epsilon * (sigma / sigmas[-1]) ** 2, generator)
    return x
