"""How many seeds it would take to tell two models apart, were they as different as they seem."""

from __future__ import annotations

import math

import numpy as np

from genbench.comparison.differences import Difference, Spread, Values

ALPHA = 0.05
POWER = 0.80
MOST = 1000
"""More seeds than that are not counted."""

MOST_FREEDOM = 1e6
"""Degrees of freedom from which Student's t is the normal distribution."""

SLICES, POINTS, FEW, HALVINGS = 4000, 400, 40, 20
"""Of the spread that seeds may show, of t; standard errors that reaches are computed at; steps to each."""


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
    """Return the probability that the interval from so many seeds of each model leaves out 0.

    spread says how single seeds vary; image_variance is the images' part in the variance of the mean, which more seeds
    leave as it is. The mean of the normal distribution's answer over equal slices of the spread that seeds may show:
    without images the power of a t test, but scipy's noncentral t (1.17.1) returns nan at some distances of 8 or more.
    """
    from scipy.special import gammaincinv, ndtr

    parts = [variance / seeds for variance, _ in spread.terms]
    total = sum(parts)
    error = math.sqrt(total + image_variance)
    if error == 0:
        return float(mean != 0)
    df = (seeds - 1) * total**2 / sum(part**2 for part in parts) if total else MOST_FREEDOM
    slices = (np.arange(SLICES) + 0.5) / SLICES
    reach = _reach(np.sqrt(total * gammaincinv(df / 2, slices) * 2 / df), df, math.sqrt(image_variance))
    return float(np.mean(ndtr((abs(mean) - reach) / error) + ndtr((-abs(mean) - reach) / error)))


def _reach(stderr: Values, df: float, image_error: float) -> Values:
    """Return how far the interval reaches to a side, as `difference` has it, for ascending standard errors of seeds."""
    from scipy.special import ndtr, ndtri, stdtrit

    if image_error == 0:
        alone: Values = -stdtrit(df, ALPHA / 2) * stderr
        return alone
    t = stdtrit(df, (np.arange(POINTS) + 0.5) / POINTS)
    some = np.geomspace(stderr[0] or 1.0, stderr[-1] or 1.0, FEW)
    low, high = np.zeros(FEW), 1.5 * (-stdtrit(df, ALPHA / 2) * some - ndtri(ALPHA / 2) * image_error)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        below = ndtr((middle[:, None] - some[:, None] * t) / image_error).mean(1) < 1 - ALPHA / 2
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    between: Values = np.interp(stderr, some, high, left=-ndtri(ALPHA / 2) * image_error)
    return between
