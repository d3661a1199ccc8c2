"""The log-likelihood of test images under Gaussian windows on a model's samples (Goodfellow et al. 2014, Table 1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Le

import genbench
from genbench.numerics.parzen import PAPER_SIGMAS, choose_sigma, log_likelihoods

MOST_SAMPLES = 10_000_000
"""What the windows of one model may be: 29 GiB of MNIST. More is a slip of the keyboard."""


@dataclass(eq=False)
class Parzen(genbench.Metric):
    """Mean log density of the target images under a Gaussian of width sigma on each of the model's samples.

    sigma maximises the same mean on the first `valid` validation images: one of the paper's ten values, or refined to
    1 %. Images are taken as they are: not clipped, not quantised, no noise added.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Parzen log-likelihood"
    unit: ClassVar[str] = "nats per test image"
    higher_is_better: ClassVar[bool] = True
    caption_extras: ClassVar[tuple[str, ...]] = ("sigma",)
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {"paper": {"grid": "paper"}}

    samples: Annotated[int, Ge(1), Le(MOST_SAMPLES)] = 10_000
    grid: Literal["refined", "paper"] = "refined"
    valid: Annotated[int, Ge(1)] = 1_000
    memory_mib: Annotated[int, Ge(1)] = genbench.setting(128)

    def evaluate(self, evaluation: genbench.Evaluation) -> genbench.Score:
        """Return the mean over the target images, its standard error (population deviation / √n) and sigma."""
        samples = evaluation.samples(self.samples)  # (n, C, H, W)
        sigmas = PAPER_SIGMAS if self.grid == "paper" else None
        width = choose_sigma(samples, evaluation.valid.images[: self.valid], sigmas, self.memory_mib)
        values = log_likelihoods(samples, evaluation.target.images, [width.sigma], self.memory_mib)[0]  # (n_target,)
        return genbench.Score(
            value=values.mean().item(),
            stderr=values.std(correction=0).item() / len(values) ** 0.5,
            extras={"sigma": width.sigma} | ({"sigma_at_edge": 1.0} if width.at_edge else {}),
            per_example=values,
        )

    def describe(self) -> str:
        """Return the protocol in words."""
        how = "refined to 1 %" if self.grid == "refined" else "out of the paper's ten values"
        return f"{self.samples:,} samples; sigma by the first {self.valid:,} validation images, {how}"
