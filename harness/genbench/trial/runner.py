"""A trial performed stage by stage: fit, samples, one score per metric; what is already stored is not done again."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import math
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

import torch
from torch import Tensor

from genbench import files
from genbench.api import FeatureExtractor, Metric, Model, Score, TrainingData
from genbench.data.cache import Prepared
from genbench.errors import ChangedError, Interrupted, StoreError, Unsupported, printable
from genbench.registry.plugins import BUILTIN, describe
from genbench.store.records import Stage, TrialRecord
from genbench.store.trial_folder import TrialFolder
from genbench.trial import environment, gpu, restoring, sampling, seeding, state
from genbench.trial.cautions import cautions
from genbench.trial.checkpoints import Checkpoints, modules
from genbench.trial.evaluation import Shared, TrialEvaluation, density_of
from genbench.trial.feature_cache import Features
from genbench.trial.identity import LAST, Assignment
from genbench.trial.logs import LOG
from genbench.trial.mixing import mixing
from genbench.trial.protocol import MODEL, Protocol, is_scored
from genbench.trial.selection import BestValid, KeepLast, Selector
from genbench.trial.tensor_files import save_tensors
from genbench.trial.torch_state import known_state, settled
from genbench.trial.training import ProgressCallback, Stop, TrainingRun

TRACEBACK = "traceback.txt"
PORTION = 2**26
"""How many values of samples are drawn before they are committed and let go: 256 MiB."""


class TrialRunner:
    """One trial under way in its folder. Each stage is committed when it ends: a kill loses only the one in hand."""

    def __init__(
        self,
        assignment: Assignment,
        folder: TrialFolder,
        record: TrialRecord,
        data: Prepared,
        device: torch.device,
        report_progress: ProgressCallback,
        stop: Stop,
        share: float = 1.0,
    ) -> None:
        self.record = record
        self.device = device
        self.is_crowded = False
        """Whether it ran out of memory where it had a part of a GPU."""
        self.is_begun_again = False
        """Whether another process is to go on, since a metric cost this one its GPU with others left to score."""
        self._share = share
        self._trial = assignment.trial
        self._assignment = assignment
        self._folder = folder
        self._report_progress = report_progress
        self._stop = stop
        self._data = data
        key = work_key(assignment, device)
        name = f"{key}-{assignment.fresh}" if assignment.fresh else key
        self._kept = folder.checkpoints(name, fresh=bool(assignment.fresh))
        density = density_of(self._trial.dataset.instantiate())
        kept = Features(data.digest, device)
        self._shared = Shared(data, device, self._samples, self._restored, density, kept, self._rows)
        self._drawn: Tensor | None = None
        self._shards: list[Path] = []  # found to be what was committed

    def begin(self) -> None:
        """Keep in the folder what is wanted, before anything is done, so that what never finished is known too.

        A trial that is to be trained anew keeps its old record until the new fit is there.
        """
        for protocol in self.protocols():
            if protocol.stage not in self.record.wanted:
                self.note(protocol)
        self.end("interrupted", "")

    def end(self, status: str, reason: str) -> None:
        """Keep in the record how the trial stands."""
        self.record = dataclasses.replace(self.record, status=status, reason=reason)
        if "fit" in self.record.stages or not self._folder.has_fit():
            self._folder.write(self.record)
        if status not in ("done", "interrupted"):
            self._kept.clear()  # it would come to the same again

    @contextlib.contextmanager
    def trial_environment(self, alone: bool) -> Iterator[None]:
        """Set the environment of a trial: its own output file, and the state of torch that all trials share."""
        strict = self._trial.model.distribution == BUILTIN
        with (
            environment.output_to(self._folder.path / "output.txt", alone),
            known_state(strict, self._assignment.threads, self.device),
        ):
            yield

    def run(self) -> None:
        """Do every stage that is missing. A metric that raises costs only its own score."""
        (self._folder.path / TRACEBACK).unlink(missing_ok=True)
        if "fit" not in self.record.stages:
            self._fit()
        self._leave_if_stopping()
        counts = [metric.traits["samples"] for metric in self._assignment.metrics]
        if max(counts, default=0):
            self._draw_all(max(counts))
        self._kept.clear()
        for protocol in sorted(self.protocols(), key=lambda p: bool(self.record.wanted[p.stage]["problem"])):
            self._leave_if_stopping()
            if self._assignment.fresh_scores or not is_scored(self.record, protocol):
                self.record = self.record.without(protocol.stage)
                self._try_to_score(protocol)

    def _try_to_score(self, protocol: Protocol) -> None:
        """Score under a protocol, or note what came in the way. Raises Interrupted where that cost the GPU."""
        try:
            self._score(protocol)
        except (StoreError, ChangedError):
            raise
        except (Exception, SystemExit) as error:
            self.keep_traceback()
            self.note(protocol, problem=describe(error))
            self.is_crowded |= self._share < 1 and gpu.is_out_of_gpu_memory(error)
            if not gpu.is_usable(self.device) and self._untried():
                self.is_begun_again = True
                raise Interrupted(f"{protocol.metric.label} left the GPU unusable: {printable(error)}") from error

    def _untried(self) -> bool:
        """Return whether some metrics have neither a score nor a recorded problem."""
        requests = self.record.wanted
        return any(not is_scored(self.record, p) and not requests[p.stage]["problem"] for p in self.protocols())

    @property
    def is_scored(self) -> bool:
        """Return whether it ended well and has every score that was asked for."""
        return self.record.status == "done" and all(is_scored(self.record, p) for p in self.protocols())

    def _leave_if_stopping(self) -> None:
        if self._stop():
            raise Interrupted("stopped between two stages")

    def keep_traceback(self) -> None:
        """Add the traceback of the error being handled to the folder."""
        with environment.opened(self._folder.path / TRACEBACK) as file:
            file.write(traceback.format_exc() + "\n")

    def protocols(self) -> list[Protocol]:
        """Return the protocols that this trial is to be scored under."""
        given, data, budget = self._assignment, self._trial.dataset_digest, self._trial.budget
        return [Protocol(metric, data, given.target, budget, given.resized) for metric in given.metrics]

    # fit

    def _fit(self) -> None:
        environment.reset_peak_memory(self.device)
        data = TrainingData(
            train=self._data.split("train", self.device),
            valid=self._data.split("valid", self.device),
            space=self._data.space,
        )
        model = self._built()
        parts = [
            part for split in (data.train, data.valid) for part in (split.images, split.labels) if part is not None
        ]
        keeper = Checkpoints(self._kept, model, self.device, self._assignment.checkpoint_every, parts)
        selector = self._selector(model, data.valid.images, parts)
        run = TrainingRun(
            self._trial.seed, self.device, self._trial.budget, self._report_progress, keeper, self._stop, selector
        )
        with seeding.seeded(self._trial.seed, "fit"), torch.enable_grad():
            model.fit(data, run)
        run.end_epoch()
        self._check_judged(selector)
        self._commit_fit(model, run)
        self._kept.clear()

    def _commit_fit(self, model: Model, run: TrainingRun) -> None:
        """Store the fitted model and its log, with what training took."""
        self.record = self._folder.commit(
            self.record,
            "fit",
            {
                MODEL: lambda path: state.save(model, path, optimisers=False, device=self.device),
                LOG: lambda path: path.write_text("".join(f"{x}\n" for x in run.lines), encoding="utf-8"),
            },
            run.seconds,
            details={
                "steps": run.step,
                **_size(model),
                "peak_memory_mib": max(environment.peak_memory_mib(self.device) or 0.0, run.peak) or None,
            },
        )

    def _selector(self, model: Model, valid: Tensor, data: Sequence[Tensor]) -> Selector:
        """Return what decides which state is kept, by the trial's rule."""
        if self._trial.select == LAST:
            return KeepLast()
        every = int(self._trial.select.partition(":")[2])
        return BestValid(self._kept, model, valid, self._trial.seed, every, data)

    def _check_judged(self, selector: Selector) -> None:
        """Raise Unsupported where the best state was asked for, and fit offered none to be judged."""
        if isinstance(selector, BestValid) and not selector.judged:
            raise Unsupported(
                f"--select {self._trial.select}: no state of {self._trial.model.label} can be judged while it trains, "
                "since no loop of its fit says run.batches(..., select=True); use --select last"
            )

    def _built(self) -> Model:
        return restoring.built(self._trial.model, self._data.space, self._trial.seed, self.device)

    def _restored(self) -> Model:
        return restoring.restored(self._trial.model, self._data.space, self._folder, self.record, self.device)

    # samples

    def _samples(self, n: int) -> Tensor:
        """Return the first n samples on the device; draws and commits the batches that are missing.

        Raises Unsupported where they were made elsewhere, and are fewer.
        """
        if self._drawn is None or len(self._drawn) < n:
            self._drawn = self._rows(0, n)
        return self._drawn[:n]

    def _rows(self, start: int, stop: int) -> Tensor:
        """Return samples start..stop-1 on the device, and read no others. Raises as `_samples` does."""
        self._draw_all(stop)
        found = restoring.sample_rows(self._shards, self._data.space, start, stop)
        if len(found) < stop - start:
            have = start + len(found)
            raise Unsupported(f"{stop} samples are asked for, and {have} images were given; give more images")
        return found.to(self.device)

    def _draw_all(self, n: int) -> None:
        """Have n samples stored: draw and commit the batches that are missing, a portion at a time."""
        stage = self.record.stages.get("samples")
        if stage and not restoring.are_of_model(self.record):
            self.record, stage = self.record.without("samples"), None  # of a model that was trained again since
        if stage and self.record.lacks("samples"):
            self._draw_again(stage)
        have = stage.details["batches"] if stage else 0
        size = stage.details["batch"] if stage else self._shared.model.sample_batch
        need = sampling.batches_for(n, size)
        portion = max(1, PORTION // (size * self._data.space.dim))
        for start in range(have, need, portion):
            self._draw(start, min(start + portion, need), size)
        if need > have or not self._shards:
            self._shards = restoring.shards(self._folder, self.record)

    def _draw_again(self, stage: Stage) -> None:
        """Draw the samples that were let go, into the same files, so that scores of them stay valid."""
        _ = self._shared.model  # which may have been let go too: then the samples stand in the record until it is there
        self.record = self.record.without("samples")
        for name in sorted(name for name in stage.files if name.endswith(sampling.SHARD)):
            first, last = map(int, Path(name).stem.split("-"))
            self._draw(first, last + 1, stage.details["batch"])

    def _draw(self, have: int, need: int, size: int) -> None:
        """Draw batches have..need-1 and commit them beside those there are; of chains with a log, a line a batch."""
        self._report_progress({"stage": "samples"})
        before = self.record.stages.get("samples")
        started = time.perf_counter()
        drawing = sampling.Drawing(self._shared.model, self._data.space, self._trial.seed, self.device)
        x = drawing.draw(range(have, need), self._kept, self._assignment.checkpoint_every, self._stop)
        seconds = time.perf_counter() - started + (before.seconds if before else 0.0)
        name = f"samples/{have:05d}-{need - 1:05d}"
        writers: dict[str, Callable[[Path], object]] = {
            f"{name}{sampling.SHARD}": lambda path: sampling.save_shard(path, x)
        }
        told = [{"batch": have + i, **self._mixing(part, size)} for i, part in enumerate(torch.split(x, size))]
        if self._trial.model.traits["chains"]:
            writers[f"{name}.{LOG}"] = lambda path: path.write_text("".join(f"{json.dumps(line)}\n" for line in told))
        self.record = self._folder.commit(
            self.record,
            "samples",
            writers,
            seconds,
            inputs={"model": restoring.model_digest(self.record)},
            details={"batch": size, "batches": need},
            keep=before.files if before else {},
        )

    def _mixing(self, samples: Tensor, batch: int) -> dict[str, float]:
        """Return how the chains mix that samples come from; {} where they are independent."""
        chains = self._trial.model.traits["chains"]
        return mixing(samples, chains, batch) if chains else {}

    # scores

    def _score(self, protocol: Protocol) -> None:
        """Score under a protocol, or note why the metric cannot."""
        self._report_progress({"stage": protocol.metric.label})
        with settled():
            metric: Metric = protocol.metric.instantiate()
        extractor = functools.partial(self._extractor, protocol) if protocol.extractor else None
        evaluation = TrialEvaluation(self._shared, protocol.target, self._trial.seed, protocol.id, extractor)
        started = time.perf_counter()
        with seeding.seeded(self._trial.seed, "evaluate", protocol.id), torch.enable_grad():
            skipped = metric.skip(evaluation)
            score = None if skipped else metric.evaluate(evaluation)
        gpu.wait_for(self.device)  # so that an error of its kernels is this metric's, and not the next one's
        if score is None:
            self.note(protocol, skipped=printable(skipped))
        else:
            self._commit_score(protocol, score, evaluation, time.perf_counter() - started)

    def _extractor(self, protocol: Protocol) -> FeatureExtractor:
        """Return a metric's extractor, made ready once for all metrics of the trial."""
        return self._shared.extractor(protocol.extractor or {}, self._data.digest)

    def _commit_score(self, protocol: Protocol, score: Score, evaluation: TrialEvaluation, seconds: float) -> None:
        samples, against = evaluation.samples_requested, evaluation.against if score.against is None else score.against
        _check_finite(protocol.metric.label, score)
        name = f"metrics/{protocol.stage}"
        inputs = {"model": restoring.model_digest(self.record), "dataset": self._trial.dataset_digest}
        extras = dict(score.extras)
        if samples:
            drawn = self.record.stages["samples"]
            inputs["samples"] = drawn.digest
            if self._trial.model.traits["chains"]:
                extras |= self._mixing(self._samples(samples), drawn.details["batch"])
        told = cautions(self._shared, self._assignment.target, samples) if samples else []
        used = self._extractor(protocol) if protocol.extractor else None
        if used is not None:
            inputs["extractor"] = used.digest
        content = {
            "protocol_id": protocol.id,
            "protocol": protocol.fields,
            "value": score.value,
            "stderr": score.stderr,
            "extras": extras,
            "samples": samples,
            "against": against,
            "inputs": inputs,
            "code": protocol.code,
            "notes": [printable(note, 200) for note in (*score.notes, *told)],
            **({"weights": used.weights_digest} if used is not None else {}),
        }
        writers: dict[str, Callable[[Path], object]] = {
            f"{name}.json": lambda path: path.write_text(files.sealed(content))
        }
        if score.per_example is not None:
            values = {"per_example": score.per_example.cpu().contiguous()}
            writers[f"{name}.safetensors"] = lambda path: save_tensors(values, path)
        self.note(protocol)
        self.record = self._folder.commit(self.record, protocol.stage, writers, seconds, inputs)

    def note(self, protocol: Protocol, problem: str = "", skipped: str = "") -> None:
        """Keep in the record that a protocol was asked for, and what came in the way."""
        request = {
            "metric": dataclasses.asdict(protocol.metric),
            "id": protocol.id,
            "words": protocol.in_words(),
            "target": protocol.target,
            "problem": problem,
            "skipped": skipped,
        }
        self.record = dataclasses.replace(self.record, wanted={**self.record.wanted, protocol.stage: request})


def work_key(assignment: Assignment, device: torch.device) -> str:
    """Return the digest of what a work must share with an interrupted one to go on where that was kept.

    With other code, on another device or with other threads it would come to other bits: it is begun anew.
    """
    now = environment.describe(device, assignment.threads, metadata.version(BUILTIN))
    place = [now[name] for name in ("device", "device_name", "threads", "torch", "genbench")]
    return files.digest([assignment.trial.id, assignment.trial.model.code, place], 16)


def _size(model: Model) -> dict[str, int | None]:
    """Return how many parameters a model has, or how many images stand in its place."""
    if isinstance(model, sampling.Given):
        return {"parameters": None, "images": model.count}
    return {"parameters": count_parameters(model)}


def _check_finite(metric: str, score: Score) -> None:
    for name, number in {"value": score.value, "stderr": score.stderr, **score.extras}.items():
        if number is not None and not math.isfinite(number):
            raise ValueError(f"{metric} returned {name} {number}")


def count_parameters(model: Model) -> int:
    """Return the number of parameters in a model's modules, shared ones counted once."""
    return sum(p.numel() for p in {id(p): p for m in modules(model) for p in m.parameters()}.values())
