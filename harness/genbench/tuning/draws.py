"""Configurations drawn at random from a search space by a seed, each once: a longer list begins with the shorter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from genbench.api import Range
from genbench.registry.search_space import Searched

DIGITS = 3
"""Significant digits of a number that is drawn: it can be typed, and is the same on every machine."""

MOST_REPEATS = 1000
"""Draws in a row that were there before, after which a space is taken to hold no other configuration."""

Values = Mapping[str, Any]


def draws(space: Mapping[str, Searched], seed: int) -> Iterator[Values]:
    """Yield configurations, values by option, at random by a seed, until the space has no more."""
    import numpy as np
    from sklearn.model_selection import ParameterSampler

    random = np.random.RandomState(seed)
    distributions = {name: _distribution(searched) for name, searched in space.items()}
    seen: set[str] = set()
    repeats = 0
    while repeats < MOST_REPEATS:
        drawn = next(iter(ParameterSampler(distributions, 1, random_state=random)))
        values = {name: _value(searched, drawn[name]) for name, searched in space.items()}
        repeats = repeats + 1 if repr(values) in seen else 0
        if not repeats:
            seen.add(repr(values))
            yield values


def _distribution(searched: Searched) -> Any:
    """Return what scikit-learn draws from: a distribution of scipy's, or the places of values to choose among."""
    from scipy import stats

    if not isinstance(searched.over, Range):
        return list(range(len(searched.over)))
    half = 0.5 if searched.whole else 0.0  # so that both ends are drawn as often as those between
    low, high = searched.over.low - half, searched.over.high + half
    return stats.loguniform(low, high) if searched.over.log else stats.uniform(low, high - low)


def _value(searched: Searched, drawn: Any) -> Any:
    """Return what was drawn as the option takes it, rounded, and within the range."""
    over = searched.over
    if not isinstance(over, Range):
        return over[int(drawn)]
    rounded = round(float(drawn)) if searched.whole else float(f"{float(drawn):.{DIGITS}g}")
    value = min(max(rounded, over.low), over.high)
    return int(value) if searched.whole else float(value)
