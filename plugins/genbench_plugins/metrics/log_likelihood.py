"""The log-likelihood of test images by the model's own density, for models that can evaluate it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import genbench
from genbench.abilities import LogProb, Partition
from genbench_plugins.metrics.model_density import OnModelDensity, mean_and_error, per_image

LEARNED = "the model's normaliser is learned, and this is off by as much as that is; ais estimates it"


@dataclass(eq=False)
class LogLikelihood(OnModelDensity):
    """Mean of the model's own log p(x) over the target images: no estimate, and no samples.

    Of real pixel values it is a density in the units of the bounds, so it depends on their scale, and can grow without
    bound where a pixel never varies: noise (levels=256, for images of bytes) sets a limit to that, and bits
    per dimension are then an upper bound on those of the discrete images (Theis et al. 2016). Without noise, bits per
    dimension are of pixel values scaled to [0, 1], and may be negative. Of binary images it is a probability.

    Of a model that learned its normaliser, one that also has `log_partition`, a note says that it is no exact value.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Log-likelihood by the model's own density"
    unit: ClassVar[str] = "nats per test image"
    caption_extras: ClassVar[tuple[str, ...]] = ("bits_per_dim",)

    def _lacks(self, model: genbench.Model) -> str | None:
        return None if isinstance(model, LogProb) else "the model cannot evaluate its density: no log_prob(x)"

    def evaluate(self, evaluation: genbench.Evaluation) -> genbench.Score:
        """Return the mean over the target images, its standard error (population deviation / √n) and bits per value."""
        model = evaluation.model
        assert isinstance(model, LogProb)  # skip sees to that
        values = per_image("log_prob", self.observed(evaluation), model.log_prob)
        mean, error = mean_and_error(values)
        extras = {"bits_per_dim": self.bits_per_dim(mean, evaluation)}
        notes = (LEARNED,) if isinstance(model, Partition) else ()
        return genbench.Score(mean, error, extras, per_example=values, notes=notes)

    def describe(self) -> str:
        """Return the protocol in words."""
        return f"the model's own log p(x); {self._in_words()}"
