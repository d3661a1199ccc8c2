"""Whether samples are copies: are they nearer to training images than fresh images are (Meehan et al. 2020)?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge, Le

import genbench
from genbench.numerics.copying import copying_z
from genbench_plugins.metrics.features import MOST_SAMPLES, FeatureMetric


@dataclass(eq=False)
class Memorisation(FeatureMetric):
    """By how many standard errors samples lie nearer to training images than the images scored against do: HIGH COPIES.

    From 0 to 3 for fresh images; above for a copier, exact or with a little noise, which pixels tell, or with images
    moved by a pixel, which features tell: the value is the greater of both, which stand among the extras. There they
    may lie far below 0, where samples are unlike any image; the value is 0 then, since being no copy is no merit. The
    statistic is -C_T of the paper over the whole space, a Mann-Whitney test of distances to the nearest training image,
    and grows with the counts.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Memorisation"
    unit: ClassVar[str] = "standard errors nearer to training images, high is a copier"
    higher_is_better: ClassVar[bool] = False
    real_is_best: ClassVar[bool] = False  # as samples, training images are the copies that it looks for
    caption_extras: ClassVar[tuple[str, ...]] = ("pixels", "features")

    samples: Annotated[int, Ge(2), Le(MOST_SAMPLES)] = 2_000

    def evaluate(self, evaluation: genbench.Evaluation) -> genbench.Score:
        """Return the greater z of pixels and of features, or 0 where both are below."""
        pixels = copying_z(evaluation.train.images, evaluation.target.images, evaluation.samples(self.samples))
        train = evaluation.features(evaluation.extractor, "train")
        features = copying_z(train, self.of_target(evaluation), self.of_samples(evaluation))
        return genbench.Score(max(pixels, features, 0.0), extras={"pixels": pixels, "features": features})

    def describe(self) -> str:
        """Return the protocol in words."""
        return f"{self.samples:,} samples and all images, each by its nearest training image"
