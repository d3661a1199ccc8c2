"""How many seeds it would take to tell two models apart, were they as different as they seem."""

from __future__ import annotations

import math

import numpy as np

from genbench.comparison.differences import Difference, Spread

ALPHA = 0.05
POWER = 0.80
MOST = 1000
"""More seeds than that are not counted."""

MOST_FREEDOM = 1e6
"""Degrees of freedom from which Student's t is the normal distribution."""

SLICES = 4000


def seeds_needed(found: Difference) -> int | None:
    """Return the least number of seeds of each model with a power of 80 % at alpha .05; None for more than MOST.

    The difference, and how seeds and images vary, are taken to be what they seem: a smaller difference takes more.
    None, too, where one seed tells nothing of how seeds vary, and where the images leave more in doubt than any number
    of seeds can mend.
    """
    if not found.over_seeds or found.mean == 0 or not _reached(found, MOST):
        return None
    few, enough = 1, 2
    while not _reached(found, enough):
        few, enough = enough, min(2 * enough, MOST)
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if _reached(found, middle) else (middle, enough)
    return enough


def is_limited_by_images(found: Difference) -> bool:
    """Return whether no number of seeds would tell: of the test images there are too few."""
    return found.image_variance > 0 and power(found.mean, Spread(()), 2, found.image_variance) < POWER


def _reached(found: Difference, seeds: int) -> bool:
    return power(found.mean, found.spread, seeds, found.image_variance) >= POWER


def power(mean: float, spread: Spread, seeds: int, image_variance: float = 0.0) -> float:
    """Return the probability that a two-sided t test of so many seeds of each model tells a difference from 0.

    spread says how single seeds vary; image_variance is the images' part in the variance of the mean, which more seeds
    leave as it is. Degrees of freedom are Satterthwaite's.
    """
    parts = [variance / seeds for variance, _ in spread.terms]
    variance = sum(parts) + image_variance
    if variance == 0:
        return float(mean != 0)
    shares = sum((part / variance) ** 2 for part in parts) / (seeds - 1)
    return _power(abs(mean) / math.sqrt(variance), min(1 / shares, MOST_FREEDOM) if shares else MOST_FREEDOM)


def _power(distance: float, df: float) -> float:
    """Return the chance that |T| exceeds its critical value, T noncentral by so many standard errors.

    The mean of the normal chance over equal slices of the error's distribution: scipy's noncentral t (1.17.1) returns
    nan for some distances of 8 or more.
    """
    from scipy.special import gammaincinv, ndtr, stdtrit

    errors = np.sqrt(gammaincinv(df / 2, (np.arange(SLICES) + 0.5) / SLICES) * 2 / df)
    beyond = -stdtrit(df, ALPHA / 2) * errors
    return float(np.mean(ndtr(distance - beyond) + ndtr(-distance - beyond)))
