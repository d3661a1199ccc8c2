"""The expected best score of n random configurations, by the plug-in estimator of Dodge et al. (EMNLP 2019)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ExpectedBest:
    """The best validation score that n configurations drawn at random come to: its mean and standard deviation."""

    n: int
    mean: float
    sd: float


def expected_best(scores: Sequence[float], higher_is_better: bool) -> list[ExpectedBest]:
    """Return the expected best for n from 1 to the number of scores, each drawn from their empirical distribution.

    The best of n draws with replacement is at most the i-th smallest of N scores with probability (i/N)^n.
    """
    sign = 1.0 if higher_is_better else -1.0
    ordered = np.sort(sign * np.asarray(scores, dtype=np.float64))  # (N,)
    if not len(ordered):
        return []
    scale = max(float(np.abs(ordered).max()), 1e-300)
    below = np.arange(len(ordered) + 1) / len(ordered)
    found = []
    for n in range(1, len(ordered) + 1):
        weights = np.diff(below**n)
        mean = float(weights @ ordered)
        variance = float(weights @ ((ordered - mean) / scale) ** 2)
        found.append(ExpectedBest(n, sign * mean, scale * math.sqrt(max(variance, 0.0))))
    return found
