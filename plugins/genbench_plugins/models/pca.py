"""The reference row of principal components: real images with their detail taken away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge
from torch import Tensor

import genbench
from genbench_plugins.models.drawing import without_replacement


@dataclass(eq=False)
class PCA(genbench.Model):
    """Real training images, reconstructed from their first principal components, clipped.

    Smoother than real images, and therefore preferred to them by Parzen windows.
    """

    version: ClassVar[int] = 1
    role: ClassVar[Literal["reference"]] = "reference"
    sample_batch: ClassVar[int] = 10_000
    samples_are = "reconstructions"

    components: Annotated[int, Ge(1)] = 20  # at most as many as there are pixels

    def build(self, space: genbench.Space, device: torch.device) -> None:
        """Have nothing yet."""
        self.space = space
        self.images_ = torch.zeros(0, *space.shape, device=device)
        self.mean_ = torch.zeros(space.dim, device=device)  # (D,)
        self.vectors_ = torch.zeros(space.dim, 0, device=device)  # (D, components)

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        """Find the directions of greatest variance, and keep the reconstructed training images."""
        x = data.train.images.flatten(1).double()  # (n, D)
        self.mean_ = x.mean(0).float()
        centred = x - x.mean(0)
        _, vectors = torch.linalg.eigh(centred.T @ centred)  # ascending
        self.vectors_ = vectors[:, -self.components :].float()
        self.images_ = self.reconstruct(data.train.images)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return n reconstructed training images."""
        return self.images_[without_replacement(n, len(self.images_), generator)]

    def encode(self, x: Tensor) -> Tensor:
        """Return coordinates along the components, (n, components)."""
        return (x.flatten(1) - self.mean_) @ self.vectors_

    def decode(self, z: Tensor) -> Tensor:
        """Return images of coordinates, clipped to the bounds, (n, C, H, W)."""
        return (self.mean_ + z @ self.vectors_.T).clamp(*self.space.bounds).view(len(z), *self.space.shape)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return images from what the components keep of them."""
        return self.decode(self.encode(x))
