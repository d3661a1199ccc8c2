"""The fixed random orders by which images are held out or chosen: files are often sorted by class."""

from __future__ import annotations


def permutation(n: int, seed: int = 0) -> list[int]:
    """Return the numbers from 0 to n-1 in a random order that is always the same for a seed."""
    import numpy as np

    # the streams of RandomState are frozen: every numpy gives the same permutation
    return [int(row) for row in np.random.RandomState(seed).permutation(n)]


def held_out(n: int, count: int = 0) -> tuple[list[int], list[int]]:
    """Return which of n rows, two or more, train and which validate: `count` of them, or a tenth where it is 0."""
    order, kept = permutation(n), n - (count or tenth(n))
    return order[:kept], order[kept:]


def in_three(n: int) -> dict[str, list[int]]:
    """Return which of n rows, three or more, are of train, valid (a tenth) and test (a tenth)."""
    order, part = permutation(n), tenth(n)
    return {"train": order[: n - 2 * part], "valid": order[n - 2 * part : n - part], "test": order[n - part :]}


def tenth(n: int) -> int:
    """Return a tenth of n, and 1 at least."""
    return max(1, n // 10)
