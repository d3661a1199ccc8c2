"""Metrics used in memory as the harness does it in trials, on samples made for the purpose."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor

from genbench.api import Metric, Model, Score, Space, Split, TrainingData
from genbench.errors import DataError
from genbench.testing.laboratory import Laboratory
from genbench.testing.outcomes import CheckSkipped
from genbench.trial import seeding
from genbench.trial.evaluation import Shared, TrialEvaluation

COUNT = 400
"""Samples that a metric is given, and images of the target split."""


class Images:
    """The splits of a dataset in memory: tensors that can be counted, changed and compared."""

    def __init__(self, space: Space, splits: dict[str, Split[Tensor]]) -> None:
        self.space = space
        self.splits = splits
        self.reads: Counter[str] = Counter()

    def split(self, name: Literal["train", "valid", "test"], device: torch.device | str = "cpu") -> Split[Tensor]:
        """Return a split, and count that it was asked for."""
        self.reads[name] += 1
        return self.splits[name]


class HandingOut(Model):
    """Stands in for the model that samples are of, for metrics that look at it.

    It can sample, and cannot tell: its discriminate says 1/2, which is right where the samples are real images, and
    the more wrong the less they are like them.
    """

    def __init__(self, images: Tensor) -> None:
        self.images_ = images

    def build(self, space: Space, device: torch.device) -> None:
        """Have the images already."""

    def fit(self, data: TrainingData, run: Any) -> None:
        """Learn nothing."""

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return the first n images."""
        return self.images_[:n]

    def discriminate(self, x: Tensor) -> Tensor:
        """Return 1/2 for each image, (n,)."""
        return x.new_full((len(x),), 0.5)


class Scoring:
    """Scores made samples with the subject's metric, `count` of them, against as many target images."""

    def __init__(self, laboratory: Laboratory, count: int = COUNT) -> None:
        self._laboratory = laboratory
        options = laboratory.subject.options
        changed = {"samples": count} if "samples" in options else {}
        self.metric: Metric = laboratory.subject.make(**changed)
        self.count = count

    def images(self) -> Images:
        """Return the real images, the splits scored against cut to `count`."""
        splits = {name: self._laboratory.split(name) for name in ("train", "valid", "test")}
        cut = {name: _first(split, self.count) if name != "train" else split for name, split in splits.items()}
        return Images(self._laboratory.data.space, cut)

    @property
    def real(self) -> Tensor:
        """Return real images that no split scored against by default but test holds, (count, C, H, W)."""
        return _repeated(self._laboratory.split("test").images, self.count)

    def noise(self, seed: int = 0) -> Tensor:
        """Return uniform noise within the bounds, (count, C, H, W)."""
        low, high = self._laboratory.data.space.bounds
        drawn = torch.rand(self.real.shape, generator=torch.Generator().manual_seed(seed))
        return (low + (high - low) * drawn).to(self._laboratory.device)

    def noisy(self, share: float) -> Tensor:
        """Return real images with a share of each pixel replaced by noise; 0 gives them as they are."""
        return (1 - share) * self.real + share * self.noise()

    def score(
        self,
        samples: Tensor,
        images: Images | None = None,
        target: Literal["test", "valid"] = "test",
        seed: int = 0,
    ) -> Score:
        """Return the metric's score of samples. Raises CheckSkipped where it says that it cannot score here."""
        evaluation = self.evaluation(samples, images or self.images(), target, seed)
        with self.in_trial(seed):
            if reason := self.metric.skip(evaluation):
                raise CheckSkipped(f"it says that it cannot score here: {reason}")
            return self.metric.evaluate(evaluation)

    def evaluation(self, samples: Tensor, images: Images, target: Any, seed: int) -> TrialEvaluation:
        """Return what the metric is handed."""

        def first(n: int) -> Tensor:
            if n > len(samples):
                raise DataError(f"{n} samples are asked for, of {len(samples)}")
            return samples[:n]

        laboratory = self._laboratory
        shared = Shared(images, laboratory.device, first, lambda: HandingOut(samples), laboratory.density)
        return TrialEvaluation(shared, target, seed, "checked")

    @contextlib.contextmanager
    def in_trial(self, seed: int) -> Iterator[None]:
        """Be in what a trial scores in."""
        with self._laboratory.surroundings(), seeding.seeded(seed, "evaluate"):
            yield


def _first(split: Split[Tensor], n: int) -> Split[Tensor]:
    return Split(split.images[:n], None if split.labels is None else split.labels[:n])


def _repeated(images: Tensor, n: int) -> Tensor:
    """Return n images, whole passes of them where there are fewer."""
    return images.repeat(-(-n // len(images)), 1, 1, 1)[:n]
