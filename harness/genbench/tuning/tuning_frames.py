"""Searches as data frames, in full precision: a row for each configuration, and the curves of expected scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from genbench.registry import spec
from genbench.tuning.tried import Tried, TunedModel, Tuning
from genbench.tuning.tuning_settings import as_typed

HEAD = (
    "model",
    "number",
    "budget",
    "score",
    "stderr",
    "seeds_done",
    "status",
    "reason",
    "fit_seconds",
    "configuration",
)
"""The columns before those of options, which have `option_` before their names."""


def configurations(tuned: Tuning) -> pd.DataFrame:
    """Return a row for each configuration and budget: of each model the best first, those without a score last."""
    options = list(dict.fromkeys(f"option_{name}" for model in tuned.models for name in model.space))
    rows = [row for model in tuned.models for row in _rows(model)]
    return pd.DataFrame(rows, columns=[*HEAD, *options])


def _rows(model: TunedModel) -> Iterator[dict[str, Any]]:
    for rung in reversed(model.rungs):
        scored = rung.best_first(model.higher_is_better)
        for tried in [*scored, *(each for each in rung.tried if each.score is None)]:
            yield _row(model.model, as_typed(rung.budget), tried)


def _row(model: str, budget: str | None, tried: Tried) -> dict[str, Any]:
    configuration = tried.configuration
    head = (
        model,
        configuration.number,
        budget,
        tried.score,
        tried.stderr,
        tried.seeds_done,
        tried.status,
        tried.reason,
        tried.seconds,
        configuration.label,
    )
    values = {f"option_{name}": _cell(value) for name, value in configuration.values.items()}
    return {**dict(zip(HEAD, head, strict=True)), **values}


def _cell(value: Any) -> Any:
    return spec.format_value(value) if isinstance(value, list) else value


def curve(tuned: Tuning) -> pd.DataFrame:
    """Return a row for each model and number of random configurations, with the expected best score and its sd."""
    columns = ["model", "configurations", "budget", "expected_best", "sd"]
    rows = [
        (model.model, each.n, as_typed(model.all_tried.budget), each.mean, each.sd)
        for model in tuned.models
        for each in model.curve
    ]
    return pd.DataFrame(rows, columns=columns)
