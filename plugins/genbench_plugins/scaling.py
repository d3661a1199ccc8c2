"""Between images within the bounds of their space and values of another scale: [0, 1], or mean 0 and variance 1."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import genbench


def to_unit(images: Tensor, space: genbench.Space) -> Tensor:
    """Return images as vectors of values in [0, 1], (n, C, H, W) -> (n, D)."""
    low, high = space.bounds
    return (images.flatten(1) - low) / (high - low)


def to_images(x: Tensor, space: genbench.Space) -> Tensor:
    """Return images of vectors, clipped to the bounds, (n, D) -> (n, C, H, W)."""
    low, high = space.bounds
    return (low + (high - low) * x).clamp(low, high).view(len(x), *space.shape)


class Standardise(nn.Module):
    """Images minus the mean of all training values, over their standard deviation: one of each for the whole data set.

    So it can be undone, unlike a scaling of each image by its own.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("std", torch.ones(()))
        self.mean: Tensor
        self.std: Tensor

    def measure(self, images: Tensor) -> None:
        """Take mean and standard deviation from training images."""
        self.mean.copy_(images.mean())
        self.std.copy_(images.std().clamp_min(1e-6))  # images of one value stay finite

    def forward(self, x: Tensor) -> Tensor:
        """Return standardised values of the same shape."""
        return (x - self.mean) / self.std


class Unstandardise(Standardise):
    """Standardised values (n, ...) back to images (n, C, H, W); clipped to the bounds, but not while training."""

    def __init__(self, space: genbench.Space) -> None:
        super().__init__()
        self.space = space

    def forward(self, x: Tensor) -> Tensor:
        """Return images."""
        images = (self.mean + self.std * x).view(len(x), *self.space.shape)
        return images if self.training else images.clamp(*self.space.bounds)
