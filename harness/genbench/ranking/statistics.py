"""The statistics behind a table: intervals over training seeds, and ranks that claim no more than the seeds show."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple


@dataclass(frozen=True)
class Summary:
    """A score over n training seeds, in the metric's unit.

    sd has n - 1 degrees of freedom, stderr is sd/√n, low and high bound the t interval; all are None for one seed.
    """

    n: int
    mean: float
    sd: float | None
    stderr: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Row:
    """One model's scores in a column. complete is False where some of its planned seeds have no score."""

    values: Sequence[float]
    complete: bool = True


@dataclass(frozen=True)
class RankRange:
    """The ranks a model may hold, from the best (low) to the worst (high); 1 is the best of all."""

    low: int
    high: int


# One model -----------------------------------------------------------------------------------------------------------


Bounds = Sequence[float] | None
"""The least and the greatest value that there can be, where there are both."""


def summarise(values: Sequence[float], level: float = 0.95, bounds: Bounds = None) -> Summary:
    """Return mean, spread and t interval of one or more values.

    The interval is Student's, with n - 1 degrees of freedom, within bounds if there are any: see `around`. Raises
    ValueError for no values, and for one that is not finite.
    """
    _check_open("level", level)
    mean, sd, n = _moments(values)
    if n == 1:
        return Summary(1, mean, None, None, None, None)
    stderr = sd / math.sqrt(n)
    half = _t_above((1 - level) / 2, n - 1) * stderr
    return Summary(n, mean, sd, stderr, *around(mean, half, bounds))


def prediction_interval(values: Sequence[float], level: float = 0.95, bounds: Bounds = None) -> tuple[float, float]:
    """Return where one further run of the same model would fall: mean ± t·sd·√(1 + 1/n), t with n - 1 df.

    Within bounds, if there are any: see `around`. Raises ValueError for fewer than two values, and for one that is not
    finite.
    """
    _check_open("level", level)
    mean, sd, n = _at_least_two(values)
    half = _t_above((1 - level) / 2, n - 1) * sd * math.sqrt(1 + 1 / n)
    return around(mean, half, bounds)


def around(mean: float, half: float, bounds: Bounds = None) -> tuple[float, float]:
    """Return the ends of an interval that reaches half to both sides of a mean, or as far on the logit scale.

    There, between a and b, the mean m lies at log((m - a)/(b - m)), and half becomes half·(b - a)/((m - a)·(b - m)),
    the first-order (delta) rule: nearly the same far from the bounds, and never beyond them. What has no place on that
    scale, a mean that lies on a bound, keeps its symmetric interval.
    """
    from scipy.special import expit, logit

    if bounds is None or half == 0 or not bounds[0] < mean < bounds[1]:
        return mean - half, mean + half
    least, width = bounds[0], bounds[1] - bounds[0]
    share = (mean - least) / width
    place, reach = float(logit(share)), half / width / (share * (1 - share))
    return least + width * float(expit(place - reach)), least + width * float(expit(place + reach))


# Between models ------------------------------------------------------------------------------------------------------


def welch(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the two-sided p value of Welch's t test (Welch 1947) that a and b have equal means.

    Where neither set varies there is nothing to estimate and the means are compared exactly: 1.0 if they are equal,
    else 0.0. Where one set varies, its own degrees of freedom are left. Raises ValueError for fewer than two values on
    either side, and for one that is not finite.
    """
    return _welch(_at_least_two(a), _at_least_two(b))


def holm(pvalues: Sequence[float]) -> list[float]:
    """Return the p values adjusted for their number (Holm 1979), in the given order, none above 1.

    Rejecting those at or below alpha makes a false rejection at most alpha probable, however the tests depend on each
    other. Raises ValueError for what is no p value.
    """
    if wrong := [p for p in pvalues if not 0 <= p <= 1]:
        raise ValueError(f"p value {wrong[0]!r}: expected a number from 0 to 1")
    adjusted, floor = [0.0] * len(pvalues), 0.0
    for place, i in enumerate(sorted(range(len(pvalues)), key=pvalues.__getitem__)):
        floor = max(floor, min(1.0, (len(pvalues) - place) * pvalues[i]))
        adjusted[i] = floor
    return adjusted


def rank_ranges(rows: Sequence[Row], higher_is_better: bool, alpha: float = 0.05) -> list[RankRange | None]:
    """Return the range of ranks of each row of a column, or None for a row of fewer than two values.

    low is 1 + the number of rows significantly better, high the number of ranked rows less those significantly worse.
    Two rows differ significantly if Welch's p, adjusted by Holm over all pairs of ranked rows, is at most alpha; which
    is better goes by their means.

    Welch, since models differ in spread over seeds, some by orders of magnitude, so that a pooled variance would make
    a steady model look uncertain and an unsteady one sure. Holm, since the pairs share models: it holds under any
    dependence and is nowhere weaker than Bonferroni. Studentised-range tests (Tukey, Games-Howell) assume more, and
    gain little for a handful of models. Rows that never vary are compared exactly: see `welch` and `compared_exactly`.

    How often some pair is wrongly told apart, by simulation of normal scores with equal means: .02 to .05; above alpha
    almost only for two models whose spreads differ three- to twentyfold, at most .060 for three seeds, .054 for five.

    An incomplete row may be found worse but never better: had its failed seeds scored, its mean might be worse. So it
    cannot take rank 1 alone, and no one loses a rank to it. Raises ValueError for values that are not finite.
    """
    _check_open("alpha", alpha)
    moments = {i: _moments(row.values) for i, row in enumerate(rows) if len(row.values) >= 2}
    better, worse = dict.fromkeys(moments, 0), dict.fromkeys(moments, 0)
    pairs = list(combinations(moments, 2))
    for (i, j), p in zip(pairs, holm([_welch(moments[i], moments[j]) for i, j in pairs]), strict=True):
        first = (moments[i].mean > moments[j].mean) == higher_is_better
        winner, loser = (i, j) if first else (j, i)
        if p <= alpha and rows[winner].complete:
            better[loser] += 1
            worse[winner] += 1
    return [RankRange(1 + better[i], len(moments) - worse[i]) if i in moments else None for i in range(len(rows))]


def compared_exactly(rows: Sequence[Row]) -> bool:
    """Return whether some pair of ranked rows was compared without an error, neither varying: a caption must say so."""
    return sum(_moments(row.values).sd == 0 for row in rows if len(row.values) >= 2) >= 2


def smallest_difference(seeds: int, models: int, alpha: float = 0.05) -> float | None:
    """Return the least observed gap between two means that is sure to count, in standard deviations of a score.

    It is t·√(2/seeds), with t the quantile at 1 - alpha/(2m) for m = models·(models - 1)/2 pairs and 2·(seeds - 1)
    degrees of freedom: both models of equal spread, and Holm at its strictest step. None for fewer than two seeds or
    models, where no gap can.
    """
    _check_open("alpha", alpha)
    if seeds < 2 or models < 2:
        return None
    pairs = math.comb(models, 2)
    return _t_above(alpha / pairs / 2, 2 * (seeds - 1)) * math.sqrt(2 / seeds)


# The parts -----------------------------------------------------------------------------------------------------------


class _Moments(NamedTuple):
    mean: float
    sd: float
    n: int


def _moments(values: Sequence[float]) -> _Moments:
    """Return mean, sd (0 for one value) and number.

    Sums are exact fractions, rounded once: no offset costs a digit, equal values have sd 0, and order changes nothing.
    """
    numbers = [float(value) for value in values]
    if wrong := [number for number in numbers if not math.isfinite(number)]:
        raise ValueError(f"value {wrong[0]!r}: expected finite numbers")
    if not numbers:
        raise ValueError("no values: expected at least one")
    mean = statistics.mean(numbers)
    return _Moments(mean, statistics.stdev(numbers) if len(numbers) > 1 else 0.0, len(numbers))


def _at_least_two(values: Sequence[float]) -> _Moments:
    if len(values) < 2:
        raise ValueError(f"{len(values)} value(s): expected at least two, since one tells nothing of the spread")
    return _moments(values)


def _welch(a: _Moments, b: _Moments) -> float:
    from scipy.special import stdtr

    if a.sd == b.sd == 0:
        return 1.0 if a.mean == b.mean else 0.0
    first, second = a.sd / math.sqrt(a.n), b.sd / math.sqrt(b.n)
    stderr = math.hypot(first, second)
    # Shares of the variance, so that no fourth power of an sd over- or underflows.
    u, v = (first / stderr) ** 2, (second / stderr) ** 2
    df = 1 / (u**2 / (a.n - 1) + v**2 / (b.n - 1))
    return float(2 * stdtr(df, -abs(a.mean - b.mean) / stderr))


def _t_above(tail: float, df: int) -> float:
    """Return the t that a Student's t of df degrees of freedom exceeds with probability `tail`."""
    from scipy.special import stdtrit

    return float(-stdtrit(df, tail))  # the lower tail, where a small probability keeps its digits


def _check_open(name: str, share: float) -> None:
    if not 0 < share < 1:
        raise ValueError(f"{name} {share!r}: expected a number between 0 and 1")
