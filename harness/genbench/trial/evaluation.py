"""What a metric is handed: each thing it may ask for is computed once and shared between the metrics of a trial."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Literal, Protocol

import torch
from torch import Tensor

from genbench.abilities import LogProb
from genbench.api import Dataset, FeatureExtractor, Model, Space, Split
from genbench.trial import seeding


class Images(Protocol):
    """Where splits come from: a prepared dataset, or what stands for one."""

    @property
    def space(self) -> Space:
        """The space of the images."""

    def split(self, name: Literal["train", "valid", "test"], device: torch.device | str = "cpu") -> Split[Tensor]:
        """Return a split on a device."""


def density_of(dataset: Dataset) -> LogProb | None:
    """Return a dataset's true density, which is the dataset itself, or None where it is not known."""
    return dataset if isinstance(dataset, LogProb) else None


class Shared:
    """What all metrics of a trial share: splits, samples, features, and the fitted model, each loaded when first used.

    samples(n) returns the first n samples; model() the fitted model; density is the data's, where it is known.
    """

    def __init__(
        self,
        data: Images,
        device: torch.device,
        samples: Callable[[int], Tensor],
        model: Callable[[], Model],
        density: LogProb | None = None,
    ) -> None:
        self.data = data
        self.device = device
        self.samples = samples
        self.density = density
        self._model = model
        self._splits: dict[str, Split[Tensor]] = {}
        self._features: dict[tuple[object, str, int], Tensor] = {}

    @cached_property
    def model(self) -> Model:
        """Return the fitted model."""
        return self._model()

    def split(self, name: Literal["train", "valid", "test"]) -> Split[Tensor]:
        """Return a split on the device."""
        if name not in self._splits:
            self._splits[name] = self.data.split(name, self.device)
        return self._splits[name]

    @torch.no_grad()
    def features(self, extractor: FeatureExtractor, of: str, images: Tensor) -> Tensor:
        """Return the extractor's features of images, (n, d), computed in batches; `of` names the images."""
        key = (_named(extractor), of, len(images))
        if key not in self._features:
            self._features[key] = torch.cat([extractor.features(batch) for batch in torch.split(images, 1000)])
        return self._features[key]


class TrialEvaluation:
    """The harness's side of `genbench.Evaluation`, for one metric: the target split, and a random stream of its own."""

    def __init__(self, shared: Shared, target: Literal["test", "valid"], seed: int, protocol_id: str) -> None:
        self.space: Space = shared.data.space
        self.device = shared.device
        self.density = shared.density
        self.generator = seeding.stream(seed, "evaluate", protocol_id, device=shared.device)
        self.asked = 0  # the greatest number of samples asked for
        self._shared = shared
        self._target = target

    @property
    def target(self) -> Split[Tensor]:
        """Return the split scored against."""
        return self._shared.split(self._target)

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

    def samples(self, n: int) -> Tensor:
        """Return the first n samples, (n, C, H, W)."""
        self.asked = max(self.asked, n)
        return self._shared.samples(n)

    def features(self, extractor: FeatureExtractor, of: Literal["target", "train", "samples"], n: int = 0) -> Tensor:
        """Return features of a split, or of the first n samples, (n, d)."""
        if of == "samples":
            if n < 1:
                raise ValueError(
                    "features of samples: expected n, how many samples; as in features(e, 'samples', 1000)"
                )
            return self._shared.features(extractor, of, self.samples(n))
        name = self._target if of == "target" else of
        return self._shared.features(extractor, name, self._shared.split(name).images)


def _named(extractor: FeatureExtractor) -> tuple[object, ...]:
    """Return what tells extractors apart: class, options and digest, should a digest forget an option."""
    return type(extractor), repr(sorted(vars(extractor).items(), key=lambda item: item[0])), extractor.digest
