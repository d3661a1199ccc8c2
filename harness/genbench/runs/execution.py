"""The calls behind the command line, which are the Python API too: run, load_results, leaderboard."""

from __future__ import annotations

import contextlib
import pathlib
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

from genbench.api import Engine, Task
from genbench.data.folders import cache_folder
from genbench.engines.schedule import Outcome, Settle, Silent, Watcher, perform_all
from genbench.errors import GenbenchError, StoreError, printable
from genbench.files import write_text
from genbench.ranking import claims, frames
from genbench.ranking.board import Board, boards
from genbench.ranking.scores import Collected, ScoreRow, collect
from genbench.ranking.verdicts import Verdict, verdicts
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolver
from genbench.runs import arguments
from genbench.runs.arguments import Datasets, Metrics, Models, Path
from genbench.runs.grid import task
from genbench.runs.planning import Plan, plan, texts
from genbench.store import plans
from genbench.store.layout import Keep
from genbench.store.store import Store
from genbench.trial.identity import Target, TrialSpec
from genbench.trial.protocol import Protocol

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from genbench.output.tensorboard import TensorBoard


@dataclass(frozen=True, repr=False)
class Report:
    """What a run came to: its boards, how the trials ended that it performed, and how long it took.

    Printed, it is the tables that the command prints; in a notebook too.
    total counts the rows of leaderboard.csv and the trials of the whole results folder; damaged says which of its
    folders could not be read; remarks say which trials lie in several, and what could not be let go of.
    """

    plan: Plan
    boards: Sequence[Board]
    outcomes: Mapping[str, Outcome]
    seconds: float
    total: tuple[int, int]
    damaged: Sequence[str]
    remarks: Sequence[str] = ()

    def __repr__(self) -> str:
        """Return the tables as text."""
        from genbench.output.board_table import tables
        from genbench.output.terminal import as_text

        return as_text(tables(self.boards))

    def _repr_html_(self) -> str:
        """Return the tables as a notebook shows them."""
        from genbench.output.board_table import table
        from genbench.output.tables_html import to_html

        return to_html([table(board) for board in self.boards])

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
        """Return what was noted on the way: damage that was repaired, old results that were kept, and remarks."""
        repaired = (note for outcome in self.outcomes.values() for note in outcome.notes)
        return [*repaired, *self._outdone, *self.remarks]

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
    store = planned.store
    tasks = [_task(trial, planned) for trial in planned.todo]
    if planned.conditions.fresh and tasks:
        store.keep_fresh_mark(planned.conditions.fresh)
    board = _tensorboard(planned, watcher or Silent()) if planned.tensorboard else None
    watched = board or watcher or Silent()
    try:
        ahead = {trial.id: str(trial) for trial in planned.todo}
        with plans.announced(store.root, ahead) if ahead else contextlib.nullcontext(_nothing) as over:
            outcomes = perform_all(engine, tasks, _Announcing(watched, over), _settler(planned), planned.timeout)
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
        remarks=[*collected.notes, *_drop(planned)],
    )


def _drop(planned: Plan) -> list[str]:
    """Let go of what is not to be kept of the trials that were finished before; of the others their workers do.

    Returns what came in the way.
    """
    keep = planned.conditions.keep
    if keep == "all":
        return []
    notes = []
    stored = {trial.id for trial in planned.grid.trials()} - {trial.id for trial in planned.todo}
    for folder, record in (
        copy for id, copies in planned.store.read().trials.items() if id in stored for copy in copies
    ):
        if set(record.bulk(keep)) - set(record.dropped):
            try:
                folder.drop_under_lock(keep)
            except GenbenchError as error:
                notes.append(f"not let go of: {printable(error)}")
    return notes


def _nothing(trial: str) -> None:
    """Do nothing: where nobody was told that a trial is ahead, nobody need be told that it is over."""


class _Announcing:
    """Passes on what a watcher is told, and takes each trial that is over out of what the run has yet to do."""

    def __init__(self, watcher: Watcher, over: Callable[[str], None]) -> None:
        self.started = watcher.started
        self.beat = watcher.beat
        self.stopping = watcher.stopping
        self._watcher = watcher
        self._over = over

    def ended(self, task: str, outcome: Outcome) -> None:
        """Tell that a trial is over."""
        self._over(task)
        self._watcher.ended(task, outcome)


def _task(trial: TrialSpec, planned: Plan) -> Task:
    folder = planned.store.folder(trial.id, trial.folder_name)
    return task(trial, planned.grid, planned.store.root, planned.conditions, folder.path.name)


def _tensorboard(planned: Plan, watcher: Watcher) -> TensorBoard:
    """Return what passes on to a watcher what it is told, and writes it for TensorBoard."""
    from genbench.output.tensorboard import TensorBoard

    spaces = {dataset.digest: data.space for dataset, data in zip(planned.grid.datasets, planned.data, strict=True)}
    return TensorBoard(planned.store, planned.grid.trials(), spaces, watcher)


def _settler(planned: Plan) -> Settle:
    """Return what keeps in a trial's folder how it ended, where its worker could not."""
    folders = {trial.id: planned.store.folder(trial.id, trial.folder_name) for trial in planned.todo}
    return lambda trial, outcome, stage: folders[trial].settle(outcome.status, outcome.reason, stage)


@contextlib.contextmanager
def _callers_torch_kept() -> Iterator[None]:
    """Put back what plugins switch in torch while they are imported for the plan, where the caller uses torch."""
    if "torch" not in sys.modules:
        yield
        return
    from genbench.trial.torch_state import kept_state

    with kept_state():
        yield


def executed(planner: Callable[..., Plan], given: Mapping[str, Any]) -> Report:
    """Make the plan of a call's arguments, which may be all that `genbench.runs.arguments` takes, and execute it."""
    with _callers_torch_kept():
        return execute(planner(**arguments.taken(given)))


def run(
    models: Models | None = None,
    metrics: Metrics | None = None,
    datasets: Datasets | None = None,
    *,
    suite: Path | None = None,
    seeds: int | Sequence[int] | None = None,
    reference: Models | None = None,
    against: Sequence[str] | str | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    samples: int | None = None,
    size: int | None = None,
    weights: Path | None = None,
    budget: str | None = None,
    select: str | None = None,
    target: Target = "test",
    results: Path = "results",
    device: str | torch.device = "auto",
    threads: int = 1,
    engine: str | None = None,
    jobs: int | None = None,
    jobs_per_gpu: int | None = None,
    timeout: float | None = None,
    checkpoint_every: float = 10.0,
    fresh: bool = False,
    fresh_scores: bool = False,
    keep: Keep = "all",
    tensorboard: bool = False,
) -> Report:
    """Train models with several seeds, score and rank them: `genbench run`. What results holds is not done again.

    `genbench.run(models="gan,vae", seeds=5).leaderboard` is a data frame; the report prints as tables.

    models, metrics, datasets, reference: names as the command line takes them, "gan,vae[latent=50]", or classes or
    instances of plugins, one or a list. A class that nobody registered must be at the top level of a file of its own:
    its workers load it from there. What an instance has learned is not used: models are trained.
    suite is the name or the .toml file of a run; what is given here wins over it, and it over the defaults: digits,
    parzen, 3 seeds, the four reference rows ("none" for none). seeds is how many, or which.
    against names published numbers to hold ours against; options are {"gan": {"lr": 0.05}}.
    samples is how many metrics score; size the pixels to a side of folder:PATH; target the split scored against.
    weights is the file of a feature extractor's.
    budget bounds every training, "5000steps" or "60s"; select is "last" or "best-valid[:EPOCHS]".
    device is "auto", "cpu", "cuda" or "cuda:N"; engine "process" (the default) or "inline", for a debugger. jobs is how
    many trials are performed at once, by threads each, jobs_per_gpu how many of them share a GPU.
    timeout bounds the seconds of each trial, checkpoint_every those between two checkpoints. fresh trains again what is
    stored, fresh_scores scores it again. keep is what stays on the disk of a trial that has its scores: "all",
    "samples" or "none". With tensorboard, what TensorBoard shows is written beside the trials. The
    command's help says more of each.

    Raises RequestError, PluginError or DataError for whatever cannot be run, before anything trains.
    """
    return executed(plan, locals())


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
    traits = {**row.metric["traits"], "extractor": protocol.extractor}
    metric = {**row.metric, "label": protocol.metric.shown, "target": protocol.metric.target, "traits": traits}
    return replace(row, trial=record, metric=metric)


def _write_tables(store: Store) -> Collected:
    """Write leaderboard.csv and trials.csv from the store, always whole; return what the store holds."""
    collected = collect(store)
    if store.trials.is_dir():
        for name, text in _tables(collected).items():
            write_text(store.root / name, text)
    return collected


def tables(store: Store) -> dict[str, str]:
    """Return the CSV files that a store comes to, by name."""
    return _tables(collect(store)) if store.trials.is_dir() else {}


def _tables(collected: Collected) -> dict[str, str]:
    from genbench.output.tables_csv import to_csv

    return {
        "leaderboard.csv": to_csv(frames.leaderboard(boards(collected.rows))),
        "trials.csv": to_csv(frames.trials(collected.rows)),
    }


class Results(NamedTuple):
    """What a results folder holds, as data frames: a row per model and protocol, and a row per trial and protocol."""

    leaderboard: pd.DataFrame
    trials: pd.DataFrame


def load_results(path: Path = "results") -> Results:
    """Return the leaderboard and the trials of a results folder, each a data frame.

    Raises StoreError where there are none, RequestError where path is no path.
    """
    store = Store(pathlib.Path(arguments.path("path", path)))
    store.check_readable()
    collected = collect(store)
    return Results(frames.leaderboard(boards(collected.rows)), frames.trials(collected.rows))


def load_verdicts(against: Sequence[str] | str = "goodfellow2014", path: Path = "results") -> pd.DataFrame:
    """Return published numbers held against a results folder: a row per claim, or per model it is held against.

    Raises RequestError for unknown claims, StoreError where there are no results.
    """
    arguments.path("path", path)
    compared = published(texts("against", arguments.taken({"against": against})["against"], None, ()))
    return frames.verdicts(verdicts(stored_boards([path], compared)[0], compared))


def published(wanted: Sequence[str]) -> list[claims.Claim]:
    """Return the published numbers in claims files by name. Raises RequestError for an unknown one."""
    return claims.load(wanted, Resolver(load_registry(), cache_folder())) if wanted else []


def stored_boards(paths: Sequence[Path], compared: Sequence[claims.Claim] = ()) -> tuple[list[Board], list[str]]:
    """Return the boards of all scores in results folders, and what is wrong with folders that could not be read.

    A trial that lies in several folders counts once. Raises StoreError where its scores differ.
    """
    found, collected = read_stored(paths, compared)
    return found, collected.damaged


def read_stored(paths: Sequence[Path], compared: Sequence[claims.Claim] = ()) -> tuple[list[Board], Collected]:
    """Return what `stored_boards` does, with all else that there is to tell of the folders."""
    stores = [Store(pathlib.Path(path)) for path in paths]
    for store in stores:
        store.check_readable()
    collected = collect(*stores)
    return boards(collected.rows, compared), collected
