"""A trial's samples: drawn batch by batch where they are missing, committed, and read back."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from genbench.api import Model
from genbench.errors import Unsupported
from genbench.store.records import Stage
from genbench.store.trial_folder import Writer
from genbench.trial import restoring, sampling
from genbench.trial.logs import LOG
from genbench.trial.mixing import mixing
from genbench.trial.work import TrialWork

PORTION = 2**26
"""How many values of samples are drawn before they are committed and let go: 256 MiB."""


class StoredSamples:
    """The samples of a trial under way; model returns its fitted model, which is asked for where some are missing."""

    def __init__(self, work: TrialWork, model: Callable[[], Model]) -> None:
        self._work = work
        self._model = model
        self._held: Tensor | None = None
        self._shards: list[Path] = []  # found to be what was committed

    def first(self, n: int) -> Tensor:
        """Return the first n samples on the device, (n, C, H, W); draws and commits the batches that are missing.

        Raises Unsupported where they were made elsewhere, and are fewer.
        """
        if self._held is None or len(self._held) < n:
            self._held = self.rows(0, n)
        return self._held[:n]

    def rows(self, start: int, stop: int) -> Tensor:
        """Return samples start..stop-1 on the device, and read no others. Raises as `first` does."""
        self.draw(stop)
        found = restoring.sample_rows(self._shards, self._work.data.space, start, stop)
        if len(found) < stop - start:
            have = start + len(found)
            raise Unsupported(f"{stop} samples are asked for, and {have} images were given; give more images")
        return found.to(self._work.device)

    def draw(self, n: int) -> None:
        """Have n samples stored: draw and commit the batches that are missing, a portion at a time."""
        stage = self._work.record.stages.get("samples")
        if stage and not restoring.are_of_model(self._work.record):
            self._work.record, stage = self._work.record.without("samples"), None  # of a model trained again since
        if stage and self._work.record.lacks("samples"):
            self._draw_again(stage)
        have = stage.details["batches"] if stage else 0
        size = stage.details["batch"] if stage else self._model().sample_batch
        need = sampling.batches_for(n, size)
        portion = max(1, PORTION // (size * self._work.data.space.dim))
        for start in range(have, need, portion):
            self._draw_batches(start, min(start + portion, need), size)
        if need > have or not self._shards:
            self._shards = restoring.shards(self._work.folder, self._work.record)

    def mixing(self, samples: Tensor, batch: int) -> dict[str, float]:
        """Return how the chains mix that samples come from; {} where they are independent."""
        return mixing(samples, self._chains, batch) if self._chains else {}

    def mixing_of_first(self, n: int) -> dict[str, float]:
        """Return how the chains mix that the first n samples come from; {} where they are independent."""
        return self.mixing(self.first(n), self._work.record.stages["samples"].details["batch"]) if self._chains else {}

    @cached_property
    def _chains(self) -> int | None:
        chains: int | None = self._work.trial.model.traits["chains"]
        return chains

    def _draw_again(self, stage: Stage) -> None:
        """Draw the samples that were let go, into the same files, so that scores of them stay valid."""
        self._model()  # which may have been let go too: then the samples stand in the record until it is there
        self._work.record = self._work.record.without("samples")
        for name in sorted(name for name in stage.files if name.endswith(sampling.SHARD)):
            first, last = map(int, Path(name).stem.split("-"))
            self._draw_batches(first, last + 1, stage.details["batch"])

    def _draw_batches(self, start: int, stop: int, size: int) -> None:
        """Draw batches start..stop-1 and commit them beside those there are; of chains with a log, a line a batch."""
        work = self._work
        work.report_progress({"stage": "samples"})
        before = work.record.stages.get("samples")
        started = time.perf_counter()
        drawing = sampling.Drawing(self._model(), work.data.space, work.trial.seed, work.device)
        x = drawing.draw(range(start, stop), work.checkpoints, work.assignment.checkpoint_every, work.stop)
        work.commit(
            "samples",
            self._writers(x, start, stop, size),
            time.perf_counter() - started + (before.seconds if before else 0.0),
            inputs={"model": restoring.model_digest(work.record)},
            details={"batch": size, "batches": stop},
            keep=before.files if before else {},
        )

    def _writers(self, x: Tensor, start: int, stop: int, size: int) -> dict[str, Writer]:
        """Return what writes the files of batches start..stop-1, whose samples are x."""
        name = f"samples/{start:05d}-{stop - 1:05d}"
        log = [{"batch": start + i, **self.mixing(part, size)} for i, part in enumerate(torch.split(x, size))]
        writers: dict[str, Writer] = {f"{name}{sampling.SHARD}": lambda path: sampling.save_shard(path, x)}
        if self._chains:
            writers[f"{name}.{LOG}"] = lambda path: path.write_text("".join(f"{json.dumps(line)}\n" for line in log))
        return writers
