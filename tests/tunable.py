"""Models that are tuned in a moment: their score under the metric `distance` is known from their options."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from annotated_types import Ge, Gt

import genbench
from genbench.api import Split, Splits


@dataclass(eq=False)
class Grey(genbench.Model):
    """Images of one grey, which `level` decides; refuses some options, fails or is interrupted with others."""

    version: ClassVar[int] = 1
    search: ClassVar[genbench.Search] = {
        "level": genbench.Range(0.0, 1.0),
        "steps": genbench.Range(1, 9),
        "kind": ("plain", "other"),
        "sizes": ((1,), (2, 2), (1, 2, 3)),
    }

    level: Annotated[float, Ge(0)] = 0.3
    steps: Annotated[int, Gt(0)] = 3
    kind: Literal["plain", "other"] = "plain"
    sizes: tuple[int, ...] = (1,)
    refuses_above: float = 9.0
    fails_above: float = 9.0
    words: str = ""

    def __post_init__(self) -> None:
        if self.level > self.refuses_above:
            raise ValueError("too light")

    def build(self, space: genbench.Space, device: torch.device) -> None:
        self.space = space
        self.grey_ = torch.zeros(space.shape, device=device)

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        if self.level > self.fails_above:
            raise genbench.Diverged("far too light")
        for _ in run.batches(data.train, 100, self.steps):
            run.log(level=self.level)
            if self.level > float(os.environ.get("INTERRUPT_ABOVE", "9")):
                signal.raise_signal(signal.SIGINT)
        self.grey_ = torch.full_like(self.grey_, min(self.level, 1.0))

    def sample(self, n: int, generator: torch.Generator) -> torch.Tensor:
        return self.grey_.expand(n, *self.space.shape).clone()


@dataclass(eq=False)
class Darker(Grey):
    """A model of its own that inherits what it is tuned over."""

    level: Annotated[float, Ge(0)] = 0.1


@dataclass(eq=False)
class Fixed(Grey):
    """Declares that nothing of it is tuned."""

    search: ClassVar[genbench.Search] = {}


@dataclass(eq=False)
class Distance(genbench.Metric):
    """Mean distance of samples' mean grey from that of the images scored against."""

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Distance"
    unit: ClassVar[str] = "grey"
    higher_is_better: ClassVar[bool] = False

    samples: int = 10

    def evaluate(self, evaluation: genbench.Evaluation) -> genbench.Score:
        apart = evaluation.samples(self.samples).mean() - evaluation.target.images.mean()
        return genbench.Score(apart.abs().item())


@dataclass(eq=False)
class Noise(genbench.Dataset):
    """Images of noise, of which those for test are of one grey."""

    version: ClassVar[int] = 1

    test: float = 0.5

    def load(self, folder: Path) -> Splits:
        draw = np.random.default_rng(0).random((300, 1, 4, 4), dtype=np.float32)
        test = np.full((100, 1, 4, 4), self.test, dtype=np.float32)
        return Splits(Split(draw[:200]), Split(draw[200:]), Split(test))


@dataclass(eq=False)
class Careless(Distance):
    """Scores against the same images whatever the target."""

    uses_target = False
