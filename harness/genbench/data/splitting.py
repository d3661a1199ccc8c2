"""The fixed random orders by which images are held out or chosen: files are often sorted by class."""

from __future__ import annotations


def permutation(n: int, seed: int = 0) -> list[int]:
    """Return the numbers from 0 to n-1 in a random order that is always the same for a seed."""
    import numpy as np

    # the streams of RandomState are frozen: every numpy gives the same permutation
    return [int(row) for row in np.random.RandomState(seed).permutation(n)]
