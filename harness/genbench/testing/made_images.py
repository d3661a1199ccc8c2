"""Images made on the spot: of any shape, with or without labels, and with enough structure to be learned."""

from __future__ import annotations

import torch

from genbench.api import Space, Split, TrainingData
from genbench.trial import seeding

TRAIN, VALID = 60, 30

MOST_VALUES = 2**24
"""Pixel values of the most training images that are made, 64 MiB."""

SPACES = (
    Space((1, 8, 8), classes=3),
    Space((1, 28, 28), classes=3),
    Space((3, 32, 32), classes=3),
    Space((2, 5, 7), classes=3),
    Space((1, 8, 8)),
    Space((2, 5, 7), bounds=(-1.0, 1.0)),
)
"""What models are tried on: MNIST's and CIFAR-10's shapes, a small and an odd one; without labels; other bounds."""

PLANE = Space((1, 1, 2))
"""Images of two pixels, for integrals."""


def in_words(space: Space) -> str:
    """Return a space in words: "3x32x32 with labels"."""
    shape = "x".join(str(size) for size in space.shape)
    bounds = "" if space.bounds == (0, 1) else f" within [{space.bounds[0]:g}, {space.bounds[1]:g}]"
    return f"{shape} {'with' if space.classes else 'without'} labels{bounds}"


def made(space: Space, n: int, seed: int = 0) -> Split[torch.Tensor]:
    """Return n images of a space: one pattern per class (three without labels) at random strength, and a little noise.

    Images (n, C, H, W) float32 within the bounds, labels (n,) int64 or None; every class occurs.
    """
    low, high = space.bounds
    noise = seeding.stream(seed, "made")
    patterns = torch.rand(space.classes or 3, *space.shape, generator=seeding.stream(0, "patterns"))
    labels = torch.arange(n) % len(patterns)
    strength = 0.5 + 0.4 * torch.rand(n, 1, 1, 1, generator=noise)
    x = (strength * patterns[labels] + 0.1 * torch.rand(n, *space.shape, generator=noise)).clamp(0, 1)  # (n, C, H, W)
    return Split(x * (high - low) + low, labels if space.classes else None)


def in_steps(space: Space, steps: float, size: int) -> int:
    """Return how many training images give a number of steps an epoch at a batch size, memory allowing."""
    return max(TRAIN, min(int(steps * size), MOST_VALUES // space.dim))


def training_data(space: Space, seed: int = 0, n: int = TRAIN) -> TrainingData:
    """Return training and validation images of a space."""
    return TrainingData(made(space, n, seed), made(space, VALID, seed + 1_000), space)
