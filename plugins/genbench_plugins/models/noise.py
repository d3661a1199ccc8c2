"""Binary noise that several models share."""

from __future__ import annotations

import torch
from torch import Tensor


def bernoulli(p: Tensor, generator: torch.Generator) -> Tensor:
    """Return draws of 0 or 1 with probabilities p: on a CPU faster than by torch's own."""
    return (torch.rand(p.shape, generator=generator, device=p.device) < p).to(p.dtype)


def salt_and_pepper(x: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Return x with a share of its values replaced by 0 or 1, at even odds: one uniform draw decides both."""
    u = torch.rand(x.shape, generator=generator, device=x.device)
    return torch.where(u < share, (u < share / 2).to(x.dtype), x)
