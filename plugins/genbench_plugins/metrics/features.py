"""What metrics of features share: their options, and equal numbers of samples and real images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Le
from torch import Tensor

import genbench

MOST_SAMPLES = 10_000_000


@dataclass(eq=False)
class FeatureMetric(genbench.Metric):
    """A metric of features of the samples and of the split scored against, by the extractor that it names."""

    positional: ClassVar[str] = "extractor"

    extractor: str = "auto"
    samples: Annotated[int, Ge(2), Le(MOST_SAMPLES)] = 10_000

    def of_samples(self, evaluation: genbench.Evaluation) -> Tensor:
        """Return features of all samples, (n, d)."""
        return evaluation.features(evaluation.extractor, "samples", self.samples)

    def of_target(self, evaluation: genbench.Evaluation) -> Tensor:
        """Return features of all images scored against, (m, d)."""
        return evaluation.features(evaluation.extractor, "target")

    def in_equal_numbers(self, evaluation: genbench.Evaluation) -> tuple[Tensor, Tensor]:
        """Return features of as many images as samples, (n, d) each: of all of those that are fewer."""
        samples, images = evaluation.samples(self.samples), evaluation.target.images
        n = min(len(samples), len(images))
        return self.of_target(evaluation)[some(images, n)], self.of_samples(evaluation)[some(samples, n)]

    def describe(self) -> str:
        """Return the protocol in words."""
        return f"{self.samples:,} samples against all images"


def some(images: Tensor, n: int) -> Tensor:
    """Return the rows of n of the images (m, ...), or of all, (n,): by a hash of their values, whatever their order."""
    if n >= len(images):
        return torch.arange(len(images), device=images.device)
    width = images[0].numel()
    factors = torch.randint(2**62, (width,), generator=torch.Generator().manual_seed(0)).to(images.device) | 1
    bits = (part.flatten(1).contiguous().view(torch.int32).long() for part in torch.split(images.float(), 500))
    hashes = torch.cat([(part * factors).sum(1) for part in bits])  # in integers, which wrap around
    return hashes.argsort(stable=True)[:n].sort().values


def cpu_generator(evaluation: genbench.Evaluation) -> torch.Generator:
    """Return a generator on the CPU, which torch draws permutations by, seeded from the metric's own stream."""
    seed = torch.randint(2**62, (), generator=evaluation.generator, device=evaluation.device)
    return torch.Generator().manual_seed(int(seed))
