"""The calls behind the command line, which are the Python API too: run, load_results, leaderboard."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec

from genbench import suites
from genbench.api import Engine
from genbench.data.folders import cache_folder
from genbench.data.prepare import Prepared, prepare
from genbench.engines.place import Where, existing, place
from genbench.engines.plan import Conditions, Dataset, Grid, missing, task
from genbench.engines.schedule import Outcome, Settle, Silent, Watcher, perform_all
from genbench.errors import GenbenchError, RequestError, StoreError
from genbench.files import write_text
from genbench.ranking import claims, frames
from genbench.ranking.board import Board, boards
from genbench.ranking.scores import Collected, ScoreRow, collect
from genbench.ranking.verdicts import Verdict, verdicts
from genbench.registry import names
from genbench.registry.extraction import with_extractor
from genbench.registry.overrides import Overrides
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolved, Resolver
from genbench.store.store import Store
from genbench.trial.protocol import Protocol
from genbench.trial.spec import LAST, NO_BUDGET, Budget, Target, TrialSpec, parse_selection

if TYPE_CHECKING:
    import pandas as pd

    from genbench.output.tensorboard import TensorBoard

REFERENCE = ("train-data", "gaussian", "kmeans", "pca")
"""The reference rows that are shown unless others, or none, are asked for."""

METRICS, DATASETS = ("parzen",), ("digits",)
"""What is scored by and on, unless something else is asked for."""

DEFAULT_SEEDS = 3


# Planning ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """A run made ready: the grid, its datasets prepared, and the trials that the store does not hold.

    notes say what was decided that could have been meant otherwise.
    """

    grid: Grid
    data: Sequence[Prepared]
    claims: Sequence[claims.Claim]
    todo: Sequence[TrialSpec]
    store: Store
    engine: Resolved
    conditions: Conditions
    timeout: float | None = None
    tensorboard: bool = False
    notes: Sequence[str] = ()


def plan(
    models: Sequence[str] | str | None = None,
    metrics: Sequence[str] | str | None = None,
    datasets: Sequence[str] | str | None = None,
    *,
    suite: str | None = None,
    seeds: int | Sequence[int] | None = None,
    reference: Sequence[str] | str | None = None,
    against: Sequence[str] | str | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    samples: int | None = None,
    size: int | None = None,
    budget: str | None = None,
    select: str | None = None,
    target: Target = "test",
    results: str | os.PathLike[str] = "results",
    device: str = "auto",
    threads: int = 1,
    engine: str | None = None,
    jobs: int | None = None,
    timeout: float | None = None,
    checkpoint_every: float = 10.0,
    fresh: bool = False,
    tensorboard: bool = False,
) -> Plan:
    """Return what a run would do, with its data prepared; nothing is written to the results.

    What is given wins over the suite, and the suite over the defaults: digits, parzen, 3 seeds, the reference rows.
    timeout bounds the seconds of each trial, checkpoint_every those between two checkpoints. With tensorboard, what
    TensorBoard shows is written beside the trials.
    Raises RequestError, PluginError or DataError for whatever cannot be run, before anything trains.
    """
    where = Where(results, device, threads, engine, jobs, timeout, checkpoint_every, fresh, tensorboard)
    where.check_seconds()
    if tensorboard and find_spec("tensorboard") is None:
        raise RequestError("--tensorboard: tensorboard is not installed; run: python -m pip install tensorboard")
    base = suites.load(suite) if suite is not None else suites.Suite(name="")
    resolver = Resolver(load_registry(), cache_folder())
    chosen = _merge(base.options, options or {})
    overrides = Overrides(resolver, chosen, samples if samples is not None else base.samples, size)
    all_models = overrides.resolve("model", _all_models(models, reference, base))
    all_metrics = overrides.resolve("metric", metric_texts(metrics, base.metrics, resolver))
    sources = overrides.resolve("dataset", texts("datasets", datasets, base.datasets, DATASETS))
    overrides.check_used()
    bound = budget if budget is not None else base.budget
    numbered = _seeds(seeds, base.seeds)
    limit = NO_BUDGET if bound is None else Budget.parse(bound)
    rule = parse_selection(select if select is not None else base.select or LAST)
    compared = claims.load(texts("against", against, base.against, ()), resolver)
    where = where.on_existing_device()
    data = [prepare(source.instantiate(), source.identity) for source in sources]
    pairs = [with_metrics(resolver, all_metrics, *each) for each in zip(sources, data, strict=True)]
    grid = Grid(all_models, pairs, numbered, target, limit, rule)
    return made_ready(resolver, grid, data, compared, where)


def made_ready(
    resolver: Resolver, grid: Grid, data: Sequence[Prepared], compared: Sequence[claims.Claim], where: Where
) -> Plan:
    """Return the plan of a grid: what the store does not hold, and the engine for that."""
    store = Store(Path(where.results))
    store.check_writable()
    mark = (store.fresh_mark() or secrets.token_hex(4)) if where.fresh else ""
    todo = missing(grid, store, mark)
    # what is finished must not wait for torch
    device = existing(where.device) if todo and where.device == "auto" else where.device
    conditions = Conditions(device, where.threads, where.checkpoint_every, mark)
    engine = place(resolver, where.engine, where.jobs, conditions, len(todo), where.timeout)
    return Plan(grid, data, compared, todo, store, engine, conditions, where.timeout, where.tensorboard)


def with_metrics(resolver: Resolver, metrics: Sequence[Resolved], source: Resolved, data: Prepared) -> Dataset:
    """Return a dataset of the grid, with the metrics as they are on it; two that come to the same are one."""
    found = [with_extractor(resolver, metric, data.space, data.digest) for metric in metrics]
    return Dataset(source, data.digest, list({metric.label: metric for metric in found}.values()))


def texts(
    what: str, given: Sequence[str] | str | None, suite: Sequence[str] | None, default: Sequence[str]
) -> list[str]:
    """Return the first that is not None, texts with commas taken apart. Raises RequestError where they are blank."""
    chosen = given if given is not None else suite if suite is not None else default
    several = [chosen] if isinstance(chosen, str) else list(chosen)
    parts = [part for text in several for part in names.split(text)]
    if several and not parts and what != "models":  # that no model is named, plan says better
        raise RequestError(f"{what} {', '.join(several)!r} is blank; expected names, or leave it out")
    return parts


def metric_texts(metrics: Sequence[str] | str | None, suite: Sequence[str] | None, resolver: Resolver) -> list[str]:
    """Return the metrics asked for, `all` taken apart."""
    wanted = texts("metrics", metrics, suite, METRICS)
    return [name for text in wanted for name in (_for_any_images(resolver) if text == "all" else [text])]


def _for_any_images(resolver: Resolver) -> list[str]:
    """Return the metrics that `all` stands for; one that cannot be loaded, as `genbench plugins` tells, is none."""
    found: list[str] = []
    for name in dict.fromkeys(entry.name for entry in resolver.registry.entries("metric")):
        with contextlib.suppress(GenbenchError):
            found += [name] if resolver.resolve("metric", name).traits["for_any_images"] else []
    return found


def _all_models(
    models: Sequence[str] | str | None, reference: Sequence[str] | str | None, base: suites.Suite
) -> list[str]:
    """Return the models asked for, and the reference rows. Raises RequestError where no model is."""
    wanted = texts("models", models, base.models, ())
    if not wanted:
        raise RequestError("no model given; expected --models NAME or a suite. See: genbench list models")
    return wanted + references(reference, base.reference)


def references(given: Sequence[str] | str | None, suite: Sequence[str] | None = None) -> list[str]:
    """Return the reference rows asked for; "none" asks for none."""
    return [name for name in texts("reference", given, suite, REFERENCE) if name != "none"]


def _seeds(given: int | Sequence[int] | None, suite: list[int] | None) -> list[int]:
    if given is None:
        return suite or list(range(DEFAULT_SEEDS))
    return suites.check_seeds(given if isinstance(given, int) else list(given), "seeds")


def _merge(*layers: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    merged: dict[str, dict[str, Any]] = {}
    for layer in layers:
        for plugin, given in layer.items():
            merged.setdefault(plugin, {}).update(given)
    return merged


# Running -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Report:
    """What a run came to: its boards, how the trials ended that it performed, and how long it took.

    total counts the rows of leaderboard.csv and the trials of the whole results folder.
    """

    plan: Plan
    boards: Sequence[Board]
    outcomes: Mapping[str, Outcome]
    seconds: float
    total: tuple[int, int]
    damaged: Sequence[str]

    @property
    def leaderboard(self) -> pd.DataFrame:
        """Return the boards as a data frame, in the columns of leaderboard.csv."""
        return frames.leaderboard(self.boards)

    @property
    def verdicts(self) -> list[Verdict]:
        """Return what became of each published number that the run was held against."""
        return verdicts(self.boards, self.plan.claims)

    @property
    def against(self) -> pd.DataFrame:
        """Return the verdicts on published numbers as a data frame: one per claim, or per model it is held against."""
        return frames.verdicts(self.verdicts)

    @property
    def failed(self) -> int:
        """Return how many scores that were asked for are missing, refusals of a metric apart."""
        lacking = Counter[str]()
        for board in self.boards:
            for row in board.rows:
                lacking.update(row.statuses)
        missing = sum(count for status, count in lacking.items() if status != "skipped")
        return missing + len(self._outdone)

    @property
    def notes(self) -> list[str]:
        """Return what was noted on the way: damage that was repaired."""
        return [*(note for outcome in self.outcomes.values() for note in outcome.notes), *self._outdone]

    @property
    def _outdone(self) -> list[str]:
        """Return the trials that were to be trained anew, were not, and stand in the tables with their old results."""
        names = {trial.id: str(trial) for trial in self.plan.todo} if self.plan.conditions.fresh else {}
        return [
            f"{names[trial]}: {outcome.status}: {outcome.reason}; its old results, if any, are kept"
            for trial, outcome in self.outcomes.items()
            if trial in names and outcome.status != "done"
        ]


def execute(planned: Plan, watcher: Watcher | None = None) -> Report:
    """Perform a plan, bring the CSV files up to date and return the report."""
    started = time.perf_counter()
    engine: Engine = planned.engine.instantiate()
    tasks = [task(trial, planned.grid, planned.store.root, planned.conditions) for trial in planned.todo]
    store = planned.store
    if planned.conditions.fresh and tasks:
        store.keep_fresh_mark(planned.conditions.fresh)
    board = _tensorboard(planned, watcher or Silent()) if planned.tensorboard else None
    try:
        outcomes = perform_all(engine, tasks, board or watcher or Silent(), _settler(planned), planned.timeout)
        if board:
            board.finish()
    except BaseException:
        with contextlib.suppress(StoreError):  # what went wrong first is what is told
            _write_tables(Store(planned.store.root))
        raise
    finally:
        if board:
            board.close()
    if planned.conditions.fresh:
        store.keep_fresh_mark("")
    collected = _write_tables(Store(store.root))
    return Report(
        plan=planned,
        boards=_boards_of(planned, collected),
        outcomes=outcomes,
        seconds=time.perf_counter() - started,
        total=(len(frames.leaderboard(boards(collected.rows))), len({row.trial.id for row in collected.rows})),
        damaged=[*collected.damaged, *(board.damaged if board else ())],
    )


def _tensorboard(planned: Plan, watcher: Watcher) -> TensorBoard:
    """Return what passes on to a watcher what it is told, and writes it for TensorBoard."""
    from genbench.output.tensorboard import TensorBoard

    spaces = {dataset.digest: data.space for dataset, data in zip(planned.grid.datasets, planned.data, strict=True)}
    return TensorBoard(planned.store, planned.grid.trials(), spaces, watcher)


def _settler(planned: Plan) -> Settle:
    """Return what keeps in a trial's folder how it ended, where its worker could not."""
    folders = {trial.id: planned.store.folder(trial.id, trial.folder_name) for trial in planned.todo}
    return lambda trial, outcome, stage: folders[trial].settle(outcome.status, outcome.reason, stage)


P = ParamSpec("P")


def executed(planner: Callable[P, Plan], name: str, does: str) -> Callable[P, Report]:
    """Return the call that makes a plan and executes it."""

    def call(*args: P.args, **kwargs: P.kwargs) -> Report:
        return execute(planner(*args, **kwargs))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = does
    return call


run = executed(
    plan,
    "run",
    """Train, score and rank; takes what `genbench.bench.plan` takes, and raises what it raises.

    `genbench.run(models="gan,vae", seeds=5).leaderboard` is a data frame.
    """,
)


def _boards_of(planned: Plan, collected: Collected) -> list[Board]:
    """Return the boards of the trials and protocols that were asked for, in the order asked for."""
    grid = planned.grid
    trials = {trial.id: trial for trial in reversed(grid.trials())}
    by_metric = zip_longest(*(grid.protocols(data.digest) for data in grid.datasets))
    order = {protocol.id: protocol for several in by_metric for protocol in several if protocol}
    rows = [
        _as_asked(row, trials[row.trial.id], order[row.protocol_id])
        for row in collected.rows
        if row.trial.id in trials and row.protocol_id in order
    ]
    rows.sort(key=lambda row: list(order).index(row.protocol_id))
    return boards(rows, planned.claims, planned=lambda row: grid.seeds_of(row.trial.identity["model"]))


def _as_asked(row: ScoreRow, trial: TrialSpec, protocol: Protocol) -> ScoreRow:
    """Return a stored row as it was asked for: the same file, or the same data, may have lain elsewhere then."""
    model = {**row.model, "label": trial.model.label, "target": trial.model.target}
    record = replace(row.trial, model=model, dataset={**row.trial.dataset, "label": trial.dataset.label})
    return replace(row, trial=record, metric={**row.metric, "label": protocol.metric.label})


def _write_tables(store: Store) -> Collected:
    """Write leaderboard.csv and trials.csv from the store, always whole; return what the store holds."""
    from genbench.output.tables_csv import to_csv

    collected = collect(store)
    if store.trials.is_dir():
        write_text(store.root / "leaderboard.csv", to_csv(frames.leaderboard(boards(collected.rows))))
        write_text(store.root / "trials.csv", to_csv(frames.trials(collected.rows)))
    return collected


# Reading -------------------------------------------------------------------------------------------------------------


class Results(NamedTuple):
    """What a results folder holds, as data frames: a row per model and protocol, and a row per trial and protocol."""

    leaderboard: pd.DataFrame
    trials: pd.DataFrame


def load_results(path: str | os.PathLike[str] = "results") -> Results:
    """Return the leaderboard and the trials of a results folder. Raises StoreError where there are none."""
    store = Store(Path(path))
    store.check_readable()
    collected = collect(store)
    return Results(frames.leaderboard(boards(collected.rows)), frames.trials(collected.rows))


def load_verdicts(
    against: Sequence[str] | str = "goodfellow2014", path: str | os.PathLike[str] = "results"
) -> pd.DataFrame:
    """Return published numbers held against a results folder: a row per claim, or per model it is held against.

    Raises RequestError for unknown claims, StoreError where there are no results.
    """
    compared = published(texts("against", against, None, ()))
    return frames.verdicts(verdicts(stored_boards([path], compared)[0], compared))


def published(wanted: Sequence[str]) -> list[claims.Claim]:
    """Return the published numbers in claims files by name. Raises RequestError for an unknown one."""
    return claims.load(wanted, Resolver(load_registry(), cache_folder())) if wanted else []


def stored_boards(
    paths: Sequence[str | os.PathLike[str]], compared: Sequence[claims.Claim] = ()
) -> tuple[list[Board], list[str]]:
    """Return the boards of all scores in results folders, and what is wrong with folders that could not be read.

    A trial that lies in several folders counts once. Raises StoreError where its scores differ.
    """
    rows: dict[tuple[str, str], Any] = {}
    damaged: list[str] = []
    for path in paths:
        store = Store(Path(path))
        store.check_readable()
        collected = collect(store)
        damaged += collected.damaged
        for row in collected.rows:
            known = rows.setdefault((row.trial.id, row.protocol_id), row)
            if known.value is not None and row.value is not None and known.value != row.value:
                raise StoreError(
                    f"trial {row.trial.id} has different scores for {row.metric['label']} in the folders given: "
                    f"{known.value} and {row.value}; give one of the folders"
                )
    return boards(rows.values(), compared), damaged
