"""The metric: how far each real image is from the sample nearest to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import genbench
import torch
from annotated_types import Ge
from genbench.numerics.distances import squared_distances
from torch import Tensor


@dataclass(eq=False)
class NearestReal(genbench.Metric):
    """Mean distance from each target image to the sample nearest to it: the root of the mean squared pixel difference.

    It is large where samples leave out what real images show, so it finds missing modes; samples that no real image
    resembles cost nothing. Like every measure by pixels it rewards averages: 200 centroids of `digits` come nearer to
    its validation images (.147) than 200 of its real images do (.171). More samples come nearer, so scores of different
    `samples` are not compared.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Distance to the nearest sample"
    unit: ClassVar[str] = "pixel value, root mean square"
    higher_is_better: ClassVar[bool] = False

    samples: Annotated[int, Ge(1)] = 10_000

    def evaluate(self, evaluation: genbench.Evaluation) -> genbench.Score:
        """Return the mean over the target images and its standard error."""
        values = nearest(evaluation.target.images, evaluation.samples(self.samples)).double()
        stderr = values.std(correction=0).item() / len(values) ** 0.5
        return genbench.Score(values.mean().item(), stderr, per_example=values)

    def describe(self) -> str:
        """Return the protocol in words."""
        return f"the nearest of {self.samples:,} samples"


def nearest(images: Tensor, samples: Tensor) -> Tensor:
    """Return the root mean squared pixel difference of each image to the sample nearest to it, (n,).

    Raises ValueError for samples that are not finite.
    """
    blocks = squared_distances(images, samples, names=("target images", "samples"))
    return torch.cat([block.min(1).values for _, block in blocks]).div(images[0].numel()).sqrt()
