"""Between images within the bounds of their space and flat vectors of values in [0, 1]."""

from __future__ import annotations

from torch import Tensor

import genbench


def to_unit(images: Tensor, space: genbench.Space) -> Tensor:
    """Return images as vectors of values in [0, 1], (n, C, H, W) -> (n, D)."""
    low, high = space.bounds
    return (images.flatten(1) - low) / (high - low)


def to_images(x: Tensor, space: genbench.Space) -> Tensor:
    """Return images of vectors, clipped to the bounds, (n, D) -> (n, C, H, W)."""
    low, high = space.bounds
    return (low + (high - low) * x).clamp(low, high).view(len(x), *space.shape)
