"""Precision, recall, density and coverage: whether samples lie among real images, and these among samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge
from torch import Tensor

import genbench
from genbench.numerics.neighbours import Neighbourhoods, neighbourhoods
from genbench_plugins.metrics.features import FeatureMetric


@dataclass(eq=False)
class OfNeighbourhoods(FeatureMetric):
    """A share of images that lie in balls around others, as large as the distance to the k-th neighbour.

    As many samples are taken as there are images scored against: with more of the ones, balls around the others seem
    larger. Where there are fewer samples than images, as many images. Which ones is drawn at random. The four metrics
    are computed together, from the same images, where their k are the usual ones.
    """

    unit: ClassVar[str] = "share"
    higher_is_better: ClassVar[bool] = True
    what: ClassVar[Literal["precision", "recall", "density", "coverage"]]

    k: Annotated[int, Ge(1)] = 3

    def ks(self) -> tuple[int, int]:
        """Return k of precision and recall, and of density and coverage."""
        return self.k, 5

    def evaluate(self, evaluation: genbench.Evaluation) -> genbench.Score:
        """Return the mean over examples and its standard error, the balls taken as given."""
        values: Tensor = getattr(self._found(evaluation), self.what)  # (n,)
        return genbench.Score(values.mean().item(), values.std(correction=0).item() / len(values) ** 0.5)

    def _found(self, evaluation: genbench.Evaluation) -> Neighbourhoods:
        k, density_k = self.ks()
        if min(self.samples, len(evaluation.target)) <= max(k, density_k):  # too few for the others: this one alone
            k = density_k = self.k
        key = f"neighbourhoods of {self.samples} by {self.extractor}, k {k} and {density_k}"
        return evaluation.once(key, lambda: neighbourhoods(*self.in_equal_numbers(evaluation), k, density_k))

    def describe(self) -> str:
        """Return the protocol in words."""
        return f"k {self.k}; as many samples as images, at most {self.samples:,}"


@dataclass(eq=False)
class Precision(OfNeighbourhoods):
    """Share of samples within the balls around real images (Kynkäänniemi et al. 2019)."""

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Precision"
    bounds: ClassVar[tuple[float, float] | None] = (0.0, 1.0)
    what: ClassVar[Literal["precision", "recall", "density", "coverage"]] = "precision"


@dataclass(eq=False)
class Recall(OfNeighbourhoods):
    """Share of real images within the balls around samples (Kynkäänniemi et al. 2019)."""

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Recall"
    bounds: ClassVar[tuple[float, float] | None] = (0.0, 1.0)
    what: ClassVar[Literal["precision", "recall", "density", "coverage"]] = "recall"


@dataclass(eq=False)
class Density(OfNeighbourhoods):
    """How many balls around real images hold a sample, over k (Naeem et al. 2020); about 1 for real images."""

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Density"
    unit: ClassVar[str] = "balls that hold a sample, over k"
    what: ClassVar[Literal["precision", "recall", "density", "coverage"]] = "density"

    k: Annotated[int, Ge(1)] = 5

    def ks(self) -> tuple[int, int]:
        """Return k of precision and recall, and of density and coverage."""
        return 3, self.k


@dataclass(eq=False)
class Coverage(OfNeighbourhoods):
    """Share of balls around real images that hold a sample (Naeem et al. 2020)."""

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Coverage"
    bounds: ClassVar[tuple[float, float] | None] = (0.0, 1.0)
    what: ClassVar[Literal["precision", "recall", "density", "coverage"]] = "coverage"

    k: Annotated[int, Ge(1)] = 5

    def ks(self) -> tuple[int, int]:
        """Return k of precision and recall, and of density and coverage."""
        return 3, self.k
