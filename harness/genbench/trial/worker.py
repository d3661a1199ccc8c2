"""The one function that every engine calls: perform an assignment, and say in plain data what became of it."""

from __future__ import annotations

import dataclasses
import traceback
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from genbench import waiting
from genbench.data.prepare import Prepared, sound
from genbench.errors import (
    ChangedError,
    DamagedError,
    DataError,
    Diverged,
    GenbenchError,
    Interrupted,
    StoreError,
    printable,
)
from genbench.registry.plugins import BUILTIN, describe
from genbench.store.folder import TrialFolder
from genbench.store.locks import Busy
from genbench.store.records import TrialRecord
from genbench.store.store import Store
from genbench.trial import sources, surroundings
from genbench.trial.performance import Performance
from genbench.trial.spec import Assignment, TrialSpec
from genbench.trial.training import Beat, Stop

REPAIRS = 5
"""How often a trial's stages are set aside and done again before the disk is called unsound."""


@dataclass(frozen=True)
class Place:
    """Where a worker performs.

    device is what stands in place of the assignment's where the process was pinned to one; alone says that the process
    does nothing else, so that what compiled code prints can be sent to the trial's file.
    """

    device: str | None = None
    alone: bool = False


def answer(text: str, beat: Beat, stop: Stop, place: Place = Place()) -> dict[str, Any]:
    """Perform an assignment; return plain data, whatever happens: what `perform` returns, or what came in the way.

    status is busy where another process is at work on the trial, and error where no trial can be performed at all.
    """
    try:
        with waiting.heeding(stop, lambda message: beat({"stage": message})):
            return perform(text, beat, stop, place)
    except Interrupted as error:
        return {"status": "interrupted", "reason": str(error), "notes": []}
    except Busy as error:
        return {"status": "busy", "reason": printable(error)}
    except GenbenchError as error:
        return {"status": "error", "reason": str(error), "error": type(error).__name__}
    except Exception as error:
        traceback.print_exc()
        return {"status": "error", "reason": f"unexpected {describe(error)}", "error": "GenbenchError"}


def perform(
    text: str, beat: Beat = lambda progress: None, stop: Stop = lambda: False, place: Place = Place()
) -> dict[str, Any]:
    """Perform an assignment (canonical JSON) in its trial's folder; return status, reason if not done, and notes.

    A model or metric that raises costs only its own trial. A stage that turns out damaged is set aside, noted, and done
    again. Raises StoreError where the folder cannot be written, Busy where another process is at work in it,
    ChangedError where a single file is not what the trial was planned with.
    """
    assignment = Assignment.from_json(text)
    trial = assignment.trial
    for plugin in (trial.model, *assignment.metrics):
        plugin.check()
    sources.check(trial.model)
    device = surroundings.resolve_device(place.device or assignment.device)
    folder = Store(Path(assignment.results)).folder(trial.id, trial.folder_name)
    notes: list[str] = []
    with folder.lock():
        record = _to_go_on_with(folder, assignment, device, notes)
        data = prepared(trial, notes)
        for _ in range(REPAIRS):
            performance = Performance(assignment, folder, record, data, device, beat, stop)
            try:
                status, reason = _outcome(performance, place)
            except DamagedError as damage:
                record = _without_damage(folder, performance.record, damage.stage, str(damage), notes)
                continue
            performance.end(status, reason)
            wanted = [performance.record.wanted[protocol.stage] for protocol in performance.protocols()]
            problems = [told["problem"] for told in wanted if told["problem"]]
            return {"status": status, "reason": reason or "; ".join(problems), "notes": notes}
    raise StoreError(f"what is written to {printable(folder.path)} is damaged when it is read back; is the disk sound?")


def prepared(trial: TrialSpec, notes: list[str]) -> Prepared:
    """Return a trial's dataset, each bit read; that one was damaged is noted.

    Raises DataError where it is no longer what the trial was planned for.
    """
    data, damage = sound(trial.dataset.instantiate(), trial.dataset.identity)
    notes += [damage] if damage else []
    if data.digest != trial.dataset_digest:
        raise DataError(f"{trial.dataset.label} changed while the run was going on; start the run again")
    return data


def _to_go_on_with(folder: TrialFolder, assignment: Assignment, device: torch.device, notes: list[str]) -> TrialRecord:
    """Return the record to go on with: the stored one, its damage set aside and noted, or a new one."""
    stored = _stored(folder, notes)
    if stored is not None and (not assignment.fresh or stored.fresh == assignment.fresh):
        if "fit" in stored.stages:
            return stored
    else:
        stored = None
    trial = assignment.trial
    return TrialRecord(
        id=trial.id,
        identity=trial.identity,
        model=dataclasses.asdict(trial.model),
        dataset={**dataclasses.asdict(trial.dataset), "digest": trial.dataset_digest},
        seed=trial.seed,
        budget=trial.budget.to_json(),
        status="interrupted",
        wanted=stored.wanted if stored else {},
        environment=surroundings.describe(device, assignment.threads, metadata.version(BUILTIN)),
        attempts=stored.attempts + 1 if stored else 1,
        fresh=assignment.fresh,
    )


def _stored(folder: TrialFolder, notes: list[str]) -> TrialRecord | None:
    """Return what the folder holds that is whole; what is damaged is set aside and noted."""
    folder.tidy()
    try:
        record = folder.record()
    except DamagedError as damage:
        folder.set_all_aside()
        notes.append(f"{damage}; everything in its folder was set aside, and the trial done again")
        return None
    for stage, problem in (folder.damage(record) if record else {}).items():
        assert record is not None  # damage() was asked of it
        record = _without_damage(folder, record, stage, problem, notes)
    return record


def _without_damage(
    folder: TrialFolder, record: TrialRecord, stage: str, problem: str, notes: list[str]
) -> TrialRecord:
    if stage not in record.stages:
        raise StoreError(problem)
    notes.append(f"{problem}; its stage, {stage}, was set aside and done again")
    return folder.set_aside(record, stage)


def _outcome(performance: Performance, place: Place) -> tuple[str, str]:
    """Do what is missing; return the trial's status and the reason if it is not done."""
    performance.begin()
    with performance.surroundings(place.alone):
        try:
            performance.run()
        except (StoreError, ChangedError):
            raise
        except Interrupted as error:
            return "interrupted", str(error)
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
