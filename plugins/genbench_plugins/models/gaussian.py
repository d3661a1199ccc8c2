"""The reference row of a Gaussian: what first and second moments alone would score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

import genbench


@dataclass(eq=False)
class Gaussian(genbench.Model):
    """A Gaussian with full covariance, fitted to the training images by maximum likelihood; samples are clipped."""

    version: ClassVar[int] = 1
    family: ClassVar[Literal["explicit"]] = "explicit"
    role: ClassVar[Literal["reference"]] = "reference"
    samples_are = "clipped"

    def build(self, space: genbench.Space, device: torch.device) -> None:
        """Begin with the standard Gaussian."""
        self.space = space
        self.mean_ = torch.zeros(space.dim, device=device)  # (D,)
        self.root_ = torch.eye(space.dim, device=device)  # (D, D), root root' is the covariance

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        """Take mean and covariance; the root is by eigenvalues, since pixels that never change make it singular."""
        x = data.train.images.flatten(1).double()  # (n, D)
        centred = x - x.mean(0)
        values, vectors = torch.linalg.eigh(centred.T @ centred / len(x))
        self.mean_ = x.mean(0).float()
        self.root_ = (vectors * values.clamp_min(0).sqrt()).float()

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return mean + root e for standard normal e, clipped to the bounds, (n, C, H, W)."""
        e = torch.randn(n, self.space.dim, generator=generator, device=generator.device)
        return (self.mean_ + e @ self.root_.T).clamp(*self.space.bounds).view(n, *self.space.shape)
