"""The reference row of a Gaussian: what first and second moments alone would score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

import genbench
from genbench_plugins.models.moments import centred, covariance_root


@dataclass(eq=False)
class Gaussian(genbench.Model):
    """A Gaussian with full covariance, fitted to the training images by maximum likelihood; samples are clipped."""

    version: ClassVar[int] = 2
    family: ClassVar[Literal["explicit"]] = "explicit"
    role: ClassVar[Literal["reference"]] = "reference"
    samples_are = "clipped"

    def build(self, space: genbench.Space, device: torch.device) -> None:
        """Have nothing yet."""
        self.space = space

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        """Take mean and covariance."""
        mean, x = centred(data.train.images)
        self.mean_ = mean.float()  # (D,)
        self.root_ = covariance_root(x)  # (D, r), root root' is the covariance

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return mean + root e for standard normal e, clipped to the bounds, (n, C, H, W)."""
        e = torch.randn(n, self.root_.shape[1], generator=generator, device=generator.device)
        return (self.mean_ + e @ self.root_.T).clamp(*self.space.bounds).view(n, *self.space.shape)
