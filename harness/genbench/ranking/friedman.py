"""Friedman's test of average ranks, Iman and Davenport's F of it, and Nemenyi's critical difference (Demšar 2006).

Their approximations hold for more than 10 datasets and more than 5 models. With fewer, p and the critical difference
come from the permutations of ranks within each dataset: all of them, or many drawn at random, the same each time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

Ranks = NDArray[np.float64]  # (datasets, models)

ALPHA = 0.05
LEAST_DATASETS = 3
"""Of two datasets, agreement says nothing of a third, however many models there are."""

MOST_EXACT = 100_000
"""Permutations that are all looked at; of more than that, so many are drawn."""

DRAWS = 50_000
SEED = 0
ROUNDING = 1e-9


@dataclass(frozen=True)
class Test:
    """What a test of average ranks found.

    chi_square is Friedman's statistic, corrected for ties; f is Iman and Davenport's of it, infinite where all datasets
    agree. by says how p and critical_difference were had; of permutations, the latter may be infinite: no difference
    between two models' average ranks would then tell them apart.
    """

    chi_square: float
    f: float
    p: float
    critical_difference: float
    by: str

    __test__ = False  # for pytest, this is none

    def tells(self, difference: float) -> bool:
        """Return whether models whose average ranks differ by so much are told apart."""
        return difference >= self.critical_difference - ROUNDING


def ranks(scores: Sequence[Sequence[float]]) -> list[list[float]]:
    """Return the ranks of models on each dataset, 1 for the least score, equal ones sharing their mean."""
    from scipy.stats import rankdata

    return [rankdata(row).tolist() for row in scores]


def refused(datasets: int, models: int) -> str:
    """Return why there is no test for so many datasets and models, or "" where there is."""
    if models < 2:
        return f"{models} model{'' if models == 1 else 's'} with a score on each dataset; expected two or more"
    least = fewest_datasets(models)
    if datasets < least:
        return f"{datasets} datasets are too few to test {models} models; expected {least} or more"
    return ""


def fewest_datasets(models: int) -> int:
    """Return how many datasets must agree on all ranks for a p value of at most .05, and at least LEAST_DATASETS."""
    agree = 1 + math.log(1 / ALPHA) / math.log(math.factorial(models))
    return max(LEAST_DATASETS, math.ceil(agree))


def test(given: Sequence[Sequence[float]]) -> Test:
    """Return Friedman's test and the critical difference of ranks (datasets, models)."""
    table = np.array(given, dtype=float)
    n, k = table.shape
    chi_square = float(_chi_square(table.sum(0), table))
    agreement = n * (k - 1) - chi_square
    f = (n - 1) * chi_square / agreement if agreement > ROUNDING else math.inf
    if n > 10 and k > 5:
        return Test(chi_square, f, _p_of_f(f, n, k), nemenyi(n, k), "F and Nemenyi")
    sums, by = _permuted(table)
    reached = _chi_square(sums, table) >= chi_square - ROUNDING
    # Of drawn permutations, the one that was found counts as one more.
    p = float(reached.mean()) if by == "exact" else float((reached.sum() + 1) / (len(sums) + 1))
    return Test(chi_square, f, p, _critical(np.ptp(sums, axis=1) / n), by)


def nemenyi(datasets: int, models: int) -> float:
    """Return the critical difference of average ranks by Nemenyi's test at alpha .05."""
    from scipy.stats import studentized_range

    q = studentized_range.ppf(1 - ALPHA, models, np.inf) / math.sqrt(2)
    return float(q * math.sqrt(models * (models + 1) / (6 * datasets)))


def _p_of_f(f: float, n: int, k: int) -> float:
    from scipy.special import fdtrc

    return 0.0 if math.isinf(f) else float(fdtrc(k - 1, (k - 1) * (n - 1), f))


def _chi_square(sums: Ranks, table: Ranks) -> Ranks:
    """Return Friedman's statistic of rank sums (..., models) on the tied ranks of a table; 0 where all are tied."""
    n, k = table.shape
    within = ((table - (k + 1) / 2) ** 2).sum()
    if within < ROUNDING:
        return np.zeros(sums.shape[:-1])
    between: Ranks = ((sums - n * (k + 1) / 2) ** 2).sum(-1)
    statistic: Ranks = (k - 1) * between / within
    return statistic


def _permuted(table: Ranks) -> tuple[Ranks, str]:
    """Return the models' rank sums for permutations of the ranks of each dataset but the first, and which these are.

    The first stays as it is: which model is which makes no difference to what is asked of the sums.
    """
    n, k = table.shape
    sums = table[:1]
    if math.factorial(k) ** (n - 1) <= MOST_EXACT:
        for row in table[1:]:
            rows = np.array(list(permutations(row)))
            sums = (sums[:, None] + rows).reshape(-1, k)
        return sums, "exact"
    rng = np.random.default_rng(SEED)
    for row in table[1:]:
        sums = sums + rng.permuted(np.broadcast_to(row, (DRAWS, k)), axis=1)
    return sums, "Monte Carlo"


def _critical(ranges: Ranks) -> float:
    """Return the least range of average ranks that at most alpha of the permutations reach."""
    values, counts = np.unique(np.round(ranges, 9), return_counts=True)
    reached = counts[::-1].cumsum()[::-1] / len(ranges)
    rare = values[reached <= ALPHA]
    return float(rare[0]) if len(rare) else math.inf
