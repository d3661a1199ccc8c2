"""Models trained and sampled in memory as the harness does it in trials, briefly, and shared between checks."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from genbench import defaults
from genbench.abilities import LogProb
from genbench.api import FeatureExtractor, Metric, Model, Space, Split, TrainingData
from genbench.data.cache import Prepared, prepare
from genbench.data.folders import cache_folder
from genbench.defaults import DATASET
from genbench.errors import DataError, Unsupported
from genbench.registry.extractors import AUTO
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolved, Resolver
from genbench.store.sealed import SealedFolder
from genbench.testing.made_images import PLANE, SPACES, training_data
from genbench.testing.outcomes import CheckSkipped, fail
from genbench.testing.subject import Subject
from genbench.trial import sampling, seeding, state
from genbench.trial.checkpoints import Keeper, modules
from genbench.trial.evaluation import density_of
from genbench.trial.feature_cache import make_ready
from genbench.trial.identity import NO_BUDGET, Budget
from genbench.trial.torch_state import known_state, settled
from genbench.trial.training import TrainingRun

EPOCHS = 3
"""Epochs of each loop of a brief training."""

LOOPS = 1_000
"""Loops of one fit after which it is taken to go on for ever."""

LONG = 600
"""Steps of each loop of the one training that has to learn something."""


class KitRun(TrainingRun):
    """What fit is handed here: a run whose loops end early, and which knows whether it is inside one.

    Each loop ends after `epochs` epochs, or after `steps` steps; None is no bound. size is the largest batch that was
    asked for; ends are the steps after which an epoch was over.
    """

    def __init__(
        self, seed: int, device: torch.device, epochs: int | None = EPOCHS, steps: int | None = None, **more: Any
    ) -> None:
        super().__init__(seed, device, **more)
        self.inside = False
        self.size = 1
        self.ends: list[int] = []
        self._epochs = epochs
        self._steps_each = steps
        self._loops = 0

    def batches(self, data: Any, size: int, epochs: int, *, select: bool = False) -> Iterator[Any]:
        """Yield batches as the harness's run does, for some epochs or steps at most."""
        self._loops += 1
        if self._loops > LOOPS:
            fail(
                f"fit began its {self._loops}th loop over run.batches",
                "an end of it, also where a budget has run out",
                "Do not repeat loops until something is reached: run.batches yields nothing once the budget is spent.",
            )
        self.size = max(self.size, size)
        least = epochs if self._epochs is None else min(epochs, self._epochs)
        batches = super().batches(data, size, least, select=select)
        for batch in itertools.islice(batches, self._steps_each):
            self.inside = True
            try:
                yield batch
            finally:
                self.inside = False

    def end_epoch(self, epochs: int = 0) -> None:
        """Write the epoch's means, and note where it ended."""
        self.ends.append(self.step)
        super().end_epoch(epochs)


class Fixtures:
    """Trains the models that the checks of one subject look at; what several look at, once.

    dataset is the name of the real images that show whether something is learned; device what everything runs on.
    """

    def __init__(self, subject: Subject, dataset: str = DATASET, device: torch.device | str = "cpu") -> None:
        self.subject = subject
        self.device = torch.device(device)
        self.dataset = dataset
        self._brief: dict[Space, Model] = {}
        self._sizes: dict[Space, int] = {}

    # Real images

    @cached_property
    def _source(self) -> Resolved:
        return Resolver(load_registry(), cache_folder()).resolve("dataset", self.dataset)

    @cached_property
    def data(self) -> Prepared:
        """Return the real images, prepared."""
        return prepare(self._source.instantiate(), self._source.identity)

    @property
    def density(self) -> LogProb | None:
        """Return the true density of the real images, or None where it is not known."""
        return density_of(self._source.instantiate())

    def split(self, name: Any) -> Split[Tensor]:
        """Return a split of the real images, its tensors private to the caller."""
        return self.data.split(name, self.device)

    # Extraction

    def extractor(self) -> FeatureExtractor:
        """Return the subject, an extractor, or the one that the subject, a metric, names; ready for use here.

        Raises CheckSkipped where files that it needs are not here.
        """
        made = self.subject.make()
        if isinstance(made, Metric):
            made = Resolver(load_registry(), cache_folder()).resolve("extractor", self.extractor_name).instantiate()
        try:
            with self.trial_environment(), settled():
                make_ready(made, self.data.space, self.data.digest, self.training_data)
        except DataError as error:
            raise CheckSkipped(f"its files are not here: {error}") from error
        ready: FeatureExtractor = made
        return ready

    @cached_property
    def of_metric(self) -> FeatureExtractor:
        """Return the extractor that the subject, a metric, names: the same one at each call."""
        return self.extractor()

    @property
    def extractor_name(self) -> str:
        """Return what the subject, a metric, calls its extractor here, or "" where it has none."""
        named = str(self.subject.options.get("extractor", ""))
        if named != AUTO:
            return named
        return defaults.extractor(self.data.space, getattr(self.subject.cls, "own_classes", False))

    @property
    def label(self) -> str:
        """Return what the subject is called here: a metric's extractor stands in its name."""
        if not self.extractor_name or not self.subject.entry:
            return self.subject.label
        resolver = Resolver(load_registry(), cache_folder())
        return resolver.resolve("metric", self.subject.label, {"extractor": self.extractor_name}).label

    def training_data(self) -> TrainingData:
        """Return what may be learned from, on the device."""
        return TrainingData(self.split("train"), self.split("valid"), self.data.space)

    # Training

    @contextlib.contextmanager
    def trial_environment(self) -> Iterator[None]:
        """Be in what a trial runs in: deterministic, one thread, and nothing that a plugin changes stays."""
        with known_state(self.subject.is_builtin, threads=1, device=self.device):
            yield

    def built(self, space: Space, seed: int = 0, model: Model | None = None) -> Model:
        """Return a new model, or the one given, built for a space."""
        made: Model = self.subject.make() if model is None else model
        with self.trial_environment(), seeding.seeded(seed, "init"), settled():
            made.build(space, self.device)
        return made

    def fit(self, model: Model, data: TrainingData, run: KitRun, seed: int = 0) -> KitRun:
        """Fit a built model; return its run, with the log's last line written."""
        with self.trial_environment(), seeding.seeded(seed, "fit"):
            model.fit(data, run)
        run.end_epoch()
        return run

    def run(self, seed: int = 0, budget: Budget = NO_BUDGET, keeper: Keeper | None = None, **more: Any) -> KitRun:
        """Return the run of a brief training."""
        return KitRun(seed, self.device, budget=budget, keeper=keeper, **more)

    def trained_briefly(self, space: Space) -> Model:
        """Return a model trained for a few epochs on made images; the same one at each call. Raises Unsupported."""
        if space not in self._brief:
            model = self.built(space)
            self._sizes[space] = self.fit(model, self.on_device(training_data(space)), self.run()).size
            self._brief[space] = self.evaluating(model)
        return self._brief[space]

    def batch_size(self, space: Space) -> int:
        """Return the largest batch that the model asks for in training on a space."""
        self.trained_briefly(space)
        return self._sizes[space]

    @cached_property
    def home(self) -> Space:
        """Return the first space that the model does not refuse, its dataset's own last. Raises CheckSkipped."""
        refusals = []
        for space in (*SPACES, PLANE, self.data.space):
            try:
                self.trained_briefly(space)
            except Unsupported as refusal:
                refusals.append(str(refusal))
            else:
                return space
        raise CheckSkipped(f"it refuses every space it is tried on: {refusals[0]}")

    @cached_property
    def trained(self) -> Model:
        """Return a model trained on real images, for 600 steps a loop. Raises CheckSkipped where it refuses them."""
        try:
            model = self.built(self.data.space)
        except Unsupported as refusal:
            raise CheckSkipped(f"it refuses {self.dataset}: {refusal}") from refusal
        self.fit(model, self.training_data(), self.run(epochs=None, steps=LONG))
        return self.evaluating(model)

    def on_device(self, data: TrainingData) -> TrainingData:
        """Return training data on the device of the fixtures."""
        return TrainingData(self._moved(data.train), self._moved(data.valid), data.space)

    def _moved(self, split: Split[Tensor]) -> Split[Tensor]:
        labels = split.labels
        return Split(split.images.to(self.device), None if labels is None else labels.to(self.device))

    # Sampling

    def evaluating(self, model: Model) -> Model:
        """Return a model with its modules in eval mode, as samples are always drawn."""
        for module in modules(model):
            module.eval()
        return model

    def sample(self, model: Model, n: int, seed: int = 0) -> Tensor:
        """Return n samples, with all randomness from a stream of this seed. What they are like is not looked at."""
        with self.trial_environment(), seeding.seeded(seed, "sample", 0):
            return model.sample(n, seeding.stream(seed, "sample", 0, device=self.device))

    def draw(self, model: Model, space: Space, batches: range, seed: int = 0) -> Tensor:
        """Return batches of samples as a trial draws them, each from a stream of its own."""
        with self.trial_environment(), scratch() as folder:
            return sampling.Drawing(model, space, seed, self.device).draw(batches, SealedFolder(folder))

    def restored(self, model: Model, space: Space) -> Model:
        """Return a fresh build with the stored state of a model: what a trial samples from."""
        with scratch() as folder:
            state.save(model, folder / "model.safetensors", optimisers=False, device=self.device)
            fresh = self.built(space)
            state.restore(fresh, folder / "model.safetensors", self.device)
        return self.evaluating(fresh)


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """Yield an empty folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="genbench-check-") as folder:
        yield Path(folder)
