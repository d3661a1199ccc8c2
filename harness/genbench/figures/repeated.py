"""A stored training done again up to chosen steps, held against its log, and the trial as it was at each of them."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from genbench.api import Model, TrainingData
from genbench.errors import Interrupted, RequestError, Unsupported
from genbench.figures.curves import read
from genbench.figures.trained import Snapshot, Trained
from genbench.registry.plugins import BUILTIN
from genbench.trial import restoring, seeding, state
from genbench.trial.logs import parsed
from genbench.trial.torch_state import known_state
from genbench.trial.training import TrainingRun


class Snapshots:
    """Keeps the model's state at chosen steps, as it is stored at the end; in training itself it leaves no trace."""

    def __init__(self, model: Model, steps: Collection[int], folder: Path, device: torch.device) -> None:
        self.kept: dict[int, Path] = {}
        self._model = model
        self._device = device
        self._steps = steps
        self._folder = folder

    def due(self, loop_over: bool = False) -> bool:
        """Return True: `keep` is given each step, and decides."""
        return True

    def keep(self, loop: int, step: int, run: Mapping[str, Any]) -> None:
        """Keep the present state, where this step is chosen."""
        if step in self._steps and step not in self.kept:
            self.kept[step] = self._folder / f"{step}.safetensors"
            state.save(self._model, self.kept[step], optimisers=False, device=self._device)

    def take_up(self, loop: int, run: Mapping[str, Any]) -> dict[str, Any] | None:
        """Keep the state before the first step; there is nothing to take up."""
        self.keep(loop, 0, run)
        return None


def moments(trained: Trained, steps: Collection[int]) -> dict[int, Trained]:
    """Return the trial as it was after these many updates.

    It is trained with its own seed, options and schedules, and left after the last of these steps: no copy with a
    smaller budget, for which a schedule that depends on the total would differ. Raises RequestError for a step beyond
    the training's end, Unsupported where training again does not come to the same numbers.
    """
    record = trained.subject.first.record
    total = record.stages["fit"].details["steps"]
    if max(steps, default=0) > total:
        raise RequestError(f"step {max(steps):,}: its training ended after {total:,}; expected at most that, or end")
    if not steps:
        return {}
    with TemporaryDirectory(prefix="genbench-") as folder:
        snapshots = _repeat(trained, steps, Path(folder))
        return {
            step: Snapshot(
                trained, restoring.filled(trained.resolved, trained.space, record.seed, path, trained.device)
            )
            for step, path in sorted(snapshots.kept.items())
        }


def _repeat(trained: Trained, steps: Collection[int], folder: Path) -> Snapshots:
    """Train as the trial was trained, up to the last of these steps."""
    record, device = trained.subject.first.record, trained.device
    model = restoring.built(trained.resolved, trained.space, record.seed, device)
    snapshots = Snapshots(model, steps, folder, device)
    last = max(steps)
    run = TrainingRun(record.seed, device, keeper=snapshots, stop=lambda: run.step >= last)
    train, valid = (trained.data.split(name, device) for name in ("train", "valid"))
    data = TrainingData(train=train, valid=valid, space=trained.space)
    with (
        known_state(record.model["distribution"] == BUILTIN, record.environment["threads"], device),
        seeding.seeded(record.seed, "fit"),
        torch.enable_grad(),
        contextlib.suppress(Interrupted),
    ):
        model.fit(data, run)
    _check_same(trained, run.lines)
    return snapshots


def _check_same(trained: Trained, lines: list[str]) -> None:
    """Raise Unsupported where what was logged is not what the stored training logged up to there."""
    made = trained.subject.first.record.environment
    stored = read(trained.logs()[0])
    for once, again in zip(stored, parsed(lines), strict=False):
        if any(once.get(name) != value for name, value in again.items()):  # once has more where a state was selected
            raise Unsupported(
                f"trained again on {trained.device}, it logs other numbers in epoch {again['epoch']} than when it was "
                f"stored ({made['device_name']}, torch {made['torch']}); train it here: genbench run --fresh"
            )
