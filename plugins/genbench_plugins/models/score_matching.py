"""Denoising score matching over noise levels, sampled by annealed Langevin dynamics (Song & Ermon 2019)."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor, nn

import genbench
from genbench_plugins.models.autoencoding import descend, set_lr
from genbench_plugins.models.langevin import annealed_langevin
from genbench_plugins.networks import Activation, follow, mlp
from genbench_plugins.scaling import to_images, to_unit

Width = Annotated[int, Gt(0)]
Positive = Annotated[float, Gt(0)]


class ScoreNetwork(nn.Module):
    """The score of data with noise, ∇ log p_i(x), of each noise level i: a Gaussian's, which a network corrects.

    The Gaussian has one mean and one deviation for all values, those of the data. So the network's inputs and outputs
    have about the same size at all levels, as Karras et al. 2022 advise; the level is an input of its own unit.
    """

    mean: Tensor
    std: Tensor
    sigmas: Tensor  # (levels,)
    one_hot: Tensor  # (levels, levels)

    def __init__(self, values: int, hidden: Sequence[int], name: Activation, sigmas: Sequence[float]) -> None:
        super().__init__()
        self.network = mlp(values + len(sigmas), hidden, values, (name,))
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("std", torch.ones(()))
        self.register_buffer("sigmas", torch.tensor(sigmas), persistent=False)
        self.register_buffer("one_hot", torch.eye(len(sigmas)), persistent=False)

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        """Return the scores of x (n, D), each at the noise level of its number (n,)."""
        sigma = self.sigmas[level].unsqueeze(1)  # (n, 1)
        centred = x - self.mean
        total = torch.hypot(sigma, self.std)
        correction = self.network(torch.cat([centred / total, self.one_hot[level]], 1))  # (n, D)
        score: Tensor = correction * self.std / (sigma * total) - centred / total.square()
        return score


@dataclass(eq=False)
class ScoreMatching(genbench.Model):
    """A score network trained by denoising over geometric noise levels (Song & Ermon 2019; Vincent 2011).

    The objective is their eq. 6 with weights sigma²; samples come from annealed Langevin dynamics, algorithm 1, each
    from a run of its own: levels · steps + 1 evaluations of the network. From Song & Ermon 2020 come the running
    average of weights and the last step, which removes the noise that is left: a sample is then the mean of images
    given a noisy one, and says so. Chosen here: a multilayer perceptron, and a step in units of each level's variance,
    epsilon / sigma_L² of the paper. The defaults were chosen by the validation images of `digits`.
    """

    version: ClassVar[int] = 1
    search: ClassVar[genbench.Search] = {
        "sigma_begin": genbench.Range(0.5, 5.0, log=True),
        "sigma_end": genbench.Range(0.01, 0.3, log=True),
        "levels": genbench.Range(5, 30, log=True),
        "hidden": ((256, 256), (512, 512), (1000, 1000)),
        "lr": genbench.Range(1e-4, 1e-2, log=True),
        "average": (0.0, 0.99, 0.999),
        "steps": genbench.Range(1, 10, log=True),
        "step": genbench.Range(0.1, 1.5, log=True),
    }

    # Noise levels, in units of pixel values scaled to [0, 1]
    sigma_begin: Positive = 1.0  # standard deviation of the greatest noise, falling geometrically to
    sigma_end: Positive = 0.1  # the least, in
    levels: Width = 10  # levels
    # Network
    hidden: tuple[Width, ...] = (512, 512)
    activation: Activation = "silu"
    # Training
    lr: Positive = 1e-3  # of Adam, falling linearly, epoch by epoch, to
    lr_end: Annotated[float, Gt(0), Le(1)] = 0.1  # this share of it
    average: Annotated[float, Ge(0), Lt(1)] = 0.999  # decay of the running mean of weights that samples come from
    batch: Width = 100
    epochs: Width = 500
    # Samples
    steps: Width = 4  # of Langevin dynamics at each level
    step: Positive = 0.7  # size of a step, as a multiple of the level's variance
    denoise: bool = True  # end with the mean of images given the last state

    def __post_init__(self) -> None:
        if self.sigma_end > self.sigma_begin:
            raise ValueError(f"sigma_end is {self.sigma_end}: expected at most sigma_begin, {self.sigma_begin}")
        self.samples_are = "means" if self.denoise else "clipped"

    @property
    def sigmas(self) -> list[float]:
        """Return the standard deviations of the noise levels, the greatest first."""
        fall = math.log(self.sigma_end / self.sigma_begin) / max(self.levels - 1, 1)
        return [self.sigma_begin * math.exp(fall * i) for i in range(self.levels)]

    def build(self, space: genbench.Space, device: torch.device) -> None:
        """Make the network, the running average of its weights, and its optimiser."""
        self.space = space
        self.network_ = ScoreNetwork(space.dim, self.hidden, self.activation, self.sigmas).to(device)
        self.averaged_ = copy.deepcopy(self.network_)
        self.optimiser_ = torch.optim.Adam(self.network_.parameters(), self.lr, fused=True)

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        """Minimise the squared error of scores of noisy images, times the noise's variance, at levels at random."""
        self._measure(to_unit(data.train.images, self.space))
        for images, _ in run.batches(data.train, self.batch, self.epochs, select=True):
            set_lr(self.optimiser_, self.lr, self.lr_end, run.epoch, self.epochs)
            loss = self.loss(to_unit(images, self.space), run.generator)
            descend(self.optimiser_, loss)
            follow(self.averaged_, self.network_, self.average, run.step)
            run.log(loss=loss)

    @torch.no_grad()
    def _measure(self, x: Tensor) -> None:
        """Take mean and deviation of the data, (n, D), and begin the running average."""
        self.network_.mean.copy_(x.mean())
        self.network_.std.copy_(x.std().clamp_min(1e-6))
        self.averaged_.load_state_dict(self.network_.state_dict())

    def loss(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return the mean over images x (n, D) of |sigma s(x + sigma e, i) + e|²/2, for random levels i and noise e."""
        level = torch.randint(self.levels, (len(x),), generator=generator, device=x.device)
        e = torch.randn(x.shape, generator=generator, device=x.device)
        sigma = self.network_.sigmas[level].unsqueeze(1)
        score: Tensor = self.network_(x + sigma * e, level)
        return (sigma * score + e).square().sum(1).mean() / 2

    # Abilities

    def score(self, x: Tensor, level: int) -> Tensor:
        """Return the learned score at a noise level, from 0, of values scaled to [0, 1], (n, D)."""
        s: Tensor = self.averaged_(x, torch.full((len(x),), level, device=x.device))
        return s

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return what annealed Langevin dynamics make of uniform noise, clipped to the bounds, (n, C, H, W)."""
        x = torch.rand(n, self.space.dim, generator=generator, device=generator.device)
        least = self.sigmas[-1]
        epsilon = self.step * least**2
        x = annealed_langevin(x, self.score, self.sigmas, self.steps, epsilon, generator)
        if self.denoise:
            x = x + least**2 * self.score(x, self.levels - 1)
        return to_images(x, self.space)
