"""The one function that every engine calls: perform an assignment, and say in plain data what became of it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from genbench.data.prepare import Prepared, prepare
from genbench.errors import DataError, Diverged, StoreError, printable
from genbench.registry.plugins import BUILTIN, describe
from genbench.store.folder import TrialFolder
from genbench.store.records import TrialRecord
from genbench.store.store import Store
from genbench.trial import surroundings
from genbench.trial.performance import Performance
from genbench.trial.spec import Assignment, TrialSpec
from genbench.trial.training import Beat


def perform(text: str, beat: Beat = lambda progress: None) -> dict[str, Any]:
    """Perform an assignment (canonical JSON) in its trial's folder; return its status, and the reason if not done.

    A model or metric that raises costs only its own trial. Raises StoreError where the folder cannot be written.
    """
    assignment = Assignment.from_json(text)
    trial = assignment.trial
    device = surroundings.resolve_device(assignment.device)
    folder = Store(Path(assignment.results)).folder(trial.id, trial.folder_name)
    with folder.lock():
        record = _to_go_on_with(folder, assignment, device)
        performance = Performance(assignment, folder, record, prepared(trial), device, beat)
        performance.begin()
        with (
            _interruptible(performance, folder),
            surroundings.output_to(folder.path / "output.txt"),
            surroundings.deterministic(trial.model.distribution == BUILTIN, assignment.threads),
        ):
            status, reason = _outcome(performance)
        folder.write(dataclasses.replace(performance.record, status=status, reason=reason))
    problems = [w["problem"] for w in performance.record.wanted.values() if w["problem"]]
    return {"status": status, "reason": reason or "; ".join(problems)}


def prepared(trial: TrialSpec) -> Prepared:
    """Return a trial's dataset. Raises DataError where it is no longer what the trial was planned for."""
    data = prepare(trial.dataset.instantiate(), trial.dataset.identity)
    if data.digest != trial.dataset_digest:
        raise DataError(f"{trial.dataset.label} changed while the run was going on; start the run again")
    return data


def _to_go_on_with(folder: TrialFolder, assignment: Assignment, device: torch.device) -> TrialRecord:
    """Return the record to go on with: the stored one, or a new one that says interrupted until it is done."""
    stored = None if assignment.fresh else folder.record()
    if stored is not None and "fit" in stored.stages:
        return stored
    trial = assignment.trial
    return TrialRecord(
        id=trial.id,
        identity=trial.identity,
        model=dataclasses.asdict(trial.model),
        dataset={**dataclasses.asdict(trial.dataset), "digest": trial.dataset_digest},
        seed=trial.seed,
        budget=trial.budget.to_json(),
        status="interrupted",
        environment=surroundings.describe(device, assignment.threads, metadata.version(BUILTIN)),
    )


@contextlib.contextmanager
def _interruptible(performance: Performance, folder: TrialFolder) -> Iterator[None]:
    """Keep in the record that the trial was interrupted; finished stages stay."""
    try:
        yield
    except KeyboardInterrupt:
        folder.write(dataclasses.replace(performance.record, status="interrupted"))
        raise


def _outcome(performance: Performance) -> tuple[str, str]:
    """Return the status and reason of a trial's stages."""
    try:
        performance.run()
    except StoreError:
        raise
    except (Exception, SystemExit) as error:
        performance.keep_traceback()
        return _status(error), printable(error) if isinstance(error, Diverged) else describe(error)
    return "done", ""


def _status(error: BaseException) -> str:
    if isinstance(error, Diverged):
        return "diverged"
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error):
        return "out-of-memory"
    return "failed"
