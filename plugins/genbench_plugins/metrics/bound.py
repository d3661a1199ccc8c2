"""Lower bounds on the log-likelihood of test images, by importance weights (Burda et al. 2016)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Le
from torch import Tensor

import genbench
from genbench.abilities import Bound, LogWeights
from genbench.numerics.blocks import values_at_once
from genbench.numerics.importance import summary
from genbench_plugins.metrics.model_density import OnModelDensity, mean_and_error, per_image, rows

VALUES = 2**22
"""Pixel values of all copies of images for which a model is asked for weights at a time."""

MOST = 10_000_000


@dataclass(eq=False)
class LikelihoodBound(OnModelDensity):
    """Mean over the target images of log (1/k) Σ p(x, z_i)/q(z_i|x) for k draws z_i from q(z|x): the bound of IWAE.

    Each image's value is a random number whose expectation is a lower bound on log p(x), which rises with k, to
    log p(x) where weights are bounded (Burda et al. 2016, theorem 1); at k = 1 it is the ELBO. It may still lie nats
    below log p(x) (Wu et al. 2017, table 1), by more for some models than for others: a greater bound is not surely a
    greater likelihood. `elbo` is the mean of the log weights; `effective_weights` how many of the k count, on average:
    few say that the bound is loose. A model that has no importance weights, but a `bound` of its own, is scored by that
    at k=1.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Lower bound on the log-likelihood"
    unit: ClassVar[str] = "nats per test image"
    caption_extras: ClassVar[tuple[str, ...]] = ("elbo", "effective_weights")
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {"print": {"k": 5_000}}

    k: Annotated[int, Ge(1), Le(MOST)] = 50  # draws of z for each image; 1: the ELBO

    def _lacks(self, model: genbench.Model) -> str | None:
        if isinstance(model, LogWeights):
            return None
        if not isinstance(model, Bound):
            return "the model has no bound on its density: neither log_weights(x, k, generator) nor bound(x)"
        return None if self.k == 1 else "the model has a bound of its own, and no log_weights for others: ask for k=1"

    def evaluate(self, evaluation: genbench.Evaluation) -> genbench.Score:
        """Return the mean over the target images, its standard error (population deviation / √n) and the ELBO."""
        model, images = evaluation.model, self.observed(evaluation)
        if isinstance(model, LogWeights):
            values, extras = self._weighted(model, images, evaluation.generator)
        else:
            assert isinstance(model, Bound)  # skip sees to that
            values, extras = per_image("bound", images, model.bound), {}
        mean, error = mean_and_error(values)
        extras["bits_per_dim"] = self.bits_per_dim(mean, evaluation)
        return genbench.Score(mean, error, extras, per_example=values)

    def _weighted(
        self, model: LogWeights, images: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        """Return the bound for each image, (n,) float64, and what is told beside it."""
        with torch.no_grad():
            found = [summary(self._blocks(model, part, generator)) for part in rows(images)]
        extras = {
            "elbo": torch.cat([each.mean_log for each in found]).mean().item(),
            "effective_weights": torch.cat([each.effective for each in found]).mean().item(),
        }
        return torch.cat([each.log_mean for each in found]), extras

    def _blocks(self, model: LogWeights, images: Tensor, generator: torch.Generator) -> Iterator[Tensor]:
        """Yield the k log weights of images, a few draws at a time, (b, n)."""
        size = max(1, values_at_once(images.device, VALUES) // images.numel())
        for start in range(0, self.k, size):
            draws = min(size, self.k - start)
            log_w = model.log_weights(images, draws, generator)
            if log_w.shape != (draws, len(images)):
                seen = f"log_weights(x, {draws}, generator) returned {tuple(log_w.shape)} for {len(images)} images"
                raise ValueError(f"{seen}; expected ({draws}, {len(images)})")
            yield log_w

    def describe(self) -> str:
        """Return the protocol in words."""
        return f"{self.k:,} importance weights, a lower bound in expectation; {self._in_words()}"
