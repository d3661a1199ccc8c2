"""A metric measured on damaged real images, as it would be on samples of a model."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from genbench.api import Split
from genbench.defaults import DATASET
from genbench.errors import GenbenchError, RequestError, printable
from genbench.response.damages import DAMAGES, Damage, Material
from genbench.testing import subject
from genbench.testing.fixtures import Fixtures
from genbench.testing.outcomes import CheckSkipped
from genbench.testing.scoring import Images, Remembered, Scoring
from genbench.trial import seeding


@dataclass(frozen=True)
class Response:
    """What a metric made of one level of damage: a value for each draw, or the reason why there is none."""

    damage: str
    level: float
    unit: str
    samples: int
    values: tuple[float, ...]
    reason: str = ""

    @property
    def mean(self) -> float | None:
        """Return the mean over draws."""
        return statistics.fmean(self.values) if self.values else None

    @property
    def sd(self) -> float | None:
        """Return the standard deviation over draws."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None


@dataclass(frozen=True)
class MetricResponse:
    """All responses of a metric, in the order of damages, and what they were measured with."""

    metric: str
    unit: str
    higher_is_better: bool
    protocol: str
    dataset: str
    draws: int
    responses: Sequence[Response]


def measure(metric: str, dataset: str = DATASET, draws: int = 3, device: str = "cpu") -> MetricResponse:
    """Return how a metric responds to every kind of damage.

    One half of the test images, at random, is scored against; samples are drawn from the other half, which no model has
    seen, half as many as there are. Raises RequestError where it is no metric, or scores nothing on these data.
    """
    found = subject.find(metric, "metric")
    fixtures = Fixtures(found, dataset, device)
    half, material = _halves(fixtures)
    features = Remembered()

    def score(x: Tensor, seed: int) -> float:
        return Scoring(fixtures, len(x), features=features).score(x.to(fixtures.device), half, seed=seed).value

    responses = [response for damage in DAMAGES for response in _responses(score, damage, material, draws)]
    if not any(response.values for response in responses):
        raise RequestError(f"{metric} scores nothing on {dataset}: {responses[0].reason}")
    made = Scoring(fixtures, material.count).metric
    words = f"{made.describe()}; against half of the test images, {len(half.splits['test']):,}"
    if fixtures.extractor_name and (description := fixtures.of_metric.describe()):
        words += f"; features of {fixtures.extractor_name} ({description})"
    return MetricResponse(fixtures.label, made.unit, made.higher_is_better, words, dataset, draws, responses)


def _halves(fixtures: Fixtures) -> tuple[Images, Material]:
    """Return the images scored against, and what samples are made of: halves of the test images in random order."""
    half, test = Scoring(fixtures, 1).images(), _shuffled(fixtures.split("test"))
    first = len(half.splits["test"])
    half.splits["test"] = Split(test.images[:first], None if test.labels is None else test.labels[:first])
    fresh = Split(test.images[first:].cpu(), None if test.labels is None else test.labels[first:].cpu())
    train = fixtures.split("train").images.cpu()
    return half, Material(fixtures.data.space, fresh, train, max(2, len(fresh) // 2))


def _shuffled(split: Split[Tensor]) -> Split[Tensor]:
    """Return a split in a random order, the same each time: what is sorted by class has no like halves."""
    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(0)).to(split.images.device)
    return Split(split.images[order], None if split.labels is None else split.labels[order])


Score = Callable[[Tensor, int], float]


def _responses(score: Score, damage: Damage, material: Material, draws: int) -> Iterator[Response]:
    unfit = damage.unfit(material)
    for level in damage.levels:
        if unfit:
            yield Response(damage.name, level, damage.unit, 0, (), unfit)
        else:
            yield _response(score, damage, level, material, draws)


def _response(score: Score, damage: Damage, level: float, material: Material, draws: int) -> Response:
    values: list[float] = []
    count = 0
    for draw in range(draws):
        generator = seeding.stream(draw, "calibrate")
        x = damage.apply(material, level, generator)
        x = x[torch.randperm(len(x), generator=generator)]
        count = len(x)
        try:
            values.append(score(x, draw))
        except (GenbenchError, ValueError, CheckSkipped) as error:
            return Response(damage.name, level, damage.unit, count, (), printable(error))
    return Response(damage.name, level, damage.unit, count, tuple(values))
