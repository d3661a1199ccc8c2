"""An assignment performed, and in plain data what became of it: what `genbench.perform` does in a worker."""

from __future__ import annotations

import dataclasses
import traceback
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import torch

from genbench import waiting
from genbench.api import Space
from genbench.data.cache import Prepared, verified
from genbench.errors import (
    ChangedError,
    DamagedError,
    DataError,
    DeviceError,
    Diverged,
    GenbenchError,
    Interrupted,
    NotKept,
    OtherDevice,
    StoreError,
    printable,
)
from genbench.registry.plugins import BUILTIN, describe
from genbench.registry.resolve import Resolved
from genbench.store import progress_file
from genbench.store.locks import Busy
from genbench.store.records import TrialRecord
from genbench.store.trial_folder import TrialFolder
from genbench.trial import environment, gpu, sources
from genbench.trial.carrying import folder_of
from genbench.trial.identity import Assignment, TrialSpec
from genbench.trial.runner import TrialRunner
from genbench.trial.training import ProgressCallback, Stop
from genbench.trial.work import TrialWork

REPAIRS = 5
"""How often a trial's stages are set aside and done again before the disk is called unsound."""


@dataclass(frozen=True)
class Place:
    """Where a worker performs.

    device is what stands in place of the assignment's where the process was pinned to one; alone says that the process
    does nothing else, so that what compiled code prints can be sent to the trial's file; share is the part of a GPU's
    memory that it may take.
    """

    device: str | None = None
    alone: bool = False
    share: float = 1.0


def answer(text: str, report_progress: ProgressCallback, stop: Stop, place: Place = Place()) -> dict[str, Any]:
    """Perform an assignment; return plain data, whatever happens: what is returned below, or what came in the way.

    status is busy where another process is at work on the trial, and error where no trial can be performed at all.
    """
    try:
        with waiting.reporting_to(stop, lambda message: report_progress({"stage": message})):
            return perform_assignment(text, report_progress, stop, place)
    except Interrupted as error:
        return {"status": "interrupted", "reason": str(error), "notes": []}
    except Busy as error:
        return {"status": "busy", "reason": printable(error)}
    except GenbenchError as error:
        return {"status": "error", "reason": str(error), "error": type(error).__name__}
    except Exception as error:
        if gpu.is_out_of_gpu_memory(error):
            reason = "no memory was left on the GPU when it began; run it again once other programs have ended"
            return {"status": "interrupted", "reason": reason, "notes": [], "crowded": place.share < 1}
        traceback.print_exc()
        return {"status": "error", "reason": f"unexpected {describe(error)}", "error": "GenbenchError"}


def perform_assignment(
    text: str,
    report_progress: ProgressCallback = lambda progress: None,
    stop: Stop = lambda: False,
    place: Place = Place(),
) -> dict[str, Any]:
    """Perform an assignment (canonical JSON) in its trial's folder; return status, reason if not done, and notes.

    On a GPU, crowded says that the trial ran out of memory with only a part of it; gpu_lost that this process can no
    longer use it. A model or metric that raises costs only its own trial. A stage that turns out damaged is set aside,
    noted, and done again. Raises StoreError where the folder cannot be written, Busy where another process is at work
    in it, ChangedError where a single file, or one that an option names, is not what the trial was planned with.
    """
    assignment = Assignment.from_json(text)
    trial = assignment.trial
    _check_unchanged(assignment)
    if not assignment.only_scores:
        sources.check(trial.model)
    device = environment.resolve_device(place.device or assignment.device)
    gpu.take_share(device, place.share)
    folder = folder_of(assignment)
    notes: list[str] = []
    with folder.lock(), progress_file.noted(folder.path, report_progress) as report_progress:
        record = _to_go_on_with(folder, assignment, device, place.share, notes)
        data = prepared(trial, notes)
        record = _with_space(record, data.space)
        for _ in range(REPAIRS):
            work = TrialWork(assignment, folder, record, data, device, report_progress, stop)
            runner = TrialRunner(work, place.share)
            try:
                status, reason = _outcome(runner, place)
            except DamagedError as damage:
                record = _without_damage(folder, work.record, damage.stage, str(damage), notes)
                continue
            except NotKept as lack:
                notes.append(f"{trial}: {lack}: made again")
                record = work.record.without("fit")
                continue
            runner.end(status, reason)
            if runner.is_complete:
                folder.drop(work.record, assignment.keep)
            result = {"status": status, "reason": reason or _problems(work), "notes": notes}
            return result if device.type == "cpu" else {**result, **_of_gpu(runner)}
    raise StoreError(f"what is written to {printable(folder.path)} is damaged when it is read back; is the disk sound?")


def _problems(work: TrialWork) -> str:
    """Return what came in the way of the protocols that were asked for, or ""."""
    return "; ".join(filter(None, map(work.problem, work.protocols())))


def _check_unchanged(assignment: Assignment) -> None:
    """Raise ChangedError where a file of a model, metric or extractor is not what the trial was planned with."""
    extractors = [metric.traits["extractor"] for metric in assignment.metrics if metric.traits.get("extractor")]
    for plugin in (assignment.trial.model, *assignment.metrics, *(Resolved(**each) for each in extractors)):
        plugin.check()


def _of_gpu(runner: TrialRunner) -> dict[str, bool]:
    return {
        "crowded": runner.is_crowded,
        "gpu_lost": not gpu.is_usable(runner.work.device),
        "begin_again": runner.is_begun_again,
    }


def prepared(trial: TrialSpec, notes: list[str]) -> Prepared:
    """Return a trial's dataset, read and verified whole; damage that was repaired is added to the notes.

    Raises DataError where it is no longer what the trial was planned for.
    """
    data, damage = verified(trial.dataset.instantiate(), trial.dataset.identity)
    notes += [damage] if damage else []
    if data.digest != trial.dataset_digest:
        raise DataError(f"{trial.dataset.label} changed while the run was going on; start the run again")
    return data


def _to_go_on_with(
    folder: TrialFolder, assignment: Assignment, device: torch.device, share: float, notes: list[str]
) -> TrialRecord:
    """Return the record to go on with: the stored one, its damage set aside and noted, or a new one."""
    stored = _stored(folder, notes)
    if stored is not None and stored.id != assignment.trial.id:
        raise StoreError(f"{printable(folder.path)} holds another trial since the run was planned; start the run again")
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
        environment={
            **environment.describe(device, assignment.threads, metadata.version(BUILTIN), share),
            "commit": assignment.commit or None,
        },
        attempts=stored.attempts + 1 if stored else 1,
        fresh=assignment.fresh,
    )


def _with_space(record: TrialRecord, space: Space) -> TrialRecord:
    """Return the record with the space of its images, so that its model can be restored where the images are not."""
    fields = {"shape": list(space.shape), "classes": space.classes, "bounds": list(space.bounds)}
    return dataclasses.replace(record, dataset={**record.dataset, "space": fields})


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
    if record:
        folder.sweep(record)
    return record


def _without_damage(
    folder: TrialFolder, record: TrialRecord, stage: str, problem: str, notes: list[str]
) -> TrialRecord:
    if stage not in record.stages:
        raise StoreError(problem)
    notes.append(f"{problem}; its stage, {stage}, was set aside and done again")
    return folder.set_aside(record, stage)


def _outcome(runner: TrialRunner, place: Place) -> tuple[str, str]:
    """Do what is missing; return the trial's status and the reason if it is not done."""
    runner.begin()
    try:
        with runner.trial_environment(place.alone):
            runner.run()
    except (StoreError, ChangedError, DeviceError):
        raise
    except (Interrupted, OtherDevice) as error:
        return "interrupted", str(error)
    except (Exception, SystemExit) as error:
        runner.keep_traceback()
        return _ended_by(error, runner, place)
    return "done", ""


def _ended_by(error: BaseException, runner: TrialRunner, place: Place) -> tuple[str, str]:
    """Return status and reason of a trial that an error ended: out of memory only where it had all that there is."""
    if isinstance(error, Diverged):
        return "diverged", printable(error)
    if not gpu.is_out_of_memory(error):
        return "failed", describe(error)
    if gpu.is_out_of_gpu_memory(error) and place.share < 1:
        runner.is_crowded = True
        return "interrupted", f"out of memory, with 1/{round(1 / place.share)} of the GPU's"
    others = gpu.memory_of_others(runner.work.device) if gpu.is_out_of_gpu_memory(error) else 0
    if others:
        held = f"{others / 2**30:.1f} GiB of the GPU's memory"
        return "interrupted", f"out of memory while other programs held {held}; run it again once they have ended"
    return "out-of-memory", describe(error)
