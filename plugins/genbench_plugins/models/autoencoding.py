"""What autoencoders share: the error of a reconstruction, and the descent on it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

Loss = Literal["mse", "bce"]
Optimiser = Literal["adam", "rmsprop", "adadelta", "sgd"]


def reconstruction_error(a: Tensor, x: Tensor, loss: Loss) -> Tensor:
    """Return the squared error or the cross-entropy of sigmoid(a) for x, summed over pixels, (n, D) -> (n,)."""
    if loss == "bce":
        return binary_cross_entropy_with_logits(a, x, reduction="none").sum(1)
    return (a.sigmoid() - x).square().sum(1)


def optimiser_of(name: Optimiser, parameters: Iterable[nn.Parameter], lr: float) -> torch.optim.Optimizer:
    """Return the optimiser of this name, all but its learning rate as torch has it."""
    match name:
        case "adam":
            return torch.optim.Adam(parameters, lr, fused=True)
        case "rmsprop":
            return torch.optim.RMSprop(parameters, lr)
        case "adadelta":
            return torch.optim.Adadelta(parameters, lr)
        case "sgd":
            return torch.optim.SGD(parameters, lr)


def set_lr(optimiser: torch.optim.Optimizer, lr: float, lr_end: float, epoch: int, epochs: int) -> None:
    """Set the learning rate of an epoch, from 1: it falls linearly to the share lr_end in the last."""
    fallen = (epoch - 1) / max(epochs - 1, 1)
    for group in optimiser.param_groups:
        group["lr"] = lr * (1 - (1 - lr_end) * fallen)


def descend(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    """Make one step against the gradient of a loss."""
    optimiser.zero_grad()
    torch.autograd.backward(loss)
    optimiser.step()
