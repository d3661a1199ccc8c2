"""Features by convolutions that nobody trained: for images of any shape, with labels or without."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

import genbench
from genbench_plugins.scaling import to_unit

WIDTHS = (32, 64, 64)
SEED, BIAS, GAIN = 2014, 0.5, 8.0
FINE = 4
"""Pixels to a side above which a layer halves its image."""
CELLS = 2
"""Cells to a side of the grid that the last layer is averaged over, as far as it has as many pixels."""


@dataclass(eq=False)
class RandomConvolutions(genbench.FeatureExtractor):
    """Fixed random convolutional features, at most 256: three layers of 3x3 filters, averaged over a grid of 2x2 cells.

    They tell local texture and rough layout, and know nothing of what is in an image. Good for sets without labels of
    which nothing else is known, and to see that a score does not hang on one extractor. Not good for saying that
    samples mean the right things: of 2,000 MNIST test images the nearest of 5,000 training images has the same class
    for 76 %, by pixels for 91 %. Filters have no mean after the first layer, and unit variance by construction, so that
    on digits and MNIST no feature is constant, and the greatest eigenvalue of their covariance is a few hundred times
    the median one. The weights are drawn on the CPU from uniform numbers, which are the same on every machine.
    """

    version: ClassVar[int] = 1

    @property
    def digest(self) -> str:
        """The recipe and the seed."""
        return f"random convolutions 1, widths {WIDTHS}, seed {SEED}"

    def describe(self) -> str:
        """Return that nothing was trained."""
        return f"fixed random convolutions, seed {SEED}"

    def prepare(self, data: genbench.TrainingData, originals: Path, cache: Path) -> None:
        """Draw the weights."""
        self.layers_ = [(w.to(data.train.images.device), b.to(data.train.images.device)) for w, b in self._drawn()]

    def _drawn(self) -> list[tuple[Tensor, Tensor]]:
        generator = torch.Generator().manual_seed(SEED)
        layers: list[tuple[Tensor, Tensor]] = []
        inputs = self.space.shape[0]
        for width in WIDTHS:
            w = 2 * torch.rand(width, inputs, 3, 3, generator=generator).double() - 1
            if layers:  # what a ReLU leaves has a mean, which would drown all else
                w -= w.mean((1, 2, 3), keepdim=True)
            w *= math.sqrt(2) / w.square().sum((1, 2, 3), keepdim=True).sqrt()  # keeps the second moment past a ReLU
            b = BIAS * (2 * torch.rand(width, generator=generator) - 1)
            layers.append((w.float(), b))
            inputs = width
        return layers

    def features(self, images: Tensor) -> Tensor:
        """Return averages over cells, (n, 64 · cells)."""
        x = 2 * to_unit(images, self.space).view_as(images) - 1
        for i, (w, b) in enumerate(self.layers_):
            x = F.relu(F.conv2d(x, w, b, stride=2 if i and max(x.shape[2:]) > FINE else 1, padding=1))
        height, width = x.shape[2:]
        return GAIN * F.adaptive_avg_pool2d(x, (min(CELLS, height), min(CELLS, width))).flatten(1)
