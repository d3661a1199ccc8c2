"""For the tests of figures: a model with every ability they ask for, data of a single value, images of any shape."""

import math
from dataclasses import dataclass

import numpy as np
import torch

import genbench


@dataclass(eq=False)
class Able(genbench.Model):
    """The training images' mean and spread, moved by one value z of the unit interval."""

    epochs: int = 3
    wide: int = 1

    def build(self, space, device):
        self.space = space
        self.mean_ = torch.zeros(space.shape, device=device)
        self.spread_ = torch.ones(space.shape, device=device)

    def fit(self, data, run):
        for images, _ in run.batches(data.train, size=500, epochs=self.epochs):
            run.log(loss=images.mean() / run.step, other=images.std(), huge=1e4 * run.step)
        self.mean_, self.spread_ = data.train.images.mean(0), data.train.images.std(0)

    def latents(self, n, generator):
        return torch.rand(n, self.wide, generator=generator)

    def decode(self, z):
        x = self.mean_ + self.spread_ * torch.erfinv(1.98 * z.mean(1).view(-1, 1, 1, 1) - 0.99) * math.sqrt(2)
        return x.clamp(*self.space.bounds)

    def sample(self, n, generator):
        return self.decode(self.latents(n, generator))

    def reconstruct(self, x):
        return (x + self.mean_) / 2

    def sample_class(self, labels, generator):
        return self.decode((labels[:, None] + torch.rand(len(labels), 1, generator=generator)) / self.space.classes)

    def inpaint(self, x, mask, generator):
        return torch.where(mask.bool(), x, self.sample(len(x), generator))

    def discriminate(self, x):
        return torch.sigmoid(-x.flatten(1).mean(1))


@dataclass(eq=False)
class Bell(genbench.Dataset):
    """Values of a normal distribution, whose density is known."""

    def load(self, folder):
        x = np.random.default_rng(0).normal(0.5, 1, (3000, 1, 1, 1)).clip(-5, 5).astype(np.float32)
        parts = (genbench.Split(part) for part in (x[:2000], x[2000:2500], x[2500:]))
        return genbench.Splits(*parts, bounds=(-5.0, 5.0))

    def log_prob(self, x):
        return -((x.flatten() - 0.5) ** 2) / 2 - math.log(math.sqrt(2 * math.pi))


@dataclass(eq=False)
class Noise(genbench.Dataset):
    """Random images of any shape, without labels, of values from -1 to 3."""

    channels: int = 3
    height: int = 32
    width: int = 32

    def load(self, folder):
        x = np.random.default_rng(1).uniform(-1, 3, (40, self.channels, self.height, self.width)).astype(np.float32)
        return genbench.Splits(*(genbench.Split(part) for part in (x[:25], x[25:35], x[35:])), bounds=(-1.0, 3.0))
