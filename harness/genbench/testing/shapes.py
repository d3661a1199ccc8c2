"""What a tensor that a plugin returned must be: of a shape and type, and finite."""

from __future__ import annotations

import torch
from torch import Tensor

from genbench.testing.outcomes import fail


def expect_same_again(what: str, first: Tensor, again: Tensor, advice: str) -> None:
    """Fail unless two calls with the same seed returned the same bits."""
    if not torch.equal(first, again):
        fail(f"{what} differs between two calls with the same seed", "the same bits", advice)


def expect_shape(what: str, x: Tensor, expected: tuple[int, ...], of_nats: bool = False) -> None:
    """Fail unless a tensor holds finite numbers of a shape: float32, or float64 where they are one an image or nats."""
    allowed = (torch.float32, torch.float64) if of_nats or len(expected) == 1 else (torch.float32,)
    if tuple(x.shape) != expected or x.dtype not in allowed:
        fail(f"{what} returned {tuple(x.shape)} {x.dtype}", f"{expected} torch.float32", "Mend its shape or type.")
    if not x.isfinite().all():
        fail(f"{what} returned NaN or infinity", "finite numbers", "Look for log(0), 0/0 and overflow.")
