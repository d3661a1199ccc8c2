"""Metrics used in memory as the harness does it in trials, on samples made for the purpose."""

from __future__ import annotations

import contextlib
import functools
from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor

from genbench.api import FeatureExtractor, Metric, Model, Score, Space, Split, TrainingData
from genbench.errors import GenbenchError
from genbench.testing.fixtures import Fixtures
from genbench.testing.outcomes import CheckSkipped
from genbench.trial import seeding
from genbench.trial.evaluation import Shared, TrialEvaluation
from genbench.trial.feature_cache import What, cache_identity, extracted

COUNT = 400
"""Samples that a metric is given, unless it needs more."""

AXES = 10
"""Values in a code of the model that hands them out."""


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


class Remembered:
    """Features of real splits, computed once for as long as the very images are in use."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, int], tuple[Tensor, Tensor]] = {}

    def get(self, extractor: FeatureExtractor, what: What, split: str, images: Tensor) -> Tensor:
        """Return features or logits of images, (n, d)."""
        key = (repr(cache_identity(extractor)), what, id(images))
        if key not in self._found:  # the images are kept too, so that no others get their id
            self._found[key] = (images, extracted(extractor, what, images)[what])
        return self._found[key][1]


class HandingOut(Model):
    """Stands in for the model that samples are of, for metrics that look at it: it hands the samples out.

    It knows independent Gaussian pixels with the samples' moments, and codes along the samples' principal axes. Its
    discriminate says 1/2, which is right where the samples are real images, and the more wrong the less they are like
    them.
    """

    def __init__(self, images: Tensor) -> None:
        self.images_ = images
        self._pixels = torch.distributions.Normal(images.mean(0), images.std(0, correction=0).clamp_min(0.05))

    def build(self, space: Space, device: torch.device) -> None:
        """Have the images already."""

    def fit(self, data: TrainingData, run: Any) -> None:
        """Learn nothing."""

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return the first n images."""
        return self.images_[:n]

    def log_prob(self, x: Tensor) -> Tensor:
        """Return the log density of independent Gaussian pixels, (n,)."""
        log_p: Tensor = self._pixels.log_prob(x).flatten(1).sum(1)  # type: ignore[no-untyped-call]
        return log_p

    def bound(self, x: Tensor) -> Tensor:
        """Return the log density, which is its own tightest bound, (n,)."""
        return self.log_prob(x)

    def log_weights(self, x: Tensor, k: int, generator: torch.Generator) -> Tensor:
        """Return the log density for each of k draws of nothing, (k, n)."""
        return self.log_prob(x).expand(k, -1)

    def energy(self, x: Tensor) -> Tensor:
        """Return minus the log density, (n,)."""
        return -self.log_prob(x)

    def log_partition(self, chains: int, temperatures: int, generator: torch.Generator) -> Tensor:
        """Return log weights of the constant 1, (chains,)."""
        return torch.zeros(chains, device=generator.device)

    def encode(self, x: Tensor) -> Tensor:
        """Return coordinates along the axes on which the samples vary most, (n, AXES) or fewer."""
        rows = self.images_.flatten(1).double()
        mean = rows.mean(0)
        axes = torch.linalg.svd((rows - mean).nan_to_num(), full_matrices=False).Vh[:AXES]  # (AXES, D)
        codes: Tensor = (x.flatten(1) - mean) @ axes.T
        return codes.float()  # of samples with NaN all are NaN, for their mean is

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return images halfway to the mean of the samples."""
        return (x + self.images_.mean(0)) / 2

    def discriminate(self, x: Tensor) -> Tensor:
        """Return 1/2 for each image, (n,)."""
        return x.new_full((len(x),), 0.5)


class Scoring:
    """Scores made samples with the subject's metric, `count` of them.

    The test split is parted: the first half, or a share of it, is the target; samples come from the second half, so
    that none of them is a target image. Where fewer than `count` samples are refused, there are as many as the metric
    asks for by default.
    """

    def __init__(
        self,
        fixtures: Fixtures,
        count: int | None = None,
        share: float = 1.0,
        features: Remembered | None = None,
    ) -> None:
        self._fixtures = fixtures
        self._features = Remembered() if features is None else features
        self._share = share
        self._begin(COUNT if count is None else count)
        if count is None and "samples" in fixtures.subject.options and not self.can_score():
            self._begin(fixtures.subject.options["samples"])

    def _begin(self, count: int) -> None:
        subject = self._fixtures.subject
        self.metric: Metric = subject.make(**({"samples": count} if "samples" in subject.options else {}))
        self.count = count

    def can_score(self) -> bool:
        """Return whether so many samples are not refused."""
        try:
            self.score(self.real)
        except (GenbenchError, ValueError):
            return False
        except Exception:
            return True  # no refusal: a check will tell
        return True

    def images(self) -> Images:
        """Return the real images: train, valid, and the half of test that is scored against, or a share of it."""
        splits = {name: self._fixtures.split(name) for name in ("train", "valid", "test")}
        splits["test"] = _first(splits["test"], round(self._share * (len(splits["test"]) // 2)))
        return Images(self._fixtures.data.space, splits)

    @property
    def real(self) -> Tensor:
        """Return real images that are neither target nor training images, (count, C, H, W)."""
        test = self._fixtures.split("test").images
        return _repeated(test[len(test) // 2 :], self.count)

    def noise(self, seed: int = 0) -> Tensor:
        """Return uniform noise within the bounds, (count, C, H, W)."""
        low, high = self._fixtures.data.space.bounds
        drawn = torch.rand(self.real.shape, generator=torch.Generator().manual_seed(seed))
        return (low + (high - low) * drawn).to(self._fixtures.device)

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

        fixtures = self._fixtures
        first = functools.partial(_repeated, samples)
        model = functools.partial(HandingOut, samples)
        shared = Shared(images, fixtures.device, first, model, fixtures.density, self._features)
        extractor = (lambda: fixtures.of_metric) if "extractor" in fixtures.subject.options else None
        return TrialEvaluation(shared, target, seed, "checked", extractor)

    @contextlib.contextmanager
    def in_trial(self, seed: int) -> Iterator[None]:
        """Be in what a trial scores in."""
        with self._fixtures.trial_environment(), seeding.seeded(seed, "evaluate"):
            yield


def _first(split: Split[Tensor], n: int) -> Split[Tensor]:
    return Split(split.images[:n], None if split.labels is None else split.labels[:n])


def _repeated(images: Tensor, n: int) -> Tensor:
    """Return the first n images, themselves; whole passes of them where there are fewer."""
    return images[:n] if n <= len(images) else images.repeat(-(-n // len(images)), 1, 1, 1)[:n]
