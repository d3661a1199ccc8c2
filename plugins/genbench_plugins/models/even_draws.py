"""Which of a fixed set of images to hand out: every one equally often."""

from __future__ import annotations

import torch
from torch import Tensor

import genbench


def without_replacement(n: int, available: int, generator: torch.Generator) -> Tensor:
    """Return n row numbers below `available`: whole passes in order, then a random rest without replacement, (n,).

    Raises NotFitted where there are none to choose from.
    """
    if available == 0:
        raise genbench.NotFitted("there is nothing to draw from before fit; call build and fit first")
    device = generator.device
    passes, rest = divmod(n, available)
    whole = torch.arange(available, device=device).repeat(passes)
    return torch.cat([whole, torch.randperm(available, generator=generator, device=device)[:rest]])
