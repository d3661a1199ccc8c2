"""The inception score: samples each surely of one class, and all together of many (Salimans et al. 2016)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge
from torch import Tensor

import genbench
from genbench.numerics.inception_score import inception_scores
from genbench_plugins.metrics.by_classes import NEEDS_CLASSES, classifies
from genbench_plugins.metrics.features import FeatureMetric, some


@dataclass(eq=False)
class InceptionScore(FeatureMetric):
    """exp of the mean KL(p(y|x) ‖ p(y)) of the extractor's classes, from 1 to their number: the mean over splits.

    It knows no real images: one good image of each class, copied, has about the best score there is. What the images
    scored against would have, in as many splits, stands among the extras (`real`). Splits are drawn at random, so that
    images sorted by class are no matter, and the score grows with their size: compare at equal counts.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Inception score"
    unit: ClassVar[str] = "effective classes"
    higher_is_better: ClassVar[bool] = True

    splits: Annotated[int, Ge(2)] = 10

    def skip(self, evaluation: genbench.Evaluation) -> str | None:
        """Return why an extractor without classes cannot be used."""
        return None if classifies(evaluation) else NEEDS_CLASSES

    def evaluate(self, evaluation: genbench.Evaluation) -> genbench.Score:
        """Return the mean over splits, its standard error, and the spread that papers print."""
        scores = self._scores(evaluation, evaluation.logits(evaluation.extractor, "samples", self.samples))
        real = evaluation.logits(evaluation.extractor, "target")
        extras = {"spread": scores.std(correction=0).item()}
        if len(real) >= self.splits:
            extras["real"] = self._scores(evaluation, real).mean().item()
        return genbench.Score(scores.mean().item(), scores.std().item() / self.splits**0.5, extras)

    def _scores(self, evaluation: genbench.Evaluation, logits: Tensor) -> Tensor:
        """Return the score of each split, (splits,)."""
        return inception_scores(some(logits, len(logits), evaluation.stream("splits")), self.splits)

    def describe(self) -> str:
        """Return the protocol in words."""
        return f"{self.samples:,} samples in {self.splits} splits"
