"""Searches performed: every configuration an ordinary trial of an ordinary run, against validation images."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass

from genbench.data.folders import cache_folder
from genbench.engines.schedule import Watcher
from genbench.errors import RequestError
from genbench.files import digest
from genbench.ranking.board import BoardRow
from genbench.ranking.recorded import RecordedMetric
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolver
from genbench.runs import execution, planning
from genbench.runs.planning import Plan
from genbench.runs.report import Report
from genbench.trial.identity import Budget
from genbench.tuning.configurations import Candidates, Configuration, candidates
from genbench.tuning.tried import Rung, Tried, TunedModel, status_of
from genbench.tuning.tuned import Tuned
from genbench.tuning.tuning_settings import TuningSettings


@dataclass(frozen=True)
class Step:
    """A rung about to be performed: its plan, and its configurations by the identity of their models."""

    plan: Plan
    budget: Budget
    entries: Sequence[tuple[str, Sequence[Configuration]]]

    @property
    def names(self) -> dict[str, str]:
        """Return the names of the trials that are to be done, by id: "gan #12 s0"."""
        known = {c.identity: f"{model} #{c.number}" for model, several in self.entries for c in several}
        return {t.id: f"{known[digest(t.model.identity)]} s{t.seed}" for t in self.plan.todo}


Watching = Callable[[Step], AbstractContextManager[Watcher | None]]


def search(settings: TuningSettings) -> list[Candidates]:
    """Return the configurations of each model. Raises RequestError for whatever cannot be tuned."""
    settings.check()
    resolver = Resolver(load_registry(), cache_folder())
    return [candidates(resolver, text, settings.trials, settings.seed) for text in settings.models]


def planned(settings: TuningSettings, entries: Sequence[tuple[str, Sequence[Configuration]]], budget: Budget) -> Step:
    """Return a rung of some configurations of each model, planned."""
    labels = [configuration.label for _, several in entries for configuration in several]
    if not labels:
        raise RequestError("no configuration is left to train: all are refused by their models. See: genbench show")
    return Step(planning.plan(settings.of_rung(labels, budget)), budget, entries)


def tuned(settings: TuningSettings, found: Sequence[Candidates], watching: Watching) -> Tuned:
    """Perform searches, rung by rung, all models on a rung together, and return what they came to."""
    started = time.perf_counter()
    metric, dataset = RecordedMetric(name="", label=""), ""
    left: list[list[Configuration]] = [each.usable for each in found]
    done: list[list[Rung]] = [[] for _ in found]
    for rung in settings.rungs():
        left = [several[: rung.count] for several in left]
        if done[0] and not any(left):
            break
        names = [each.model for each in found]
        step = planned(settings, list(zip(names, left, strict=True)), rung.budget)
        with watching(step) as watcher:
            report = execution.execute(step.plan, watcher)
        metric, dataset = _metric(step.plan), step.plan.grid.datasets[0].resolved.label
        rows = _rows(report)
        for place, several in enumerate(left):
            tried = [_tried(each, rows, len(settings.seeds)) for each in several]
            refused = [_refused(each) for each in found[place].configurations if each.problem and not done[place]]
            done[place].append(Rung(rung.budget, [*tried, *refused], _protocol(step.plan)))
            left[place] = [each.configuration for each in done[place][-1].best_first(metric.higher_is_better)]
    models = [
        TunedModel(each.model, each.space, several, metric.higher_is_better)
        for each, several in zip(found, done, strict=True)
    ]
    return Tuned(models, metric, dataset, settings, time.perf_counter() - started)


def _metric(plan: Plan) -> RecordedMetric:
    return RecordedMetric.read(asdict(plan.grid.datasets[0].metrics[0]))


def _protocol(plan: Plan) -> str:
    protocol = plan.grid.protocols(plan.grid.datasets[0].digest)[0]
    return f"{protocol.metric.label} {protocol.id}: {protocol.in_words()}"


def _rows(report: Report) -> dict[str, BoardRow]:
    """Return the rows of a report by the identity of their models."""
    rows = [row for board in report.boards for row in board.rows if row.scores]
    return {digest(row.scores[0].trial.identity["model"]): row for row in rows}


def _tried(configuration: Configuration, rows: Mapping[str, BoardRow], seeds: int) -> Tried:
    row = rows.get(configuration.identity)
    if row is None:
        return Tried(configuration, None, status="interrupted")
    is_whole = row.summary is not None and row.seeds_done >= seeds
    own = row.stderr_examples if row.stderr_examples is not None else row.stderr_metric
    return Tried(
        configuration,
        row.summary.mean if row.summary and is_whole else None,
        row.stderr if seeds > 1 else own,
        row.seeds_done,
        status_of(row.statuses, seeds, row.seeds_done),
        row.reasons[0] if row.reasons else "",
        row.mean_of("fit"),
    )


def _refused(configuration: Configuration) -> Tried:
    return Tried(configuration, None, status="refused", reason=configuration.problem)


def unwatched(step: Step) -> AbstractContextManager[Watcher | None]:
    """Watch nothing."""
    return contextlib.nullcontext()
