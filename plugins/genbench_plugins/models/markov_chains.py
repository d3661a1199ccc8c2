"""Samples from parallel Markov chains, with burn-in and thinning."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor


def from_chains(
    state: Tensor, step: Callable[[Tensor], Tensor], emit: Callable[[Tensor], Tensor], n: int, burn_in: int, thin: int
) -> Tensor:
    """Return n samples of chains that start at `state`, (chains, ...): sample i belongs to chain i % chains.

    step moves all chains by one step; emit makes a sample of each. All chains run, and their last kept step is cut,
    so that the first samples do not depend on n.
    """
    for _ in range(burn_in):
        state = step(state)
    kept = []
    for _ in range(math.ceil(n / len(state))):
        for _ in range(thin):
            state = step(state)
        kept.append(emit(state))
    return torch.cat(kept)[:n]
