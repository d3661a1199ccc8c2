"""The grid of trials that a run asks for, and what of it the store does not hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genbench.errors import DamagedError
from genbench.registry.resolve import Resolved
from genbench.store.store import Contents, Store
from genbench.trial.identity import LAST, NO_BUDGET, Budget, Target, TrialSpec
from genbench.trial.protocol import Protocol, is_scored
from genbench.trial.sources import Source

SETTLED = ("diverged", "failed", "out-of-memory")
"""Statuses that a trial keeps until --fresh: doing it again would end the same."""


@dataclass(frozen=True)
class Dataset:
    """A dataset of the grid: as resolved, the digest of its content, and the metrics as they are on it."""

    resolved: Resolved
    digest: str
    metrics: Sequence[Resolved]


@dataclass(frozen=True)
class Grid:
    """All that a run asks for: every model on every dataset with every seed, scored by every metric.

    given are images made elsewhere, each source with as many seeds as it has files, the first ones; resized says how.
    """

    models: Sequence[Resolved]
    datasets: Sequence[Dataset]
    seeds: Sequence[int]
    target: Target = "test"
    budget: Budget = NO_BUDGET
    select: str = LAST
    given: Sequence[Source] = ()
    resized: str = ""

    def trials(self) -> list[TrialSpec]:
        """Return the trials, seed by seed, so that an interrupted run has compared all models on some seeds."""
        return [
            TrialSpec(model, data.resolved, data.digest, seed, self.budget, self._rule(model))
            for data in self.datasets
            for seed in self.seeds
            for model in (*self._given(seed), *self.models)
        ]

    def _rule(self, model: Resolved) -> str:
        """Return the rule that a model's state is selected by; a reference is no training that could be looked into."""
        return LAST if _is_reference(model) else self.select

    def _given(self, seed: int) -> list[Resolved]:
        return [source.seeds[seed] for source in self.given if seed < len(source.seeds)]

    def seeds_of(self, model: Mapping[str, Any]) -> int:
        """Return how many seeds a model is to have, by its identity."""
        own = [len(source.seeds) for source in self.given if source.seeds[0].identity == model]
        return own[0] if own else len(self.seeds)

    def protocols(self, dataset_digest: str) -> list[Protocol]:
        """Return the protocols that trials on a dataset are scored under."""
        metrics = self.metrics(dataset_digest)
        return [Protocol(metric, dataset_digest, self.target, self.budget, self.resized) for metric in metrics]

    def metrics(self, dataset_digest: str) -> Sequence[Resolved]:
        """Return the metrics of a dataset, each with the extractor that it uses there."""
        return next(data.metrics for data in self.datasets if data.digest == dataset_digest)


def missing(grid: Grid, store: Store, fresh: str = "", fresh_scores: bool = False) -> list[TrialSpec]:
    """Return the trials of which the store does not hold every stage, whole; trained under a mark, if one is given.

    With fresh_scores, no score counts as stored.

    Raises StoreError where what lies in a trial's place is nothing that genbench wrote: it is not touched.
    """
    contents = store.read()
    return [
        trial
        for trial in grid.trials()
        if not _is_complete(contents, trial.id, grid.protocols(trial.dataset_digest), fresh, fresh_scores)
    ]


def _is_complete(
    contents: Contents, trial_id: str, protocols: Sequence[Protocol], fresh: str, fresh_scores: bool
) -> bool:
    try:
        found = contents.find(trial_id)
    except DamagedError:
        return False
    if found is None or found[0].damage(found[1]):
        return False
    record = found[1]
    if (fresh and record.fresh != fresh) or (fresh_scores and "fit" in record.stages):
        return False
    if record.status in SETTLED:
        return all(protocol.stage in record.wanted for protocol in protocols)
    return record.status == "done" and all(is_scored(record, protocol) for protocol in protocols)


def describe(grid: Grid) -> str:
    """Return the grid in a line: "6 trials: gan, vae x seeds 0 1 2"."""
    given = [f"{source.name} ({len(source.seeds)})" for source in grid.given]
    parts = [", ".join([*given, *(model.label for model in grid.models if not _is_reference(model))])]
    references = sum(map(_is_reference, grid.models))
    if references:
        parts.append(f"{references} {'reference' if references == 1 else 'references'}")
    names = " and ".join(filter(None, parts))
    seeds = " ".join(str(seed) for seed in grid.seeds)
    where = f" on {', '.join(d.resolved.label for d in grid.datasets)}" if len(grid.datasets) > 1 else ""
    count = len(grid.trials())
    trials, seed = "trial" if count == 1 else "trials", "seed" if len(grid.seeds) == 1 else "seeds"
    return f"{count} {trials}: {names}{where} x {seed} {seeds}"


def _is_reference(model: Resolved) -> bool:
    return bool(model.traits["role"] == "reference")
