"""Intervals of a share: of answers taken as independent, and over raters."""

from __future__ import annotations

import math
from collections.abc import Sequence

LEVEL = 0.95

DRAWS = 10_000
"""How many times raters are resampled."""


def wilson(count: int, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % score interval (Wilson 1927) of a share, count of n independent answers.

    Raises ValueError for no answers.
    """
    from scipy.stats import binomtest

    if not 0 <= count <= n or n == 0:
        raise ValueError(f"{count} of {n}: expected a count of at least one answer")
    found = binomtest(count, n).proportion_ci(LEVEL, "wilson")
    return float(found.low), float(found.high)


def over_raters(shares: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % bootstrap interval of the mean of raters' shares, raters resampled.

    None of fewer than two raters, and where all shares are equal: resampling then knows of no spread.

    The ends are quantiles of resampled means, further out than the level says, by as much as Student's t of n - 1
    degrees of freedom and √(n/(n - 1)) ask for: the expanded percentile interval (Hesterberg 2015), since the plain
    one of few raters is too narrow. Draws are the same each time.
    """
    import numpy as np
    from scipy.special import ndtr, stdtrit

    if (n := len(shares)) < 2 or len(set(shares)) == 1:
        return None
    drawn = np.random.default_rng(0).integers(n, size=(DRAWS, n))
    means = np.sort(np.asarray(shares, dtype=float))[drawn].mean(1)
    tail = float(ndtr(math.sqrt(n / (n - 1)) * stdtrit(n - 1, (1 - LEVEL) / 2)))
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)
