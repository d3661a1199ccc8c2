"""Plugins with mistakes that only a GPU shows, and a sound one: each is done on the CPU."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar

import torch

import genbench


@dataclass(eq=False)
class Mean(genbench.Model):
    """The mean training image, with noise."""

    version: ClassVar[int] = 1

    def build(self, space, device):
        self.space = space

    def fit(self, data, run):
        self.mean_ = data.train.images.mean(0)

    def sample(self, n, generator):
        noise = torch.rand(n, *self.space.shape, generator=generator, device=generator.device)
        return (self.mean_ + noise) / 2


@dataclass(eq=False)
class NoDevice(Mean):
    """Forgets the device in sample."""

    def sample(self, n, generator):
        return (self.mean_ + torch.rand(n, *self.space.shape, generator=generator)) / 2


@dataclass(eq=False)
class Arrays(Mean):
    """Leaves torch in fit."""

    def fit(self, data, run):
        self.mean_ = torch.from_numpy(data.train.images.numpy().mean(0))


@dataclass(eq=False)
class Streams(Mean):
    """Uses what the stand-in has not, and says so in words of its own."""

    def fit(self, data, run):
        super().fit(data, run)
        if run.device.type == "cuda":
            try:
                torch.cuda.Stream()
            except NotImplementedError as error:
                raise RuntimeError("streams are needed") from error


@dataclass(eq=False)
class Threads(Mean):
    """Makes its tensors in a thread of its own, which the stand-in does not see."""

    def fit(self, data, run):
        with ThreadPoolExecutor(1) as threads:
            zeros = threads.submit(torch.zeros, 1, device=run.device)
        self.mean_ = data.train.images.mean(0) + zeros.result()


@dataclass(eq=False)
class HostDraws(genbench.Metric):
    """Draws with a generator of its own, of the CPU."""

    version: ClassVar[int] = 1
    title: ClassVar[str] = "draws"
    unit: ClassVar[str] = ""
    higher_is_better: ClassVar[bool] = True
    samples: int = 10

    def evaluate(self, evaluation):
        x = evaluation.samples(self.samples)
        rows = torch.randint(len(x), (3,), generator=torch.Generator().manual_seed(0), device=x.device)
        return genbench.Score(x[rows].mean().item())
