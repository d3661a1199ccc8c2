"""Folds of a dataset brought together: a board over all of them, where every one was run under one protocol."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from genbench import files
from genbench.errors import RequestError
from genbench.ranking import statistics
from genbench.ranking.scores import ScoreRow
from genbench.registry import spec

MOST_FOLDS = 1000
"""More than that is no number of folds that a record can mean."""


def grouped(rows: Iterable[ScoreRow]) -> list[list[ScoreRow]]:
    """Return the rows of each board: those of one protocol, or of one on every fold of a dataset.

    Groups stand in the order in which they first come, folds in theirs.
    """
    by_protocol: dict[str, list[ScoreRow]] = {}
    for row in rows:
        by_protocol.setdefault(row.protocol_id, []).append(row)
    related: dict[str, list[list[ScoreRow]]] = {}
    for several in by_protocol.values():
        related.setdefault(_family(several[0]), []).append(several)
    return [group for groups in related.values() for group in _merged(groups)]


def parts(rows: Sequence[ScoreRow]) -> list[ScoreRow]:
    """Return the first row of each fold in a group, or of the group."""
    first: dict[str, ScoreRow] = {}
    for row in rows:
        first.setdefault(row.protocol_id, row)
    return list(first.values())


def protocol_id(ids: Sequence[str]) -> str:
    """Return the id of a protocol on one dataset, or of that on all folds of one, by those on each."""
    return ids[0] if len(ids) == 1 else files.digest(list(ids), 8)


def dataset_name(row: ScoreRow) -> str:
    """Return what a row's dataset is called whichever fold it is: tfd of tfd[fold=3]."""
    request = spec.parse(row.dataset)
    options = {name: value for name, value in request.options.items() if name != "fold"}
    return spec.format_request(replace(request, options=options), colon=True)


def whole_seeds(scores: Sequence[ScoreRow], folds: int) -> list[list[float]]:
    """Return a model's scores, seed by seed, in the order of folds; seeds that lack one are left out."""
    if folds == 1:
        return [[score.value] for score in scores if score.value is not None]
    by_seed: dict[int, list[float]] = {}
    for score in scores:
        if score.value is not None:
            by_seed.setdefault(score.trial.seed, []).append(score.value)
    return [values for _, values in sorted(by_seed.items()) if len(values) == folds]


def stderr_over_folds(seeds: Sequence[Sequence[float]]) -> float | None:
    """Return the standard error over folds of scores averaged over seeds: sd / √folds, n - 1 degrees of freedom.

    Published errors over folds may divide by n: for five folds they are then .894 of this.
    """
    return statistics.summarise([fmean(fold) for fold in zip(*seeds, strict=True)]).stderr if seeds else None


def _merged(groups: list[list[ScoreRow]]) -> list[list[ScoreRow]]:
    """Return related groups as one where they are all folds, each once; else as they are."""
    total = _folds(groups[0][0])
    by_fold = {_options(several[0])["fold"]: several for several in groups} if total > 1 else {}
    if len(groups) != total or set(by_fold) != set(range(total)):
        return groups
    return [[row for fold in range(total) for row in by_fold[fold]]]


def _family(row: ScoreRow) -> str:
    """Return what the protocols of one dataset's folds have in common, and of other datasets the protocol's id."""
    if _folds(row) == 1:
        return row.protocol_id
    return files.digest([row.metric.name, row.metric.options, row.protocol, dataset_name(row)])


def _folds(row: ScoreRow) -> int:
    """Return how many folds a row's dataset has; a record that was not written by genbench may say anything."""
    traits = row.trial.dataset.get("traits")
    declared = traits.get("folds") if isinstance(traits, Mapping) else None
    if not isinstance(declared, int) or not isinstance(_options(row).get("fold"), int):
        return 1
    with contextlib.suppress(RequestError):
        dataset_name(row)
        return declared if 1 < declared <= MOST_FOLDS else 1
    return 1


def _options(row: ScoreRow) -> Mapping[str, Any]:
    options = row.trial.dataset.get("options")
    return options if isinstance(options, Mapping) else {}
