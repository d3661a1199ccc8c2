"""The Frechet distance between features of samples and of real images (Heusel et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge
from torch import Tensor

import genbench
from genbench.numerics.frechet import (
    Gaussian,
    frechet_at_infinity,
    frechet_distance,
    frechet_distance_of_features,
    frechet_standard_error,
    gaussian,
)
from genbench_plugins.metrics import published_statistics
from genbench_plugins.metrics.features import FeatureMetric, some

SPLITS: tuple[Literal["train", "valid", "test"], ...] = ("train", "valid", "test")


@dataclass(eq=False)
class FID(FeatureMetric):
    """Squared Frechet distance between Gaussians fitted to features; with Inception's it is the FID.

    It is taken against the test images: against those of training, a model that copies them would score 0. How much
    nearer samples are to training images than to as many others is among the extras (`train_gap`, 0 where they are as
    near to both). The distance is biased, the more the fewer images there are: compare at equal counts, which the
    protocol holds, or with `at_infinity`, which draws a line through subsets of the samples to infinitely many of them
    (Chong & Forsyth 2020). Its standard error is that of drawing the samples alone: a jackknife over blocks of them;
    extrapolated, it has none.

    The preset `cifar10-50k` is what papers report: 50,000 samples against the 50,000 images that are not for test.
    `against=all` takes all images of a dataset, as two folders are compared in full. `statistics` names a .npz file of
    `mu` and `sigma` to compare with in place of images, as pytorch-fid and clean-fid publish them: they mean something
    with the features, and the way of resizing, that they were made with. What counts is the file's content.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Fréchet distance"
    unit: ClassVar[str] = "squared distance of features"
    higher_is_better: ClassVar[bool] = False
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "cifar10-50k": {"extractor": "inception", "against": "train+valid", "samples": 50_000},
    }

    against: Literal["target", "train", "train+valid", "all"] = "target"  # target is the split scored against: test
    at_infinity: bool = False
    blocks: Annotated[int, Ge(2)] = 10  # of samples, for the standard error
    statistics: genbench.File | None = None

    def __post_init__(self) -> None:
        """Refuse two things to compare with."""
        if self.statistics and self.against != "target":
            raise ValueError(f"against={self.against} and statistics; expected one of both")

    @cached_property
    def _published(self) -> Gaussian:
        assert self.statistics is not None
        return published_statistics.read(self.statistics)

    @property
    def uses_target(self) -> bool:  # type: ignore[override]
        """Whether the distance is that to the split scored against."""
        return self.against == "target" and not self.statistics

    def evaluate(self, evaluation: genbench.Evaluation) -> genbench.Score:
        """Return the distance, its jackknife standard error and the gap between test and train."""
        fake = self.of_samples(evaluation)
        real = None if self.statistics else self._real(evaluation)
        fitted = self._fitting(fake) if real is None else gaussian(real)
        value = frechet_distance(fitted, gaussian(fake)) if real is None else frechet_distance_of_features(real, fake)
        stderr = frechet_standard_error(fitted, fake, self.blocks) if len(fake) >= 2 * self.blocks else None
        extras = {} if real is None or self.against != "target" else {"train_gap": self._gap(evaluation, real, fake)}
        if self.at_infinity:
            extras |= {"all_samples": value, **({"all_samples_stderr": stderr} if stderr is not None else {})}
            stderr = None  # that of the line through subsets is not known
            value = frechet_at_infinity(fitted, fake, evaluation.stream("at infinity")).value
        return genbench.Score(value, stderr, extras, against=None if real is None else len(real))

    def _fitting(self, fake: Tensor) -> Gaussian:
        """Return the published Gaussian where it is one of such features. Raises DataError."""
        found, name = self._published, self.statistics.name if self.statistics else ""
        if len(found.mean) != fake.shape[1]:
            raise genbench.DataError(
                f"statistics {name!r} are of {len(found.mean)} features, and {self.extractor} has "
                f"{fake.shape[1]}; expected those of the same extractor, as in fid[inception]"
            )
        return replace(found, mean=found.mean.to(fake.device), covariance=found.covariance.to(fake.device))

    def _real(self, evaluation: genbench.Evaluation) -> Tensor:
        if self.against == "target":
            return self.of_target(evaluation)
        splits = SPLITS[: 1 + ["train", "train+valid", "all"].index(self.against)]
        return torch.cat([evaluation.features(evaluation.extractor, split) for split in splits])

    def _gap(self, evaluation: genbench.Evaluation, real: Tensor, fake: Tensor) -> float:
        """Return the distance to test images minus that to training images, as many of each."""
        train = evaluation.features(evaluation.extractor, "train")
        n, chosen = min(len(train), len(real)), evaluation.stream("train gap")
        test, seen = some(real, n, chosen), some(train, n, chosen)
        return frechet_distance_of_features(test, fake) - frechet_distance_of_features(seen, fake)

    def describe(self) -> str:
        """Return the protocol in words."""
        whom = {
            "target": "all images",
            "train": "the training images",
            "train+valid": "training and validation images",
            "all": "all images of all splits",
        }
        how = ", extrapolated to infinitely many" if self.at_infinity else ""
        if self.statistics:  # read, so that a file of something else is refused when a run is planned
            whom["target"] = f"published statistics of {len(self._published.mean):,} features ({self.statistics})"
        return f"{self.samples:,} samples against {whom[self.against]}{how}"
