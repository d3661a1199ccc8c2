"""A trial ready to be drawn: its model restored, its data prepared, its samples read, each when first asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from genbench import files
from genbench.api import Dataset, Model, Space
from genbench.data.cache import Prepared, prepare
from genbench.errors import DataError, GenbenchError, PluginError, printable
from genbench.figures.arrangement import USUAL, Layout
from genbench.figures.lacking import Lacking
from genbench.figures.subjects import Subject
from genbench.ranking.recorded import RecordedModel
from genbench.registry import spec
from genbench.registry.plugins import BUILTIN
from genbench.registry.resolve import Resolved, Resolver
from genbench.trial import restoring, sampling, seeding, sources
from genbench.trial.logs import LOG
from genbench.trial.torch_state import known_state


class Trained:
    """What the figures of a subject are drawn from.

    typed are the names that the user gave; steps those of training that are asked for, None where it ended; layout
    is that of its figures.
    """

    def __init__(
        self,
        subject: Subject,
        resolver: Resolver,
        device: torch.device,
        typed: Collection[str],
        steps: Sequence[int | None] = (),
        layout: Layout = USUAL,
    ) -> None:
        self.subject = subject
        self.layout = layout
        self.device = device
        self.steps = steps
        self._stored = subject.first
        self._record = subject.first.record
        self._resolver = resolver
        self._typed = typed

    @property
    def space(self) -> Space:
        """Return the space of the images: of the data, or what the record holds where these cannot be had."""
        stored = self._record.dataset.get("space")
        if not stored or not self.missing:
            return self.data.space
        channels, height, width = stored["shape"]
        low, high = stored["bounds"]
        return Space((channels, height, width), stored["classes"], (low, high))

    @cached_property
    def missing(self) -> str:
        """Return why the data that was trained on cannot be had here, or ""."""
        try:
            _ = self.data
        except (GenbenchError, Lacking) as error:
            return printable(error)
        return ""

    @cached_property
    def resolved(self) -> Resolved:
        """Return the model's plugin. Raises PluginError where it is no longer what was trained."""
        if RecordedModel.read(self._record.model).is_given:
            return sources.again(self._record.model)
        resolved = self.plugin("model", self._record.model["label"])
        if files.digest(resolved.identity) != files.digest(self._record.identity["model"]):
            raise PluginError(
                f"{self._stored.model} of {resolved.distribution}, version {resolved.version}, is not what was trained "
                f"(version {self._record.model['version']} of {self._record.model['distribution']}); train it again: "
                "genbench run"
            )
        return resolved

    @property
    def able(self) -> Collection[str]:
        """Return the names of the model's abilities."""
        abilities: list[str] = self.resolved.traits["abilities"]
        return abilities

    @cached_property
    def model(self) -> Model:
        """Return the restored model. Raises DamagedError where what is stored is not what was committed."""
        return restoring.restored(self.resolved, self.space, self._stored.folder, self._record, self.device)

    @cached_property
    def dataset(self) -> Dataset:
        """Return the dataset's plugin."""
        dataset: Dataset = self.plugin("dataset", self._stored.dataset).instantiate()
        return dataset

    @cached_property
    def data(self) -> Prepared:
        """Return the prepared data. Raises DataError where it is no longer what was trained on."""
        data = prepare(self.dataset, self.plugin("dataset", self._stored.dataset).identity)
        if data.digest != self._record.dataset["digest"]:
            raise DataError(
                f"{self._stored.dataset} is no longer the data that was trained on; expected the same files"
            )
        return data

    def plugin(self, kind: str, label: str) -> Resolved:
        """Return the plugin of a label. Raises Lacking for code in a file that the user does not name."""
        name = spec.plain(label)
        if spec.is_file(name) and not any(spec.plain(typed) == name for typed in self._typed):
            given = "" if kind == "model" else f"--{kind} "
            raise Lacking(f"{kind} {label} is code in a file, which is run only where you name it: give {given}{label}")
        return self._resolver.resolve(kind, label)

    def generator(self, kind: str) -> torch.Generator:
        """Return the random stream of a kind of figure, on the device."""
        return seeding.stream(self._record.seed, "figure", kind, device=self.device)

    @contextlib.contextmanager
    def trial_environment(self, kind: str) -> Iterator[None]:
        """Be in what the trial ran in, so that the same trial gives the same pixels."""
        with (
            known_state(self._record.model["distribution"] == BUILTIN, threads=1, device=self.device),
            seeding.seeded(self._record.seed, "figure", kind),
            torch.no_grad(),
        ):
            yield

    def samples(self, n: int) -> Tensor:
        """Return the first n samples on the device: those that are scored, read where stored and else drawn.

        Of images made elsewhere there may be fewer.
        """
        stored = self._stored_samples()
        if len(stored) < n and len(stored) % (size := self.model.sample_batch) == 0:  # one that is not full is the last
            drawing = sampling.Drawing(self.model, self.space, self._record.seed, self.device)
            missing = range(len(stored) // size, sampling.batches_for(n, size))
            stored = torch.cat([stored, *(drawing.draw_batch(batch) for batch in missing)])
        return stored[:n].to(self.device)

    def _stored_samples(self) -> Tensor:
        """Return the samples of this very model that are stored, (n, C, H, W); n may be 0."""
        if not restoring.has_samples(self._record):
            return torch.zeros(0, *self.space.shape)
        return restoring.samples(self._stored.folder, self._record, self.space)

    def logs(self) -> list[Path]:
        """Return the logs of all seeds. Raises DamagedError where one is not what was committed."""
        return [
            trial.folder.checked(trial.record, "fit", LOG)
            for trial in self.subject.trials
            if LOG in trial.record.stages["fit"].files
        ]


class Snapshot(Trained):
    """A trial with its model as it was while it was trained: samples of it are drawn."""

    def __init__(self, whole: Trained, model: Model) -> None:
        super().__init__(whole.subject, whole._resolver, whole.device, whole._typed, layout=whole.layout)
        self.model, self.data = model, whole.data

    def _stored_samples(self) -> Tensor:
        return torch.zeros(0, *self.space.shape)
