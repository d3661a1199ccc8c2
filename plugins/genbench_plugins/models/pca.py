"""The reference row of principal components: real images with their detail taken away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge
from torch import Tensor

import genbench
from genbench_plugins.models.even_draws import without_replacement
from genbench_plugins.models.moments import centred, directions


@dataclass(eq=False)
class PCA(genbench.Model):
    """Real training images, reconstructed from their first principal components, clipped.

    Smoother than real images, and therefore preferred to them by Parzen windows.
    """

    version: ClassVar[int] = 2
    role: ClassVar[Literal["reference"]] = "reference"
    sample_batch: ClassVar[int] = 10_000
    samples_are = "reconstructions"

    components: Annotated[int, Ge(1)] = 20  # at most as many as images and pixels allow

    def build(self, space: genbench.Space, device: torch.device) -> None:
        """Have nothing yet."""
        self.space = space
        self.mean_ = torch.zeros(space.dim, device=device)  # (D,)
        self.vectors_ = torch.zeros(space.dim, 0, device=device)  # (D, components)
        self.codes_ = torch.zeros(0, 0, device=device)  # (n, components), of the training images

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        """Find the directions of greatest variance, and keep the training images' coordinates along them."""
        mean, x = centred(data.train.images)
        self.mean_, self.vectors_ = mean.float(), directions(x, self.components)
        del x  # it is as large as two copies of the images
        self.codes_ = self.encode(data.train.images)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return n reconstructed training images."""
        rows = without_replacement(n, len(self.codes_), generator)
        return self.decode(self.codes_)[rows]

    def encode(self, x: Tensor) -> Tensor:
        """Return coordinates along the components, (n, components)."""
        return (x.flatten(1) - self.mean_) @ self.vectors_

    def decode(self, z: Tensor) -> Tensor:
        """Return images of coordinates, clipped to the bounds, (n, C, H, W)."""
        return (self.mean_ + z @ self.vectors_.T).clamp(*self.space.bounds).view(len(z), *self.space.shape)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return images from what the components keep of them."""
        return self.decode(self.encode(x))
