"""Whether samples are copies: are they nearer to training images than fresh images are (Meehan et al. 2020)?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge, Le
from torch import Tensor

import genbench
from genbench.numerics.copies import copies
from genbench.numerics.copying import copying_z
from genbench_plugins.metrics.features import MOST_SAMPLES, FeatureMetric


@dataclass(eq=False)
class Memorisation(FeatureMetric):
    """By how many standard errors samples lie nearer to single training images than fresh images do: HIGH COPIES.

    From 0 to 3 for fresh images, also for those of one class alone or of few, however dense; above for a copier, exact
    or with a little noise, which pixels tell, or with images moved by a pixel, which features tell better: the value is
    the greater of both, which stand among the extras. There they may lie far below 0, where samples are unlike any
    image; the value is 0 then, since being no copy is no merit.

    The statistic is after -C_T of the paper: a Mann-Whitney test within cells of the training images against the images
    scored against of the same cell. Compared is the distance to the nearest training image over that to the second
    nearest, which does not depend on how dense the place is, and cells are combined with variance 1 (van Elteren 1960).
    It grows with the counts. It does not see copies of the images scored against: those are counted beside it.
    """

    version: ClassVar[int] = 2
    title: ClassVar[str] = "Memorisation"
    unit: ClassVar[str] = "standard errors nearer to training images, high is a copier"
    higher_is_better: ClassVar[bool] = False
    real_is_best: ClassVar[bool] = False  # as samples, training images are the copies that it looks for
    caption_extras: ClassVar[tuple[str, ...]] = ("pixels", "features", "train_copies", "target_copies")

    samples: Annotated[int, Ge(2), Le(MOST_SAMPLES)] = 2_000
    cells: Annotated[int, Ge(1), Le(10_000)] = 50

    def evaluate(self, evaluation: genbench.Evaluation) -> genbench.Score:
        """Return the greater z of pixels and of features, or 0 where both are below."""
        pixels = self._z(
            evaluation, evaluation.train.images, evaluation.target.images, evaluation.samples(self.samples)
        )
        train = evaluation.features(evaluation.extractor, "train")
        features = self._z(evaluation, train, self.of_target(evaluation), self.of_samples(evaluation))
        counts, notes = self._copies(evaluation)
        extras = {"pixels": pixels, "features": features, **counts}
        return genbench.Score(max(pixels, features, 0.0), extras=extras, notes=notes)

    def _z(self, evaluation: genbench.Evaluation, train: Tensor, target: Tensor, samples: Tensor) -> float:
        return copying_z(train, target, samples, self.cells, evaluation.stream("cells of memorisation"))

    def _copies(self, evaluation: genbench.Evaluation) -> tuple[dict[str, float], tuple[str, ...]]:
        """Return how many samples are copies of training images and how many of target images, and a note on the first.

        The harness has one on the second, whatever the metric.
        """
        samples = evaluation.samples(self.samples)
        train, target = evaluation.train.images, evaluation.target.images
        of_train, of_target = copies([samples], train, target), copies([samples], target, train)
        counts = {"train_copies": float(of_train.count), "target_copies": float(of_target.count)}
        return counts, (of_train.in_words("training", "target"),) if of_train.are_many else ()

    def describe(self) -> str:
        """Return the protocol in words."""
        return (
            f"{self.samples:,} samples and all images, each by its nearest over its second nearest training image, "
            f"within {self.cells} k-means cells, at most one for 20 training images"
        )
