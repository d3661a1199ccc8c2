"""The reference row of real images: what a model that copies its training set would score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

import genbench
from genbench_plugins.models.even_draws import without_replacement


@dataclass(eq=False)
class TrainData(genbench.Model):
    """Real training images: as many whole passes as fit, in file order, then a random rest without replacement."""

    version: ClassVar[int] = 1
    role: ClassVar[Literal["reference"]] = "reference"
    sample_batch: ClassVar[int] = (
        10_000  # one batch, so that none of 10,000 samples comes twice where there are as many
    )
    samples_are = "real images"

    def build(self, space: genbench.Space, device: torch.device) -> None:
        """Have nothing yet."""
        self.images_ = torch.zeros(0, *space.shape, device=device)

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        """Keep the training images."""
        self.images_ = data.train.images

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return n training images."""
        return self.images_[without_replacement(n, len(self.images_), generator)]
