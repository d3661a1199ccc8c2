"""The fixed random order by which images are held out: files are often sorted by class."""

from __future__ import annotations


def permutation(n: int) -> list[int]:
    """Return the numbers from 0 to n-1 in a random order that is always the same."""
    import numpy as np

    # the streams of RandomState are frozen: every numpy gives the same permutation
    return [int(row) for row in np.random.RandomState(0).permutation(n)]
