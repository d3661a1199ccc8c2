"""What a metric is handed: each thing it may ask for is computed once and shared between the metrics of a trial."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any, Literal, Protocol, TypeVar

import torch
from torch import Tensor

from genbench import files
from genbench.abilities import LogProb
from genbench.api import Dataset, FeatureExtractor, ImageSet, Model, Space, Split, TrainingData
from genbench.data.cache import SplitName
from genbench.errors import ChangedError
from genbench.registry.resolve import Resolved
from genbench.trial import feature_cache, seeding
from genbench.trial.feature_cache import What
from genbench.trial.torch_state import settled

T = TypeVar("T")


class Images(Protocol):
    """Where splits come from: a prepared dataset, or what stands for one."""

    @property
    def space(self) -> Space:
        """The space of the images."""

    def split(self, name: SplitName, device: torch.device | str = "cpu") -> Split[Tensor]:
        """Return a split on a device."""


class KeepsFeatures(Protocol):
    """Where features of real splits are kept."""

    def get(self, extractor: FeatureExtractor, what: What, split: str, images: Tensor) -> Tensor:
        """Return features or logits of a split, (n, d)."""


def density_of(dataset: Dataset) -> LogProb | None:
    """Return a dataset's true density, which is the dataset itself, or None where it is not known."""
    return dataset if isinstance(dataset, LogProb) else None


class Shared:
    """What all metrics of a trial share: splits, samples, features, and the fitted model, each loaded when first used.

    samples(n) returns the first n samples; model() the fitted model; density is the data's, where it is known;
    features keeps those of real splits, where there is a place for them; rows(start, stop) returns samples
    start..stop-1, where they need not all be held at once.
    """

    def __init__(
        self,
        data: Images,
        device: torch.device,
        samples: Callable[[int], Tensor],
        model: Callable[[], Model],
        density: LogProb | None = None,
        features: KeepsFeatures | None = None,
        rows: Callable[[int, int], Tensor] | None = None,
    ) -> None:
        self.data = data
        self.device = device
        self.samples = samples
        self.density = density
        self._model = model
        self._features = features
        self._rows = rows or (lambda start, stop: samples(stop)[start:stop])
        self._computed: dict[str, Any] = {}

    @cached_property
    def model(self) -> Model:
        """Return the fitted model."""
        return self._model()

    def once(self, key: str, compute: Callable[[], T]) -> T:
        """Return what compute returns the first time that this key is asked for."""
        if key not in self._computed:
            self._computed[key] = compute()
        found: T = self._computed[key]
        return found

    def split(self, name: SplitName) -> Split[Tensor]:
        """Return a split on the device."""
        return self.once(f"split {name}", lambda: self.data.split(name, self.device))

    def training_data(self) -> TrainingData:
        """Return what an extractor may learn from."""
        return TrainingData(self.split("train"), self.split("valid"), self.data.space)

    def extractor(self, resolved: Mapping[str, Any], dataset: str) -> FeatureExtractor:
        """Return a feature extractor, ready for use on a dataset of this digest."""

        def make() -> FeatureExtractor:
            with settled():
                extractor: FeatureExtractor = Resolved(**resolved).instantiate()
                feature_cache.make_ready(extractor, self.data.space, dataset, self.training_data)
            if (planned := resolved["traits"]["digest"]) != extractor.digest:
                raise ChangedError(
                    f"extractor {resolved['label']} is {extractor.digest}; planned was {planned}: run again"
                )
            return extractor

        return self.once(f"extractor {files.digest([resolved, dataset])}", make)

    def of_split(self, extractor: FeatureExtractor, what: What, name: SplitName) -> Tensor:
        """Return features or logits of a split, (n, d)."""

        if self._features is None:
            return self._extracted(extractor, what, name, lambda: self.split(name).images)
        kept = self._features
        key = f"kept {what} of {name} by {feature_cache.cache_identity(extractor)}"
        return self.once(key, lambda: kept.get(extractor, what, name, self.split(name).images))

    def sampled(self, n: int, step: int = 1) -> Iterator[Tensor]:
        """Yield every step-th of the first n samples batch by batch, so that they need not all be held at once."""
        for start in range(0, n, feature_cache.BATCH):
            part = self._rows(start, min(start + feature_cache.BATCH, n))[-start % step :: step]
            if len(part):
                yield part

    def of_samples(self, extractor: FeatureExtractor, what: What, n: int) -> Tensor:
        """Return features or logits of the first n samples, (n, d): batch by batch, which other counts share."""
        parts = []
        for start in range(0, n, feature_cache.BATCH):
            stop = min(start + feature_cache.BATCH, n)
            rows = functools.partial(self._rows, start, stop)
            parts.append(self._extracted(extractor, what, f"samples {start} to {stop}", rows))
        return torch.cat(parts)

    def _extracted(self, extractor: FeatureExtractor, what: What, of: str, images: Callable[[], Tensor]) -> Tensor:
        """Return features or logits, and keep both where one pass gave them."""
        key = f"of {of} by {feature_cache.cache_identity(extractor)}"
        found = self.once(f"{what} {key}", lambda: feature_cache.extracted(extractor, what, images()))
        for other in found:
            self.once(f"{other} {key}", lambda: found)
        return found[what]


class TrialEvaluation:
    """The harness's side of `genbench.Evaluation`, for one metric: the target split, and a random stream of its own."""

    def __init__(
        self,
        shared: Shared,
        target: Literal["test", "valid"],
        seed: int,
        protocol_id: str,
        extractor: Callable[[], FeatureExtractor] | None = None,
    ) -> None:
        self.space: Space = shared.data.space
        self.device = shared.device
        self.density = shared.density
        self.generator = seeding.stream(seed, "evaluate", protocol_id, device=shared.device)
        self._seed = seed
        self.samples_requested = 0  # the greatest number of samples asked for
        self.against = 0  # how many images of the split scored against were asked for
        self._shared = shared
        self._target: SplitName = target
        self._extractor = extractor

    @property
    def extractor(self) -> FeatureExtractor:
        """Return the metric's feature extractor."""
        if self._extractor is None:
            raise ValueError("this metric has no extractor: expected one with an option `extractor`")
        return self._extractor()

    @property
    def target(self) -> Split[Tensor]:
        """Return the split scored against."""
        found = self._shared.split(self._target)
        self.against = len(found)
        return found

    @property
    def train(self) -> Split[Tensor]:
        """Return the training split."""
        return self._shared.split("train")

    @property
    def valid(self) -> Split[Tensor]:
        """Return the validation split."""
        return self._shared.split("valid")

    @property
    def model(self) -> Model:
        """Return the fitted model."""
        return self._shared.model

    def stream(self, name: str) -> torch.Generator:
        """Return the stream of a name that all metrics of a trial share, on the CPU."""
        return seeding.stream(self._seed, "evaluate", "shared", name)

    def samples(self, n: int) -> Tensor:
        """Return the first n samples, (n, C, H, W)."""
        self.samples_requested = max(self.samples_requested, n)
        return self._shared.samples(n)

    def features(self, extractor: FeatureExtractor, of: ImageSet, n: int = 0) -> Tensor:
        """Return features of a split, or of the first n samples, (n, d)."""
        return self._of("features", extractor, of, n)

    def logits(self, extractor: FeatureExtractor, of: ImageSet, n: int = 0) -> Tensor:
        """Return logits of a split, or of the first n samples, (n, classes)."""
        return self._of("logits", extractor, of, n)

    def _of(self, what: What, extractor: FeatureExtractor, of: ImageSet, n: int) -> Tensor:
        if of == "target":
            found = self._shared.of_split(extractor, what, self._target)
            self.against = len(found)
            return found
        if of != "samples":
            return self._shared.of_split(extractor, what, of)
        if n < 1:
            raise ValueError(f"{what} of samples: expected n, how many samples; as in {what}(e, 'samples', 1000)")
        self.samples_requested = max(self.samples_requested, n)
        return self._shared.of_samples(extractor, what, n)

    def once(self, key: str, compute: Callable[[], T]) -> T:
        """Return what compute returns, computed once for all metrics of a trial that ask by this key.

        The images that it asked for count as asked for by each of them.
        """

        def counted() -> tuple[T, int, int]:
            others, (self.samples_requested, self.against) = (self.samples_requested, self.against), (0, 0)
            found = compute()
            mine, (self.samples_requested, self.against) = (self.samples_requested, self.against), others
            return found, *mine

        found, requested, against = self._shared.once(f"{self._target}: {key}", counted)
        self.samples_requested = max(self.samples_requested, requested)
        self.against = max(self.against, against)
        return found
