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
        real, fake = self.of_target(evaluation), self.of_samples(evaluation)
        n, chosen = min(len(real), len(fake)), evaluation.stream("equal numbers")
        return some(real, n, chosen), some(fake, n, chosen)

    def describe(self) -> str:
        """Return the protocol in words."""
        return f"{self.samples:,} samples against all images"


def some(rows: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """Return n of the rows (m, ...) at random and in random order, or all where there are no more, (n, ...)."""
    order = torch.randperm(len(rows), generator=generator, device=generator.device)
    return rows[order[:n].to(rows.device)]
