"""Plans performed: trials through an engine, tables brought up to date; and `genbench.run`."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from genbench.api import Engine, Task
from genbench.engines.schedule import UNDER_WAY, Outcome, Settle, Silent, Watcher, perform_all
from genbench.errors import GenbenchError, StoreError, printable
from genbench.ranking.board import Board, boards
from genbench.ranking.recorded import RecordedMetric
from genbench.ranking.scores import Collected, ScoreRow
from genbench.runs import arguments
from genbench.runs.arguments import Datasets, Metrics, Models, Path
from genbench.runs.planning import Plan, plan, task
from genbench.runs.report import Report
from genbench.runs.settings import RunSettings
from genbench.runs.stored import write_tables
from genbench.store import plans
from genbench.store.layout import Keep
from genbench.store.store import Store
from genbench.trial.identity import Target, TrialSpec
from genbench.trial.protocol import Protocol

if TYPE_CHECKING:
    import torch

    from genbench.output.tensorboard import TensorBoard


def execute(planned: Plan, watcher: Watcher | None = None) -> Report:
    """Perform a plan, bring the CSV files up to date and return the report."""
    started = time.perf_counter()
    engine: Engine = planned.engine.instantiate()
    store = planned.store
    tasks = [_task(trial, planned) for trial in planned.todo]
    if planned.fresh_mark and tasks:
        store.keep_fresh_mark(planned.fresh_mark)
    board = _tensorboard(planned, watcher or Silent()) if planned.settings.tensorboard else None
    watched = board or watcher or Silent()
    try:
        ahead = {trial.id: str(trial) for trial in planned.todo}
        with plans.announced(store.root, ahead) if ahead else contextlib.nullcontext(_nothing) as over:
            watching, timeout = _Announcing(watched, over), planned.settings.timeout
            outcomes = perform_all(engine, tasks, watching, _settler(planned), timeout, planned.settings.detach)
            left = {trial: ahead[trial] for trial, outcome in outcomes.items() if outcome.status == UNDER_WAY}
            plans.leave(store.root, left)
        if board:
            board.finish()
    except BaseException:
        with contextlib.suppress(StoreError):  # what went wrong first is what is reported
            write_tables(Store(planned.store.root))
        raise
    finally:
        if board:
            board.close()
    if planned.fresh_mark and not left:
        store.keep_fresh_mark("")
    collected, rows = write_tables(Store(store.root))
    return Report(
        plan=planned,
        boards=_boards_of(planned, collected),
        outcomes=outcomes,
        seconds=time.perf_counter() - started,
        total=(rows, len({row.trial.id for row in collected.rows})),
        damaged=[*collected.damaged, *(board.damaged if board else ())],
        remarks=[*collected.notes, *_drop(planned)],
    )


def _drop(planned: Plan) -> list[str]:
    """Let go of what is not to be kept of the trials that were finished before; of the others their workers do.

    Returns what came in the way.
    """
    keep = planned.settings.keep
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
    """Do nothing: where no list of trials ahead was written, none need be taken off it."""


class _Announcing:
    """Passes on reports to a watcher, and takes each trial that is over out of what the run has yet to do."""

    def __init__(self, watcher: Watcher, over: Callable[[str], None]) -> None:
        self.started = watcher.started
        self.progressed = watcher.progressed
        self.stopping = watcher.stopping
        self._watcher = watcher
        self._over = over

    def ended(self, task: str, outcome: Outcome) -> None:
        """Tell that a trial is over."""
        self._over(task)
        self._watcher.ended(task, outcome)


def _task(trial: TrialSpec, planned: Plan) -> Task:
    folder = planned.store.folder(trial.id, trial.folder_name)
    return task(planned, trial, folder.path.name)


def _tensorboard(planned: Plan, watcher: Watcher) -> TensorBoard:
    """Return what passes reports on to a watcher, and writes it for TensorBoard."""
    from genbench.output.tensorboard import TensorBoard

    spaces = {dataset.digest: data.space for dataset, data in zip(planned.grid.datasets, planned.data, strict=True)}
    return TensorBoard(planned.store, planned.grid.trials(), spaces, watcher)


def _settler(planned: Plan) -> Settle:
    """Return what keeps in a trial's folder how it ended, where its worker could not."""
    folders = {trial.id: planned.store.folder(trial.id, trial.folder_name) for trial in planned.todo}
    return lambda trial, outcome, stage: folders[trial].settle(outcome.status, outcome.reason, stage)


@contextlib.contextmanager
def callers_torch_kept() -> Iterator[None]:
    """Put back what plugins switch in torch, where the caller uses it."""
    if "torch" not in sys.modules:
        yield
        return
    from genbench.trial.torch_state import kept_state

    with kept_state():
        yield


def planned_and_executed(planner: Callable[..., Plan], given: Mapping[str, Any]) -> Report:
    """Make the plan of a call's arguments, which may be all that `genbench.runs.arguments` takes, and execute it."""
    with callers_torch_kept():
        taken = arguments.taken(given)
        own = {name: taken.pop(name) for name in ("sources", "samples_are") if name in taken}
        return execute(planner(**own, settings=RunSettings(**taken)))


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
    detach: bool = False,
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
    "samples" or "none". With tensorboard, what TensorBoard shows is written beside the trials. With detach, trials are
    left to the queue of an engine that has one. The command's help says more of each.

    Raises RequestError, PluginError or DataError for whatever cannot be run, before anything trains.
    """
    return planned_and_executed(plan, locals())


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
    model = {**row.trial.model, "label": trial.model.label, "target": trial.model.target}
    record = replace(row.trial, model=model, dataset={**row.trial.dataset, "label": trial.dataset.label})
    now = RecordedMetric.read(asdict(protocol.metric))
    metric = replace(row.metric, label=now.label, target=now.target, extractor=now.extractor)
    return replace(row, trial=record, metric=metric)
