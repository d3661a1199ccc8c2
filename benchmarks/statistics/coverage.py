"""How often the intervals of `genbench compare` hold the true difference, by simulation: 95 % is what they promise.

    python benchmarks/statistics/coverage.py [REPETITIONS]

A score is a mean over test images of: what its model and seed are worth, how hard the image is for the model, and what
seed and image make only together. Prints, for each case, the share of intervals that hold the truth, beside that of
the plain percentile bootstrap over seeds, which knows nothing of images. The same figures each time.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from genbench.comparison.differences import Scores, difference

TRUTH = 0.3
IMAGES = 100

HOW = [(True, 1.0, 0.8), (False, 1.0, 0.0), (False, 0.1, 0.0)]
"""Paired or not, the spread of B, what seeds have in common."""

NOISES = [(0.0, 0.0), (0.3, 0.0), (1.0, 0.3), (3.0, 1.0)]
"""What images, and seeds and images together, give to a score, in standard deviations over seeds."""


@dataclass(frozen=True)
class Case:
    """What is simulated: standard deviations over seeds are 1 for A, b_spread for B.

    images and together are those that an image's hardness, and seed and image together, give a model's score; shared is
    the part of the seeds' variance that A and B have in common.
    """

    seeds: int
    paired: bool
    b_spread: float = 1.0
    shared: float = 0.0
    images: float = 0.0
    together: float = 0.0

    def draw(self, rng: np.random.Generator) -> tuple[Scores, Scores]:
        """Return the scores of A and B, whose true difference is TRUTH."""
        common = rng.normal(size=self.seeds) * self.shared**0.5
        first = self._model(rng, TRUTH, 1.0, common, 0)
        return first, self._model(rng, 0.0, self.b_spread, common, 0 if self.paired else self.seeds)

    def _model(
        self, rng: np.random.Generator, mean: float, spread: float, common: NDArray[np.float64], first: int
    ) -> Scores:
        own = rng.normal(size=self.seeds) * (1 - self.shared) ** 0.5
        scores = mean + spread * (common + own)
        if not self.images and not self.together:
            return Scores(dict(enumerate(scores.tolist(), first)))
        # Of each model its own, so that the differences vary by √2 of these.
        hard = self.images * rng.normal(size=IMAGES) * IMAGES**0.5
        both = self.together * rng.normal(size=(self.seeds, IMAGES)) * IMAGES**0.5
        values = scores[:, None] + hard + both
        return Scores(dict(enumerate(values.mean(1).tolist(), first)), values)


def covered(case: Case, repetitions: int, seed: int = 0) -> tuple[float, float]:
    """Return the share of intervals that hold the truth, and that of percentile bootstraps over seeds."""
    rng = np.random.default_rng(seed)
    held = plain = 0
    for _ in range(repetitions):
        a, b = case.draw(rng)
        found = difference(a, b)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= TRUTH <= found.high
        low, high = percentile(a, b, case.paired, rng)
        plain += low <= TRUTH <= high
    return held / repetitions, plain / repetitions


def percentile(a: Scores, b: Scores, paired: bool, rng: np.random.Generator) -> tuple[float, float]:
    """Return the plain percentile bootstrap over seeds, which is what not to do with few of them."""
    n, size = len(a.values), (1000, len(a.values))
    rows = rng.integers(n, size=size)
    others = rows if paired else rng.integers(n, size=size)
    low, high = np.quantile(a.values[rows].mean(1) - b.values[others].mean(1), [0.025, 0.975])
    return float(low), float(high)


def main(repetitions: int) -> None:
    """Print a line for each case."""
    print("| seeds | paired | sd of B | images | together | interval | percentile bootstrap |")
    print("|---:|---|---:|---:|---:|---:|---:|")
    for how, seeds, (images, together) in product(HOW, (2, 3, 5, 10), NOISES):
        case = Case(seeds, *how, images, together)
        held, plain = covered(case, repetitions)
        words = f"{'yes' if case.paired else 'no'} | {case.b_spread:g} | {images:g} | {together:g}"
        print(f"| {seeds} | {words} | {100 * held:.1f} % | {100 * plain:.1f} % |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
