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


def adjusted_langevin_step(
    z: Tensor, log_p: Callable[[Tensor], tuple[Tensor, Tensor]], delta: float, generator: torch.Generator
) -> Tensor:
    """Return z after a Langevin step of size delta² that a Metropolis test accepts or not (Roberts & Tweedie 1996).

    log_p returns the log density up to a constant, (n,), and its gradient, (n, D): chains leave it invariant.
    """
    before, up = log_p(z)
    e = torch.randn(z.shape, generator=generator, device=z.device)
    proposed = z + delta**2 / 2 * up + delta * e
    after, back = log_p(proposed)
    returned = (z - proposed - delta**2 / 2 * back) / delta  # the noise that would lead back
    log_odds = after - before + (e.square() - returned.square()).sum(1) / 2
    is_accepted = torch.rand(len(z), generator=generator, device=z.device).log() < log_odds
    return torch.where(is_accepted.unsqueeze(1), proposed, z)
