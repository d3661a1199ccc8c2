"""Classical momentum, as the code published with the adversarial nets has it."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn


class Momentum(torch.optim.SGD):
    """Classical momentum: v <- m v - lr g, θ <- θ + v, in one pass over the weights by torch's fused SGD.

    SGD keeps lr out of its buffer, b <- m b + g, θ <- θ - lr b. It is the same with b = -v/lr, as long as b is scaled
    when lr changes.
    """

    def __init__(self, params: Iterable[nn.Parameter], lr: float, momentum: float) -> None:
        super().__init__(params, lr, momentum, fused=True)
        for group in self.param_groups:
            group["lr_before"] = lr

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            group["m"], group["momentum"] = group["momentum"], group["momentum"] * group["lr_before"] / group["lr"]
        super().step()
        for group in self.param_groups:
            group["momentum"], group["lr_before"] = group.pop("m"), group["lr"]
