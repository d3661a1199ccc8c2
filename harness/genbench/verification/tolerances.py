"""How far from itself a score may lie where another processor, GPU or version of torch rounds otherwise."""

from __future__ import annotations

import math

ROUNDING = 2.0**-23
"""The distance between 1 and the next number of float32, in which images and features are held."""

PART = 0.1
"""Of a score's standard error: a difference that small changes no interval and no rank."""


def tolerance(value: float, stderr: float | None, bounds: tuple[float, float] | None, count: int) -> float:
    """Return how far a score that is computed elsewhere may lie from the stored one.

    The greater of two: what rounding errors of float32 add up to over a sum of `count` terms, which is in proportion to
    sqrt(count) (Higham and Mary 2019), and a tenth of the score's standard error: its own, else, of a share with
    bounds, the greatest that a mean over so many can have. Neighbours, votes and bins change by whole images.
    """
    own = stderr if stderr is not None else _greatest(bounds, count)
    return max(ROUNDING * math.sqrt(max(count, 1)) * abs(value), PART * own)


def _greatest(bounds: tuple[float, float] | None, count: int) -> float:
    return (bounds[1] - bounds[0]) / (2 * math.sqrt(count)) if bounds and count else 0.0


IMAGES = 1e-4
"""Of the range of pixel values: how far samples may lie from themselves on average where another machine drew them."""
