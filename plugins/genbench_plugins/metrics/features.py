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

    def of_samples(self, evaluation: genbench.Evaluation, n: int | None = None) -> Tensor:
        """Return features of the first n samples, of all `samples` by default, (n, d)."""
        return evaluation.features(evaluation.extractor, "samples", self.samples if n is None else n)

    def of_target(self, evaluation: genbench.Evaluation) -> Tensor:
        """Return features of all images scored against, (m, d)."""
        return evaluation.features(evaluation.extractor, "target")

    def describe(self) -> str:
        """Return the protocol in words."""
        return f"{self.samples:,} samples against all images"


def some(rows: Tensor, n: int) -> Tensor:
    """Return n of the rows, (n, ...), or all: the same at each call, drawn without regard to their order."""
    if n >= len(rows):
        return rows
    chosen = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))[:n]
    return rows[chosen.to(rows.device)]


def cpu_generator(evaluation: genbench.Evaluation) -> torch.Generator:
    """Return a generator on the CPU, which torch draws permutations by, seeded from the metric's own stream."""
    seed = torch.randint(2**62, (), generator=evaluation.generator, device=evaluation.device)
    return torch.Generator().manual_seed(int(seed))
