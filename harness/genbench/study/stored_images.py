"""The models of a study: stored trials, whose samples are loaded or drawn again."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from genbench.data.cache import Prepared
from genbench.data.folders import cache_folder
from genbench.errors import GenbenchError, RequestError, printable
from genbench.figures.lacking import Lacking
from genbench.figures.subjects import Found, Stored, Subject, find
from genbench.figures.trained import Trained
from genbench.ranking.recorded import RecordedModel
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolver
from genbench.study.items import Item, items


@dataclass(frozen=True)
class Source:
    """A model with its trials on one dataset, one for each training seed; kind is ours or reference."""

    label: str
    kind: str
    trials: Sequence[Trained]

    @property
    def data(self) -> Prepared:
        """Return the prepared data. Raises DataError or RequestError where they are not those trained on."""
        try:
            return self.trials[0].data
        except Lacking as reason:
            raise RequestError(f"{self.label}: {printable(reason)}") from reason

    def images(self, n: int) -> list[Item]:
        """Return n images, those of the trials in turn, from the first sample of each on.

        Raises RequestError where they cannot be had.
        """
        each = [_images(self.label, trial, math.ceil(n / len(self.trials))) for trial in self.trials]
        return [image for row in zip(*each, strict=True) for image in row][:n]


def _images(label: str, trained: Trained, n: int) -> list[Item]:
    trial = trained.subject.first
    samples = _samples(trained, n)
    if len(samples) < n:
        raise RequestError(
            f"{trial} has {len(samples):,} images; expected {n:,}, with those of practice. Ask for fewer"
        )
    return items(label, trial.record.id, range(n), samples, trained.space.bounds)


def _samples(trained: Trained, n: int) -> Tensor:
    """Return the first n samples of a trial. Raises GenbenchError where there are none, whatever the plugin raises."""
    try:
        with trained.trial_environment("study"):
            return trained.samples(n)
    except GenbenchError:
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {printable(error)}"
        raise RequestError(
            f"no images of {trained.subject.first}: {why}; choose other models, as in --models gan,vae"
        ) from error


# Which ----------------------------------------------------------------------------------------------------------------


def sources(results: Path, models: Sequence[str], datasets: Sequence[str]) -> list[Source]:
    """Return the models asked for, or all but references, sorted by label; all are of one dataset.

    Raises RequestError where nothing is meant or several datasets are, StoreError where there are no results.
    """
    found = [find(model, results, datasets) for model in models or [""]]
    subjects = {subject.first.record.id: subject for each in found for subject in each.subjects}
    chosen = [each for each in subjects.values() if models or _kind(each) == "ours"]
    if not chosen:
        raise RequestError(_nothing(found))
    _check_one_dataset(chosen)
    resolver, typed = Resolver(load_registry(), cache_folder()), {*models, *datasets}
    return sorted((_source(each, chosen, resolver, typed) for each in chosen), key=lambda source: source.label)


def _kind(subject: Subject) -> str:
    return RecordedModel.read(subject.first.record.model).kind


def _source(subject: Subject, among: Sequence[Subject], resolver: Resolver, typed: set[str]) -> Source:
    """Return a subject as a source, each of its trials by itself; labels that several have get a trial's id too."""
    times = Counter(other.first.model for other in among)
    first = subject.first
    label = first.model if times[first.model] == 1 else f"{first.model} ({first.record.id})"
    device = torch.device("cpu")
    trials = [Trained(Subject([trial], subject.stem), resolver, device, typed) for trial in subject.trials]
    return Source(label, _kind(subject), trials)


def _check_one_dataset(subjects: Sequence[Subject]) -> None:
    there = sorted({subject.first.dataset for subject in subjects})
    if len(there) > 1:
        raise RequestError(
            f"models of several datasets: {printable(', '.join(there))}; expected those of one: --dataset {there[0]}"
        )


def _nothing(found: Sequence[Found]) -> str:
    """Return why no model is left."""
    untrained: list[Stored] = [trial for each in found for trial in each.untrained]
    references = sorted({str(subject.first.model) for each in found for subject in each.subjects})
    if references:
        names = ", ".join(references)
        return f"no model but references; to show these: --models {printable(names)}"
    why = f": {untrained[0]} ({untrained[0].record.status})" if untrained else ""
    return printable(f"no trained model in these results{why}; expected at least one. To train some: genbench run")
