"""The Jensen-Shannon divergence of samples from a known density: what a GAN's generator minimises (theorem 1)."""

import math
from dataclasses import dataclass
from typing import ClassVar

import genbench
from genbench.numerics.game import jensen_shannon
from genbench_plugins.metrics.known_density import OnKnownDensity


@dataclass(eq=False)
class JensenShannon(OnKnownDensity):
    """Jensen-Shannon divergence between the dataset's true density and that of the samples, from 0 to log 2.

    Both are taken as masses of equal bins between the bounds, the true one by quadrature. Binning can only lower a
    divergence, and by little where densities hardly change within a bin. Counting n samples raises it, to second order
    by bins/(4n) at most, and by bins/(8n) where they are true: with the defaults by 6e-5. Measured, a million true
    samples score 5.5e-5 on gaussian1d and 5.7e-5 on mixture1d (means of five draws; the greatest was 6.1e-5).
    Where p_g is another, counting adds a deviation: of .0003 at .35, as measured between Gaussians.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Jensen-Shannon divergence"
    unit: ClassVar[str] = "nats"
    bounds: ClassVar[tuple[float, float] | None] = (0.0, math.log(2))
    higher_is_better: ClassVar[bool] = False

    def evaluate(self, evaluation: genbench.Evaluation) -> genbench.Score:
        """Return the divergence of the masses of bins."""
        _, p_data, p_g = self.masses(evaluation)
        return genbench.Score(jensen_shannon(p_data, p_g).item())
