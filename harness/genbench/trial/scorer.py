"""The last stages of a trial: a score under each protocol, or a note why there is none."""

from __future__ import annotations

import functools
import math
import time
from typing import Any

import torch

from genbench import files
from genbench.api import FeatureExtractor, Metric, Model, Score
from genbench.errors import printable
from genbench.store.bounds import GREATEST
from genbench.store.trial_folder import Writer
from genbench.trial import gpu, restoring, seeding
from genbench.trial.cautions import cautions
from genbench.trial.evaluation import Shared, TrialEvaluation, density_of
from genbench.trial.feature_cache import Features
from genbench.trial.protocol import Protocol
from genbench.trial.stored_samples import StoredSamples
from genbench.trial.tensor_files import save_tensors
from genbench.trial.torch_state import settled
from genbench.trial.work import TrialWork


class Scorer:
    """Scores a trial under way; what metrics share is computed once."""

    def __init__(self, work: TrialWork) -> None:
        self._work = work
        self.samples = StoredSamples(work, lambda: self._shared.model)
        density = density_of(work.trial.dataset.instantiate())
        kept = Features(work.data.digest, work.device)
        self._shared = Shared(
            work.data, work.device, self.samples.first, self._restored, density, kept, self.samples.rows
        )

    def score(self, protocol: Protocol) -> None:
        """Score under a protocol and commit the score, or note why the metric skips it. Raises what the metric does."""
        work = self._work
        work.report_progress({"stage": protocol.metric.label})
        with settled():
            metric: Metric = protocol.metric.instantiate()
        extractor = functools.partial(self._extractor, protocol) if protocol.extractor else None
        evaluation = TrialEvaluation(self._shared, protocol.target, work.trial.seed, protocol.id, extractor)
        started = time.perf_counter()
        with seeding.seeded(work.trial.seed, "evaluate", protocol.id), torch.enable_grad():
            skipped = metric.skip(evaluation)
            score = None if skipped else metric.evaluate(evaluation)
        gpu.wait_for(work.device)  # so that an error of its kernels is this metric's, and not the next one's
        if score is None:
            work.note(protocol, skipped=printable(skipped))
        else:
            self._commit(protocol, score, evaluation, time.perf_counter() - started)

    def _restored(self) -> Model:
        work = self._work
        return restoring.restored(work.trial.model, work.data.space, work.folder, work.record, work.device)

    def _extractor(self, protocol: Protocol) -> FeatureExtractor:
        """Return a metric's extractor, made ready once for all metrics of the trial."""
        return self._shared.extractor(protocol.extractor or {}, self._work.data.digest)

    def _commit(self, protocol: Protocol, score: Score, evaluation: TrialEvaluation, seconds: float) -> None:
        _check_finite(protocol.metric.label, score)
        content = self._content(protocol, score, evaluation)
        name = f"metrics/{protocol.stage}"
        writers: dict[str, Writer] = {f"{name}.json": lambda path: path.write_text(files.sealed(content))}
        if score.per_example is not None:
            values = {"per_example": score.per_example.cpu().contiguous()}
            writers[f"{name}.safetensors"] = lambda path: save_tensors(values, path)
        self._work.note(protocol)
        self._work.commit(protocol.stage, writers, seconds, inputs=content["inputs"])

    def _content(self, protocol: Protocol, score: Score, evaluation: TrialEvaluation) -> dict[str, Any]:
        """Return what the file of a score holds."""
        samples = evaluation.samples_requested
        used = self._extractor(protocol) if protocol.extractor else None
        mixing = self.samples.mixing_of_first(samples) if samples else {}
        warned = cautions(self._shared, self._work.assignment.target, samples) if samples else []
        return {
            "protocol_id": protocol.id,
            "protocol": protocol.fields,
            "value": score.value,
            "stderr": score.stderr,
            "extras": {**score.extras, **mixing},
            "samples": samples,
            "against": evaluation.against if score.against is None else score.against,
            "inputs": self._inputs(samples, used),
            "code": protocol.code,
            "notes": [printable(note, 200) for note in (*score.notes, *warned)],
            **({"weights": used.weights_digest} if used is not None else {}),
        }

    def _inputs(self, samples: int, used: FeatureExtractor | None) -> dict[str, str]:
        """Return the digests of what a score was computed from."""
        record = self._work.record
        return {
            "model": restoring.model_digest(record),
            "dataset": self._work.trial.dataset_digest,
            **({"samples": record.stages["samples"].digest} if samples else {}),
            **({"extractor": used.digest} if used is not None else {}),
        }


def _check_finite(metric: str, score: Score) -> None:
    for name, number in {"value": score.value, "stderr": score.stderr, **score.extras}.items():
        if number is not None and not (math.isfinite(number) and abs(number) < GREATEST):
            raise ValueError(f"{metric} returned {name} {number}; expected a number of less than {GREATEST:g} in size")
