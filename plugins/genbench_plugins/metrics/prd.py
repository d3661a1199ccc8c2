"""Precision and recall of distributions: a curve over cells of the features (Sajjadi et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge

import genbench
from genbench.numerics.prd import clustered_curve
from genbench_plugins.metrics.features import FeatureMetric


@dataclass(eq=False)
class PRD(FeatureMetric):
    """Greatest F_8 on the curve of precision and recall, which weighs recall; F_1/8, which weighs precision, beside it.

    Cells are those of k-means on samples and images together, as many of the ones as of the others; the curve is the
    mean over several runs.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "PRD F_8 (recall)"
    unit: ClassVar[str] = "F score"
    bounds: ClassVar[tuple[float, float] | None] = (0.0, 1.0)
    higher_is_better: ClassVar[bool] = True
    caption_extras: ClassVar[tuple[str, ...]] = ("f_eighth",)

    clusters: Annotated[int, Ge(2)] = 20
    runs: Annotated[int, Ge(1)] = 10

    def evaluate(self, evaluation: genbench.Evaluation) -> genbench.Score:
        """Return F_8, and F_1/8 among the extras."""
        real, fake = self.in_equal_numbers(evaluation)
        curve = clustered_curve(real, fake, evaluation.stream("cells"), self.clusters, self.runs)
        return genbench.Score(curve.f_score(8), extras={"f_eighth": curve.f_score(1 / 8)})

    def describe(self) -> str:
        """Return the protocol in words."""
        return (
            f"{self.clusters} cells, mean of {self.runs} runs; as many samples as images, at most {self.samples:,}; "
            "f eighth is F_1/8 (precision)"
        )
