"""The kernel distance between features of samples and of real images (Binkowski et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge

import genbench
from genbench.numerics.kernels import kernel_distance, random_subsets
from genbench_plugins.metrics.features import FeatureMetric


@dataclass(eq=False)
class KID(FeatureMetric):
    """Unbiased MMD² between features under a cubic polynomial kernel, the mean over random subsets.

    Unbiased, so it does not fall with the number of images as Frechet distances do, and may be below 0. The spread over
    subsets that papers print beside it is no standard error; it stands among the extras. The standard error is that of
    the mean, for new draws of images, samples and subsets.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Kernel distance"
    unit: ClassVar[str] = "squared maximum mean discrepancy"
    higher_is_better: ClassVar[bool] = False

    subsets: Annotated[int, Ge(2)] = 100
    size: Annotated[int, Ge(2)] = 1_000  # of a subset; all images where there are fewer

    def evaluate(self, evaluation: genbench.Evaluation) -> genbench.Score:
        """Return the mean over subsets, its standard error, and their spread."""
        real, fake = self.of_target(evaluation), self.of_samples(evaluation)
        size = min(self.size, len(real), len(fake))
        rows = random_subsets(len(fake), len(real), evaluation.stream("subsets"), self.subsets, size)
        found = kernel_distance(fake, real, rows)
        return genbench.Score(found.value, found.standard_error, {"spread": found.spread})

    def describe(self) -> str:
        """Return the protocol in words."""
        return f"{super().describe()}, {self.subsets} subsets of at most {self.size:,}"
