"""A small outside plugin for the tests: a model that works, models that misbehave each in a way of its own, metrics."""

import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Gt, Len

import genbench

FAULTS = (
    "raises",
    "exits",
    "nan-loss",
    "nan-sample",
    "wrong-shape",
    "out-of-range",
    "no-memory",
    "unstorable",
    "prints",
)


@genbench.hookimpl
def register_models(register: genbench.Register) -> None:
    register("toy", "genbench_toy:Toy", summary="Shifted noise around the mean image")
    register("faulty", Faulty, summary="Misbehaves as told")
    register("missing-class", "genbench_toy:Nowhere", summary="Its class is not there")
    register("not-a-model", "genbench_toy:Brightness", summary="Its class is a metric")
    register("plain-class", "genbench_toy:PlainClass", summary="Its class is no dataclass")


@genbench.hookimpl
def register_metrics(register: genbench.Register) -> None:
    register("brightness", "genbench_toy:Brightness", summary="Mean pixel value")
    register("picky", "genbench_toy:Picky", summary="Refuses, raises or returns NaN as told")


@dataclass(eq=False)
class Toy(genbench.Model):
    """Uniform noise mixed with the mean training image."""

    presets: ClassVar = {"long": {"epochs": 5}}

    epochs: int = 2
    lr: Annotated[float, Gt(0)] = 0.1
    hidden: Annotated[tuple[int, ...], Len(1)] = (4,)
    noise: Literal["uniform", "gaussian"] = "uniform"
    verbose: bool = genbench.setting(False)

    def build(self, space: genbench.Space, device: torch.device) -> None:
        self.space = space
        self.net_ = torch.nn.Linear(self.hidden[0], space.dim, device=device)
        self.optimiser_ = torch.optim.Adam(self.net_.parameters(), lr=self.lr)
        self.mean_ = torch.zeros(space.shape, device=device)

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        for images, _ in run.batches(data.train, size=100, epochs=self.epochs):
            z = torch.rand(len(images), self.hidden[0], generator=run.generator, device=run.device)
            loss = (self.net_(z).sigmoid() - images.flatten(1)).square().mean()
            self.optimiser_.zero_grad()
            loss.backward()
            self.optimiser_.step()
            run.log(loss=loss)
        self.mean_ = data.train.images.mean(0)

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> torch.Tensor:
        z = torch.rand(n, self.hidden[0], generator=generator, device=self.mean_.device)
        return (self.net_(z).sigmoid().view(n, *self.space.shape) + self.mean_) / 2


@dataclass(eq=False)
class Faulty(Toy):
    """The toy model with a fault."""

    presets: ClassVar = {}
    fault: str = "raises"

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        if self.fault == "raises":
            raise ValueError("no luck\ntoday\x1b[31m")
        if self.fault == "exits":
            sys.exit("leaving")
        if self.fault == "no-memory":
            raise MemoryError("all eaten")
        if self.fault == "nan-loss":
            for _ in run.batches(data.train, size=500, epochs=1):
                run.log(loss=float("nan"))
        if self.fault == "prints":
            print("hello from fit")
            warnings.warn("mind this", stacklevel=1)
        if self.fault == "unstorable":
            self.path_ = Path()
        super().fit(data, run)

    def sample(self, n: int, generator: torch.Generator) -> torch.Tensor:
        x = super().sample(n, generator)
        if self.fault == "nan-sample":
            return x.fill_(float("nan"))
        if self.fault == "wrong-shape":
            return x.flatten(1)
        return x + 2 if self.fault == "out-of-range" else x


class PlainClass(genbench.Model):
    """No dataclass."""

    def build(self, space: genbench.Space, device: torch.device) -> None: ...

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None: ...

    def sample(self, n: int, generator: torch.Generator) -> torch.Tensor:
        raise genbench.NotFitted("never")


@dataclass(eq=False)
class Brightness(genbench.Metric):
    """Mean pixel value of the samples."""

    title: ClassVar = "Brightness"
    unit: ClassVar = "share of white"
    higher_is_better: ClassVar = False

    samples: Annotated[int, Gt(0)] = 500

    def evaluate(self, evaluation: genbench.Evaluation) -> genbench.Score:
        return genbench.Score(evaluation.samples(self.samples).double().mean().item())


@dataclass(eq=False)
class Picky(Brightness):
    """Scores only what it likes."""

    title: ClassVar = "Picky brightness"
    mood: Literal["refuses", "raises", "nan"] = "refuses"

    def skip(self, evaluation: genbench.Evaluation) -> str | None:
        return "not in the mood" if self.mood == "refuses" else None

    def evaluate(self, evaluation: genbench.Evaluation) -> genbench.Score:
        if self.mood == "raises":
            raise RuntimeError("cannot look at this")
        return genbench.Score(float("nan"))
