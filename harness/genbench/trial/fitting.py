"""The first stage of a trial: its model built, trained, and stored with the log of its training."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from genbench.api import Model, TrainingData
from genbench.errors import Unsupported
from genbench.trial import environment, restoring, sampling, seeding, state
from genbench.trial.checkpoints import Checkpoints, modules
from genbench.trial.identity import LAST
from genbench.trial.logs import LOG
from genbench.trial.protocol import MODEL
from genbench.trial.selection import BestValid, KeepLast, Selector
from genbench.trial.training import TrainingRun
from genbench.trial.work import TrialWork


def fit(work: TrialWork) -> None:
    """Train the trial's model, from its last checkpoint on where there is one, and commit it.

    Raises Unsupported where the best state was asked for, and the model offers none to be judged.
    """
    environment.reset_peak_memory(work.device)
    train, valid = work.data.split("train", work.device), work.data.split("valid", work.device)
    data = TrainingData(train, valid, work.data.space)
    images = [part for split in (train, valid) for part in (split.images, split.labels) if part is not None]
    trial = work.trial
    model = restoring.built(trial.model, work.data.space, trial.seed, work.device)
    keeper = Checkpoints(work.checkpoints, model, work.device, work.assignment.checkpoint_every, images)
    selector = _selector(work, model, valid.images, images)
    run = TrainingRun(trial.seed, work.device, trial.budget, work.report_progress, keeper, work.stop, selector)
    with seeding.seeded(trial.seed, "fit"), torch.enable_grad():
        model.fit(data, run)
    run.end_epoch()
    _check_judged(work, selector)
    _commit(work, model, run)
    work.checkpoints.clear()


def _selector(work: TrialWork, model: Model, valid: Tensor, data: Sequence[Tensor]) -> Selector:
    """Return what decides which state is kept, by the trial's rule."""
    if work.trial.select == LAST:
        return KeepLast()
    every = int(work.trial.select.partition(":")[2])
    return BestValid(work.checkpoints, model, valid, work.trial.seed, every, data)


def _check_judged(work: TrialWork, selector: Selector) -> None:
    if isinstance(selector, BestValid) and not selector.judged:
        raise Unsupported(
            f"--select {work.trial.select}: no state of {work.trial.model.label} can be judged while it trains, "
            "since no loop of its fit says run.batches(..., select=True); use --select last"
        )


def _commit(work: TrialWork, model: Model, run: TrainingRun) -> None:
    """Store the fitted model and its log, with what training took."""
    work.commit(
        "fit",
        {
            MODEL: lambda path: state.save(model, path, optimisers=False, device=work.device),
            LOG: lambda path: path.write_text("".join(f"{x}\n" for x in run.lines), encoding="utf-8"),
        },
        run.seconds,
        details={
            "steps": run.step,
            **_size(model),
            "peak_memory_mib": max(environment.peak_memory_mib(work.device) or 0.0, run.peak) or None,
        },
    )


def _size(model: Model) -> dict[str, int | None]:
    """Return how many parameters a model has, or how many images stand in its place."""
    if isinstance(model, sampling.Given):
        return {"parameters": None, "images": model.count}
    return {"parameters": count_parameters(model)}


def count_parameters(model: Model) -> int:
    """Return the number of parameters in a model's modules, shared ones counted once."""
    return sum(p.numel() for p in {id(p): p for m in modules(model) for p in m.parameters()}.values())
