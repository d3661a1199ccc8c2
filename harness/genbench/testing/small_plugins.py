"""A model and a metric that cost next to nothing, for checks of what performs trials, not of what is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from genbench.api import Evaluation, Metric, Model, Run, Score, Space, TrainingData


@dataclass(eq=False)
class RunningMean(Model):
    """The running mean of the training images, with noise."""

    version: ClassVar[int] = 1

    epochs: int = 2

    def build(self, space: Space, device: torch.device) -> None:
        """Begin with a mean of 0."""
        self.space = space
        self.mean_ = torch.zeros(space.shape, device=device)

    def fit(self, data: TrainingData, run: Run) -> None:
        """Move towards the mean of each batch."""
        for images, _ in run.batches(data.train, size=100, epochs=self.epochs):
            self.mean_ += 0.1 * (images.mean(0) - self.mean_)
            run.log(distance=(images.mean(0) - self.mean_).square().mean())

    def sample(self, n: int, generator: torch.Generator) -> torch.Tensor:
        """Return the mean with noise, (n, C, H, W)."""
        noise = torch.randn(n, *self.space.shape, generator=generator, device=self.mean_.device)
        return (self.mean_ + 0.1 * noise).clamp(*self.space.bounds)


@dataclass(eq=False)
class Brightness(Metric):
    """The mean of all values of the samples."""

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Brightness"
    unit: ClassVar[str] = "of the values' range"
    higher_is_better: ClassVar[bool] = True

    samples: int = 100

    def evaluate(self, evaluation: Evaluation) -> Score:
        """Return the mean."""
        return Score(evaluation.samples(self.samples).double().mean().item())
