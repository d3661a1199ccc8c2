"""The difference of two models' scores, A - B, its interval, and the chance that A is greater at a further seed.

Two things vary: the seeds that models are trained with, of which there are few, and the test images, of which there are
many. A bootstrap that draws a few seeds again makes intervals far too narrow. So the seeds' part of each draw is
Student's t, as exact for two seeds as for twenty, and only the images are drawn again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

DRAWS = 10_000
LEVEL = 0.95
SEED = 0
"""Of the bootstrap: the same scores give the same interval."""

AT_ONCE = 2_000_000
"""Images drawn in one go, for the sake of memory."""


@dataclass(frozen=True)
class Scores:
    """A model's score by seed. per_image holds one value per test image, (seeds, n), in the order of by_seed."""

    by_seed: Mapping[int, float]
    per_image: Values | None = None

    def at(self, seeds: Sequence[int]) -> Scores:
        """Return the scores at these seeds alone, in this order."""
        places = [list(self.by_seed).index(seed) for seed in seeds]
        images = None if self.per_image is None else self.per_image[places]
        return Scores({seed: self.by_seed[seed] for seed in seeds}, images)

    @property
    def values(self) -> Values:
        """Return the scores, (seeds,)."""
        return np.array([*self.by_seed.values()])


@dataclass(frozen=True)
class Spread:
    """How scores vary from seed to seed: (variance, seeds) of the paired differences, or of each model.

    Empty where a model has one seed: that tells nothing of others.
    """

    terms: tuple[tuple[float, int], ...]

    def variance(self, further: bool = False) -> float:
        """Return the variance of the mean difference, or of a further seed's difference from it."""
        return sum(variance * (further + 1 / n) for variance, n in self.terms)

    def freedom(self, further: bool = False) -> float:
        """Return the degrees of freedom of that variance (Welch, Satterthwaite); of the fewest seeds if it is 0."""
        parts = [(variance * (further + 1 / n), n - 1) for variance, n in self.terms]
        total = sum(part for part, _ in parts)
        if total == 0:
            return float(min(df for _, df in parts))
        return 1 / sum((part / total) ** 2 / df for part, df in parts)


@dataclass(frozen=True)
class Difference:
    """The means of A and B, the 95 % interval of A - B, and the chance that A is greater at a further seed.

    That is on the same images. low and high are None where neither seeds nor images tell how sure it is; greater is
    None for one seed, and where A and B are always equal. seeds counts those used of A and of B, left_out names the
    ones that only one of them has; images counts the test images that were drawn again, 0 where their part is not
    known; image_variance is their part in the variance of the mean.
    """

    means: tuple[float, float]
    low: float | None
    high: float | None
    greater: float | None
    paired: bool
    seeds: tuple[int, int]
    left_out: tuple[int, ...]
    images: int
    spread: Spread
    image_variance: float

    @property
    def mean(self) -> float:
        """Return the mean of A - B."""
        return self.means[0] - self.means[1]

    @property
    def over_seeds(self) -> bool:
        """Return whether the interval holds for other seeds too."""
        return bool(self.spread.terms)

    @property
    def sign(self) -> int:
        """Return 1 where A is greater, -1 where B is, 0 where that cannot be told of other seeds."""
        if not self.over_seeds or self.low is None or self.high is None:
            return 0
        return (self.low > 0) - (self.high < 0)


def difference(a: Scores, b: Scores, by_seed: bool = True) -> Difference:
    """Return how A differs from B: paired by seed where they share two or more, and by image where both have values.

    by_seed is False where equal numbers of seeds mean nothing. Raises ValueError where one has no score.
    """
    if not a.by_seed or not b.by_seed:
        raise ValueError("no scores: expected one seed or more of each")
    shared = sorted(set(a.by_seed) & set(b.by_seed)) if by_seed else []
    paired = len(shared) >= 2
    left_out = sorted(set(a.by_seed) ^ set(b.by_seed)) if paired else []
    if paired:
        a, b = a.at(shared), b.at(shared)
    spread, images = _spread(a, b, paired), _image_part(a, b, paired)
    means = float(a.values.mean()), float(b.values.mean())
    mean = means[0] - means[1]
    low, high = _interval(mean, spread, images)
    return Difference(
        means=means,
        low=low,
        high=high,
        greater=_greater(mean, spread),
        paired=paired,
        seeds=(len(a.by_seed), len(b.by_seed)),
        left_out=tuple(left_out),
        images=0 if images is None else len(images),
        spread=spread,
        image_variance=0.0 if images is None else float(images.var(ddof=1) / len(images)),
    )


# The seeds -----------------------------------------------------------------------------------------------------------


def _spread(a: Scores, b: Scores, paired: bool) -> Spread:
    samples = [a.values - b.values] if paired else [a.values, b.values]
    if min(map(len, samples)) < 2:
        return Spread(())
    return Spread(tuple((_variance(sample), len(sample)) for sample in samples))


def _variance(sample: Values) -> float:
    """Return the variance, 0 for equal values: their mean is not to be rounded away from them."""
    return 0.0 if np.ptp(sample) == 0 else float(sample.var(ddof=1))


def _greater(mean: float, spread: Spread) -> float | None:
    """Return the chance that A - B is above 0 at a further seed of each: by Student's t, as in prediction intervals."""
    from scipy.special import stdtr

    if not spread.terms:
        return None
    sd = math.sqrt(spread.variance(further=True))
    if sd == 0:
        return None if mean == 0 else float(mean > 0)
    return float(stdtr(spread.freedom(further=True), mean / sd))


# The images ----------------------------------------------------------------------------------------------------------


def _image_part(a: Scores, b: Scores, paired: bool) -> Values | None:
    """Return each image's part in the difference, (n,), mean 0; None where it is not known.

    Means over few seeds also hold what an image and a seed make only together, which the seeds' variance counts
    already: the parts are shrunk by its share, as in an analysis of variance of seeds by images.
    """
    if a.per_image is None or b.per_image is None or a.per_image.shape[1] != b.per_image.shape[1]:
        return None
    if a.per_image.shape[1] < 2:
        return None
    parts = a.per_image.mean(0) - b.per_image.mean(0)
    together = [a.per_image - b.per_image] if paired else [a.per_image, b.per_image]
    noise = sum(_residual_variance(values) / len(values) for values in together) if _spread(a, b, paired).terms else 0
    variance = parts.var(ddof=1)
    share = max(0.0, 1 - noise / variance) if variance > 0 else 0.0
    centred: Values = (parts - parts.mean()) * math.sqrt(share)
    return centred


def _residual_variance(values: Values) -> float:
    """Return the variance that neither a seed's mean nor an image's explains, of values (seeds, n)."""
    rest = values - values.mean(0) - values.mean(1, keepdims=True) + values.mean()
    return float((rest**2).sum() / ((values.shape[0] - 1) * (values.shape[1] - 1)))


# Both ----------------------------------------------------------------------------------------------------------------


def _interval(mean: float, spread: Spread, images: Values | None) -> tuple[float | None, float | None]:
    """Return the ends of the interval: of t alone, of images alone, or of the sum of draws of both."""
    from scipy.special import stdtrit

    if not spread.terms and images is None:
        return None, None
    tails = np.array([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    stderr, df = math.sqrt(spread.variance()), spread.freedom() if spread.terms else math.inf
    if images is None or not images.any():
        low, high = mean + stderr * stdtrit(df, tails) if stderr else (mean, mean)
        return float(low), float(high)
    rng = np.random.default_rng(SEED)
    draws = _means_of_drawn(images, rng)
    if stderr:
        # One t for each slice of equal probability, in random order: no draw of these is wasted on chance.
        draws += stderr * rng.permutation(stdtrit(df, (np.arange(DRAWS) + 0.5) / DRAWS))
    low, high = mean + np.quantile(draws, tails)
    return float(low), float(high)


def _means_of_drawn(images: Values, rng: np.random.Generator) -> Values:
    """Return the mean of as many images drawn with replacement, DRAWS times."""
    at_once = max(1, AT_ONCE // len(images))
    parts = [
        images[rng.integers(len(images), size=(min(at_once, DRAWS - first), len(images)), dtype=np.int32)].mean(1)
        for first in range(0, DRAWS, at_once)
    ]
    return np.concatenate(parts)
