"""What TensorBoard shows of a run: every trial's training as it goes on, then its samples and scores."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.summary.writer.record_writer import RecordWriter
from torch import Tensor
from torchvision.utils import make_grid

from genbench import files
from genbench.api import Space
from genbench.engines.schedule import Outcome, Watcher
from genbench.errors import GenbenchError, StoreError, printable
from genbench.ranking.readable import readable
from genbench.ranking.scores import ScoreRow, rows_of
from genbench.registry.plugins import describe
from genbench.store.store import Store
from genbench.store.trial_folder import TrialFolder
from genbench.trial import restoring
from genbench.trial.identity import TrialSpec
from genbench.trial.logs import LOG, PLACE, parsed

FOLDER = "tensorboard"
"""Beside the trials: what is in it is derived from them, and may be removed at any time."""

PREFIX = "events.out.tfevents."
SHOWN, COLUMNS, PAPER = 64, 8, 0.8
"""Samples in a grid; the grey between them."""

SMALLEST = 32
"""Smaller images are enlarged, by whole factors, to about so many pixels."""


class TensorBoard:
    """Passes on the reports of a run, and writes it where TensorBoard looks: a folder for each trial.

    Every attempt at a training reports its log from the first line on, also when it goes on from a checkpoint; so each
    begins a file in place of those that were there, and no point is lost or there twice. Samples are those that are
    stored: to draw some while training goes on would count as training, against a budget of seconds too. damaged is
    what could not be read of stored trials.
    """

    def __init__(
        self, store: Store, trials: Sequence[TrialSpec], spaces: Mapping[str, Space], watcher: Watcher
    ) -> None:
        self.damaged: list[str] = []
        self._root = store.root / FOLDER
        self._trials = {trial.id: trial for trial in trials}
        self._folders = {trial.id: store.folder(trial.id, trial.folder_name) for trial in trials}
        self._spaces = spaces  # by the digest of the dataset
        self._watcher = watcher
        self._open: dict[str, _Events] = {}
        self._ended: set[str] = set()
        with _writing(self._root):
            self._root.mkdir(parents=True, exist_ok=True)

    def started(self, task: str) -> None:
        """Forget what an attempt before this one wrote."""
        self._close(task)
        self._watcher.started(task)

    def progressed(self, task: str, progress: Mapping[str, Any]) -> None:
        """Write the lines that were logged since the last report."""
        lines = progress.get("lines")
        if lines:
            with _writing(self._root):
                self._events(task).add_lines(lines)
        self._watcher.progressed(task, progress)

    def ended(self, task: str, outcome: Outcome) -> None:
        """Write what the trial came to."""
        self._finish(task)
        self._watcher.ended(task, outcome)

    def stopping(self) -> None:
        """Pass it on."""
        self._watcher.stopping()

    def finish(self) -> None:
        """Write what is stored of the trials that were not performed."""
        for trial in self._trials:
            if trial not in self._ended:
                self._finish(trial)

    def close(self) -> None:
        """Close what is open, however the run ended."""
        for trial in list(self._open):
            with contextlib.suppress(StoreError):  # what went wrong first is what is reported
                self._close(trial)

    def _events(self, trial: str) -> _Events:
        """Return the trial's events of this attempt, begun where it has none yet."""
        if trial not in self._open:
            self._open[trial] = _Events(self._root / self._folders[trial].path.name)
        return self._open[trial]

    def _close(self, trial: str) -> None:
        if trial in self._open:
            with _writing(self._root):
                self._open.pop(trial).close()

    def _finish(self, trial: str) -> None:
        self._ended.add(trial)
        try:
            results = _results(self._folders[trial], self._spaces[self._trials[trial].dataset_digest])
        except Exception as error:  # anyone may have written it
            problem = printable(error) if isinstance(error, GenbenchError) else describe(error)
            self.damaged.append(f"{self._trials[trial]}: {problem}")
        else:
            if results is not None:
                self._write_results(trial, results)
        self._close(trial)

    def _write_results(self, trial: str, results: _Results) -> None:
        """Write what is left of the log, then samples, scores and options, at the last step."""
        if trial in self._open and not self._open[trial].is_begun_by(results.lines):
            self._close(trial)  # of an attempt to train anew that failed: its old results are kept
        with _writing(self._root):
            events = self._events(trial)
            events.add_lines(results.lines[len(events.lines) :])
            if results.samples is not None:
                events.add_image("samples", results.samples, results.step)
            events.add_scores(results.scores, results.step)
            events.add_options(results.options, trial)


class _Results(NamedTuple):
    """What a trial came to: its log, a picture of its samples, and the rest, which stands at its last step."""

    lines: list[str]
    samples: bytes | None
    scores: list[ScoreRow]
    options: dict[str, Any]
    step: int


def _results(folder: TrialFolder, space: Space) -> _Results | None:
    """Return what a folder holds, or None without a trained model. Raises StoreError or ValueError for damage."""
    record = folder.record()
    if record is None or "fit" not in record.stages:
        return None
    lines = files.read_text(folder.checked(record, "fit", LOG)).splitlines()
    parsed(lines)
    shown = space.dim > 1 and restoring.has_samples(record)
    return _Results(
        lines=lines,
        samples=grid(restoring.samples(folder, record, space), space.bounds) if shown else None,
        scores=list(rows_of(folder, readable(record))),
        options={
            **record.model.get("options", {}),
            "model": record.model["label"],
            "dataset": record.dataset["label"],
            "seed": record.seed,
        },
        step=int(record.stages["fit"].details.get("steps") or 0),
    )


class _Events:
    """A trial's events, in a file in place of those that its folder held. lines are those of the log so far."""

    def __init__(self, folder: Path) -> None:
        self.lines: list[str] = []
        folder.mkdir(parents=True, exist_ok=True)
        before = list(folder.glob(f"{PREFIX}*"))
        self._file = (folder / f"{PREFIX}{time.time_ns()}.genbench").open("xb")
        self._records = RecordWriter(self._file)
        self._add(file_version="brain.Event:2")
        self._add(step=0, session_log=SessionLog(status=SessionLog.START))  # who looks on forgets the files before
        self._file.flush()
        for path in before:
            path.unlink(missing_ok=True)

    def is_begun_by(self, lines: Sequence[str]) -> bool:
        """Return whether the lines so far are the first of these."""
        return self.lines == list(lines[: len(self.lines)])

    def add_lines(self, lines: Sequence[str]) -> None:
        """Add lines of the log: a point for each scalar, at its step."""
        for values in parsed(lines):
            for name in values.keys() - set(PLACE):
                self._add_value(int(values["step"]), tag=f"train/{name}", simple_value=values[name])
        self.lines += lines
        self._file.flush()

    def add_image(self, tag: str, png: bytes, step: int) -> None:
        """Add a picture."""
        with Image.open(io.BytesIO(png)) as image:
            shape = {"width": image.width, "height": image.height, "colorspace": 3}
        self._add_value(step, tag=tag, image=Summary.Image(encoded_image_string=png, **shape))

    def add_scores(self, scores: Sequence[ScoreRow], step: int) -> None:
        """Add the scores there are, each under its protocol's id."""
        for score in scores:
            if score.value is not None:
                tag = f"scores/{score.metric.label}-{score.protocol_id}"
                self._add_value(step, tag=tag, simple_value=score.value)

    def add_options(self, options: Mapping[str, Any], trial: str) -> None:
        """Add what TensorBoard calls hyperparameters."""
        plain = {name: x if isinstance(x, bool | int | float) else str(x) for name, x in options.items()}
        self._add(summary=hparams_pb(plain, trial_id=trial))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _add_value(self, step: int, **value: Any) -> None:
        self._add(step=step, summary=Summary(value=[Summary.Value(**value)]))

    def _add(self, **content: Any) -> None:
        self._records.write(Event(wall_time=time.time(), **content).SerializeToString())


def grid(samples: Tensor, bounds: tuple[float, float]) -> bytes:
    """Return the first samples (n, C, H, W) in rows of 8 as a PNG file: three channels as colours, else one as grey."""
    shown = samples[:SHOWN, : 3 if samples.shape[1] >= 3 else 1]
    factor = max(1, SMALLEST // max(shown.shape[2:]))
    large = shown.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    whole = make_grid(large, nrow=COLUMNS, normalize=True, value_range=bounds, pad_value=PAPER)  # (3, H', W')
    file = io.BytesIO()
    Image.fromarray((whole * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()).save(file, "PNG")
    return file.getvalue()


@contextlib.contextmanager
def _writing(root: Path) -> Iterator[None]:
    """Raise StoreError where what TensorBoard reads cannot be written."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"cannot write {printable(error.filename or root)}: {error.strerror or error}") from error
