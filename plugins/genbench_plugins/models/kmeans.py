"""The reference row of centroids: a model of means that Parzen windows prefer to real images (Theis et al. 2016)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge
from torch import Tensor

import genbench
from genbench.numerics.distances import squared_distances
from genbench_plugins.models.even_draws import without_replacement

ROWS = 8192
"""How many images are copied to float64 at a time."""


@dataclass(eq=False)
class KMeans(genbench.Model):
    """Centroids of the training images by Lloyd's algorithm, from distinct random images."""

    version: ClassVar[int] = 1
    role: ClassVar[Literal["reference"]] = "reference"
    sample_batch: ClassVar[int] = 10_000
    samples_are = "means"

    clusters: Annotated[int, Ge(0)] = 0  # 0: a fifth of the training images, at most 10,000
    iterations: Annotated[int, Ge(1)] = 50  # at most; it stops when no image changes its cluster

    def build(self, space: genbench.Space, device: torch.device) -> None:
        """Have nothing yet."""
        self.space = space
        self.centroids_ = torch.zeros(0, space.dim, device=device)  # (k, D)

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        """Move every centroid to the mean of the images nearest to it, until nothing changes."""
        x = data.train.images.flatten(1)  # (n, D)
        k = min(self.clusters or min(max(len(x) // 5, 1), 10_000), len(x))
        first = torch.randperm(len(x), generator=run.generator, device=x.device)[:k]
        self.centroids_ = x[first].clone()
        nearest = torch.full((len(x),), -1, device=x.device)
        for _ in range(self.iterations):
            before, nearest = nearest, self.assign(x)
            if torch.equal(before, nearest):
                break
            self._move(x, nearest)

    def assign(self, x: Tensor) -> Tensor:
        """Return the number of each image's nearest centroid, (n, D) -> (n,)."""
        return torch.cat([block.argmin(1) for _, block in squared_distances(x, self.centroids_)])

    def _move(self, x: Tensor, nearest: Tensor) -> None:
        """Take means; a centroid that no image is nearest to stays where it is.

        Sums are in float64, where those of images of 8 bits are exact, in whatever order they are taken.
        """
        sums = torch.zeros_like(self.centroids_, dtype=torch.float64)  # (k, D)
        counts = torch.zeros_like(sums[:, :1], dtype=torch.int64).index_add_(
            0, nearest, torch.ones_like(nearest[:, None])
        )
        for part, chosen in zip(torch.split(x, ROWS), torch.split(nearest, ROWS), strict=True):
            sums.index_add_(0, chosen, part.double())
        self.centroids_ = torch.where(counts > 0, (sums / counts).float(), self.centroids_)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return n centroids, each equally often, (n, C, H, W)."""
        rows = without_replacement(n, len(self.centroids_), generator)
        return self.centroids_[rows].clamp(*self.space.bounds).view(n, *self.space.shape)
