"""How well Markov chains mix: reported with every score computed from their samples."""

from __future__ import annotations

import torch
from torch import Tensor

from genbench.numerics import chains as numerics
from genbench.trial import seeding

PROJECTIONS = 8
LEAST = 8
"""Kept steps of a chain below which nothing can be said."""

GREATEST = 1e6
"""What R-hat is cut to: JSON knows no infinity."""


def mixing(samples: Tensor, chains: int, batch: int) -> dict[str, float]:
    """Return how well samples (n, C, H, W) of parallel chains, new in each batch, mix: {} for too few steps.

    Sample i of a batch is of chain i % chains. The mean pixel and eight fixed random projections of the images are
    examined, and the worst of them is reported: `autocorrelation_time` in kept steps, `effective_samples` of all n, and
    `r_hat`, which is about 1 where chains have mixed, and more where they have not.
    """
    parts = [_arranged(part, chains) for part in torch.split(samples, batch)]
    whole = [part for part in parts if len(part) >= LEAST]
    if not whole:
        return {}
    summaries = [_summaries(part) for part in whole]  # (S, T, chains) each
    times = [max(map(numerics.autocorrelation_time, each)) for each in summaries]
    r_hats = [max(map(numerics.potential_scale_reduction, each)) for each in summaries]
    time = sum(times) / len(times)
    return {
        "autocorrelation_time": time,
        "effective_samples": len(samples) / time,
        "r_hat": min(max(r_hats), GREATEST),
    }


def _arranged(batch: Tensor, chains: int) -> Tensor:
    """Return a batch by kept step and chain, the last step left out where it is cut, (T, chains, D)."""
    steps = len(batch) // chains
    return batch[: steps * chains].reshape(steps, chains, batch[0].numel())


def _summaries(x: Tensor) -> Tensor:
    """Return the mean pixel and fixed random projections of images (T, chains, D), (1 + PROJECTIONS, T, chains)."""
    random = torch.randn(x.shape[2], PROJECTIONS, generator=seeding.stream(0, "projections")).to(x.device)
    return torch.cat([x.mean(2, keepdim=True), x @ random], 2).permute(2, 0, 1)
