"""Which options mattered: how much worse a forest predicts held-out configurations once an option is shuffled."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genbench.api import Range
from genbench.registry.search_space import Searched
from genbench.tuning.tried import Tried, TunedModel

LEAST = 16
"""Fewer configurations say nothing of several options."""

FOLDS, TREES, SHUFFLES = 4, 50, 5

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Importance:
    """share is how much of the variance of ranks is no longer predicted without the option, sd that over folds.

    rank_correlation is Spearman's of the option with how good the score is, None for one whose values are in no order;
    best is then the value with the best median rank.
    """

    option: str
    share: float
    sd: float
    rank_correlation: float | None
    best: Any = None


@dataclass(frozen=True)
class Importances:
    """The options of a model, the most important first; predicted is the part of the variance of ranks, 1 for all."""

    of: Sequence[Importance]
    predicted: float
    configurations: int


def importances(model: TunedModel, seed: int = 0) -> Importances | None:
    """Return which options mattered by all configurations of the first rung, or None where these are too few.

    Scores count by their ranks, so that a training that went astray weighs no more than a bad one; configurations
    that a model failed on share the worst rank.
    """
    tried = [each for each in model.all_tried.tried if each.status != "refused"]
    if len(tried) < LEAST or len({each.score for each in tried}) < LEAST // 2:
        return None
    goodness = _ranks(tried, model.higher_is_better)
    names = list(model.space)
    x = np.stack([_encoded(model.space[name], tried) for name in names], axis=1)  # (n, options)
    gained, predicted = _shuffled(x, goodness, seed)
    found = [
        Importance(
            name,
            gained[:, i].mean(),
            gained[:, i].std(ddof=1),
            *_direction(model.space[name], tried, x[:, i], goodness),
        )
        for i, name in enumerate(names)
    ]
    return Importances(sorted(found, key=lambda each: -each.share), predicted, len(tried))


def _ranks(tried: Sequence[Tried], higher_is_better: bool) -> Array:
    """Return ranks of scores, the greatest for the best, of mean 0 and variance 1."""
    from scipy import stats

    sign = 1.0 if higher_is_better else -1.0
    values = [-math.inf if each.score is None else sign * each.score for each in tried]
    ranks = np.asarray(stats.rankdata(values), dtype=np.float64)
    return (ranks - ranks.mean()) / ranks.std()  # type: ignore[no-any-return]


def _encoded(searched: Searched, tried: Sequence[Tried]) -> Array:
    """Return an option's values as numbers, (n,): themselves, or their places among those to choose among."""
    values = [each.configuration.values[searched.name] for each in tried]
    if isinstance(searched.over, Range):
        return np.array([float(value) for value in values])
    places = [*searched.over, *(value for value in values if value not in searched.over)]  # the default may be another
    return np.array([float(places.index(value)) for value in values])


def _shuffled(x: Array, y: Array, seed: int) -> tuple[Array, float]:
    """Return by how much the squared error grows, (folds, options), and what part of the variance is predicted."""
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance
    from sklearn.model_selection import KFold

    gained, errors = [], np.empty_like(y)
    for fit, held in KFold(FOLDS, shuffle=True, random_state=seed).split(x):
        forest = RandomForestRegressor(TREES, random_state=seed).fit(x[fit], y[fit])
        errors[held] = (forest.predict(x[held]) - y[held]) ** 2
        worse = permutation_importance(
            forest, x[held], y[held], scoring="neg_mean_squared_error", n_repeats=SHUFFLES, random_state=seed
        )
        gained.append(worse.importances_mean)
    return np.stack(gained), 1.0 - float(errors.mean())


def _direction(searched: Searched, tried: Sequence[Tried], x: Array, y: Array) -> tuple[float | None, Any]:
    """Return the rank correlation of an option whose values have an order, or the value that did best."""
    from scipy import stats

    values = [each.configuration.values[searched.name] for each in tried]
    if isinstance(searched.over, Range) or all(_is_number(value) for value in searched.over):
        numbers = np.array([float(value) for value in values])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", stats.ConstantInputWarning)
            correlation = float(stats.spearmanr(numbers, y).statistic)
        return (None if math.isnan(correlation) else correlation), None
    medians = {place: float(np.median(y[x == place])) for place in np.unique(x)}
    best = max(medians, key=lambda place: medians[place])
    return None, values[int(np.flatnonzero(x == best)[0])]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
