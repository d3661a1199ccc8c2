"""What models can do and what they cost, as measured, beside what a source says of their families in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from genbench.ranking.board import Board, BoardRow
from genbench.ranking.claims import Family
from genbench.ranking.scores import ScoreRow
from genbench.store.bounds import MOST
from genbench.store.records import TrialRecord

DENSITIES: tuple[tuple[str, frozenset[str]], ...] = (
    ("exact", frozenset({"log_prob"})),
    ("bound", frozenset({"bound"})),
    ("bound", frozenset({"log_weights"})),
    ("AIS", frozenset({"log_partition", "energy"})),
    ("AIS", frozenset({"log_partition", "energy_bound"})),
    ("AIS", frozenset({"log_joint", "latents"})),
)
"""How p(x) can be evaluated, and the abilities that it takes, the exact way first."""

FROM_SAMPLES = "Parzen"
"""How p(x) can be guessed at of any model that samples."""


@dataclass(frozen=True)
class Capability:
    """What the trials of a model on a dataset took, and what it can do; None where nothing of it is recorded.

    inference says whether it has codes for images (`encode`), density how its p(x) can be evaluated,
    chain whether its samples come from a Markov chain. ess is the effective sample size.
    """

    model: str
    dataset: str
    kind: str
    family: Family | None
    trials: int
    fit_seconds: float | None
    samples_per_second: float | None
    ess: float | None
    inference: bool | None
    density: str | None
    chain: bool | None


def capabilities(boards: Sequence[Board], families: Sequence[Family] = ()) -> list[Capability]:
    """Return a row per dataset and model, references too, in the order of the boards that they come in first.

    Of what made images elsewhere nothing is known: they have none.
    """
    rows: dict[tuple[str, str], list[BoardRow]] = {}
    for board in boards:
        for row in board.rows:
            if row.scores and not row.is_given:
                rows.setdefault((board.dataset, row.model), []).append(row)
    return [_capability(dataset, several, families) for (dataset, _), several in rows.items()]


def _capability(dataset: str, rows: Sequence[BoardRow], families: Sequence[Family]) -> Capability:
    scores = [score for row in rows for score in row.scores]
    trials = list({score.trial.id: score.trial for score in scores}.values())
    model = scores[0].model
    abilities = model.abilities
    return Capability(
        model=rows[0].model,
        dataset=dataset,
        kind=rows[0].kind,
        family=next((family for family in families if family.has(model.label)), None),
        trials=len(trials),
        fit_seconds=rows[0].mean_of("fit") if rows[0].is_pretrained else _mean(_fit_seconds(trials)),
        samples_per_second=_mean([rate for t in trials if (rate := _rate(t)) is not None]),
        ess=_mean([size for s in scores if (size := _ess(s)) is not None]),
        inference=None if abilities is None else "encode" in abilities,
        density=None if abilities is None else _density(abilities),
        chain=None if model.family is None else model.family == "chain",
    )


def _density(abilities: Sequence[str]) -> str:
    """Return how p(x) can be evaluated: exactly, or else in every way there is but by samples, which come last.

    A log_prob beside a log_partition is not exact: the normaliser in it was learned.
    """
    ways = list(dict.fromkeys(word for word, needed in DENSITIES if needed <= set(abilities)))
    if "exact" in ways and "log_partition" not in abilities:
        return "exact"
    return " or ".join("learned" if way == "exact" else way for way in ways) or FROM_SAMPLES


def _fit_seconds(trials: Sequence[TrialRecord]) -> list[float]:
    return [trial.stages["fit"].seconds for trial in trials if "fit" in trial.stages]


def _rate(trial: TrialRecord) -> float | None:
    """Return how many samples a trial drew per second, over all that it drew, burn-in included."""
    stage = trial.stages.get("samples")
    if stage is None or stage.seconds <= 0:
        return None
    batch, batches = (_number(stage.details, name) for name in ("batch", "batches"))
    rate = (batch or 0.0) * (batches or 0.0) / stage.seconds
    return rate if 0 < rate < MOST else None


def _ess(score: ScoreRow) -> float | None:
    """Return the effective number of samples that a metric reported or a trial's stages recorded."""
    details = [score.extras or {}, *(stage.details for stage in score.trial.stages.values())]
    return next((size for found in details if (size := _number(found, "effective_samples")) is not None), None)


def _number(found: Mapping[str, Any], name: str) -> float | None:
    value = found.get(name)
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if plain and abs(value) < MOST else None  # type: ignore[arg-type]


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
