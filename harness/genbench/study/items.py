"""The images of a study: where each is from, and its pixels as they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from genbench.trial import seeding

REAL = ""
"""The source of real images; that of all others is their model."""


@dataclass(frozen=True)
class Item:
    """An image: row of the samples of a trial of a model (source), or of the test split.

    pixels are a byte for each channel of each pixel, row by row: as many whatever the image.
    """

    source: str
    trial: str
    row: int
    pixels: bytes

    @property
    def is_real(self) -> bool:
        """Return whether it is of the test split."""
        return self.source == REAL


def items(source: str, trial: str, rows: Iterable[int], images: Tensor, bounds: tuple[float, float]) -> list[Item]:
    """Return images (n, C, H, W) as items, all rounded to bytes alike, real ones and generated ones."""
    low, high = bounds
    x = ((images.detach().cpu().double() - low) / (high - low)).clamp(0, 1)
    x = (255 * _coloured(x)).round().to(torch.uint8).permute(0, 2, 3, 1)  # (n, H, W, C)
    return [Item(source, trial, row, image.numpy().tobytes()) for row, image in zip(rows, x, strict=True)]


def shown_shape(shape: tuple[int, int, int]) -> list[int]:
    """Return (C, H, W) of images as they are shown: in colour, or grey where there are fewer than three channels."""
    channels, height, width = shape
    return [3 if channels >= 3 else 1, height, width]


def _coloured(images: Tensor) -> Tensor:
    return images[:, :3] if images.shape[1] >= 3 else images[:, :1]


def shuffled(ordered: Sequence[Item], seed: int, what: str) -> list[Item]:
    """Return items in an order drawn from a seed."""
    return [ordered[place] for place in permutation(len(ordered), seed, what)]


def permutation(n: int, seed: int, what: str) -> list[int]:
    """Return 0 .. n-1 in an order drawn from a seed's own stream."""
    order: list[int] = torch.randperm(n, generator=seeding.stream(seed, "study", what)).tolist()
    return order
