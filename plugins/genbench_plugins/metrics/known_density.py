"""What metrics share that hold samples against a known density on the line: the masses of both in the same bins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge, Le
from torch import Tensor

import genbench
from genbench.numerics.bins import Bins

MOST_SAMPLES = 100_000_000
MOST_BINS = 1_000_000


@dataclass(eq=False)
class OnKnownDensity(genbench.Metric):
    """A metric of p_data, known, and p_g, a histogram of samples."""

    for_any_images: ClassVar[bool] = False

    samples: Annotated[int, Ge(1), Le(MOST_SAMPLES)] = 1_000_000
    bins: Annotated[int, Ge(2), Le(MOST_BINS)] = 500

    def skip(self, evaluation: genbench.Evaluation) -> str | None:
        """Return why nothing can be said where the density is not known, or images have more than one pixel."""
        if evaluation.density is None:
            return "the dataset's true density is not known: it has no log_prob"
        if evaluation.space.dim != 1:
            shape = "x".join(map(str, evaluation.space.shape))
            return f"images are {shape}, and bins are for images of one value, 1x1x1"
        return None

    def masses(self, evaluation: genbench.Evaluation) -> tuple[Bins, Tensor, Tensor]:
        """Return the bins, and the masses of p_data and p_g in them, each (bins,) float64."""
        bins = Bins(*evaluation.space.bounds, self.bins)
        density = evaluation.density
        assert density is not None  # skip sees to that
        p_g = bins.frequencies(evaluation.samples(self.samples))
        p_data = bins.masses(lambda x: density.log_prob(x.float().view(-1, 1, 1, 1)), evaluation.device)
        total = p_data.sum().item()
        if not abs(total - 1) < 0.01:
            raise ValueError(f"the dataset's log_prob integrates to {total:.4g} within the bounds; expected 1")
        return bins, p_data / total, p_g

    def describe(self) -> str:
        """Return the protocol in words."""
        return f"{self.samples:,} samples in {self.bins:,} bins; true density by quadrature"
