"""A Gaussian energy learned by score matching, implicit (Hyvarinen 2005) or denoising (Vincent 2011)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

import genbench
from genbench_plugins.models.autoencoding import descend, set_lr
from genbench_plugins.models.likelihoods import log_jacobian
from genbench_plugins.scaling import to_images, to_unit

Width = Annotated[int, Gt(0)]


class Quadratic(nn.Module):
    """E(x) = |L'(x - mean)|²/2 with a triangular L, so that the precision LL' is positive definite."""

    def __init__(self, values: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(values))
        self.log_diagonal = nn.Parameter(torch.zeros(values))
        self.below = nn.Parameter(torch.zeros(values, values))  # used below the diagonal only

    def root(self) -> Tensor:
        """Return L, (D, D)."""
        return self.below.tril(-1) + self.log_diagonal.exp().diag()

    def forward(self, x: Tensor) -> Tensor:
        """Return E(x), (n,)."""
        return ((x - self.mean) @ self.root()).square().sum(1) / 2

    def score(self, x: Tensor) -> Tensor:
        """Return -∇E(x), (n, D)."""
        root = self.root()
        return -(x - self.mean) @ root @ root.T

    def log_normaliser(self) -> Tensor:
        """Return the log of the integral of exp(-E)."""
        return len(self.mean) / 2 * math.log(2 * math.pi) - self.log_diagonal.sum()


@dataclass(eq=False)
class GaussianEnergy(genbench.Model):
    """E(x) = (x - mu)'P(x - mu)/2, learned without its normaliser: by the scores of the training images.

    The implicit objective is the mean of |s|²/2 + div s for s = -∇E (Hyvarinen 2005, eq. 4). Its least value is at the
    inverse covariance, which pixels that never change do not have: so images are seen with Gaussian noise. The
    denoising objective is the mean of |s(x + noise) + noise/variance|²/2 (Vincent 2011), least at the same P.
    Here the normaliser is known after all, so the density is, and samples are drawn exactly: a model by which
    the estimator can be judged. The defaults were chosen by the validation images of `digits`.
    """

    version: ClassVar[int] = 1
    search: ClassVar[genbench.Search] = {
        "objective": ("implicit", "denoising"),
        "noise": genbench.Range(0.01, 0.5, log=True),
        "lr": genbench.Range(1e-3, 0.1, log=True),
        "lr_end": genbench.Range(0.001, 1.0, log=True),
        "batch": (50, 100, 200),
    }
    family: ClassVar[Literal["explicit"]] = "explicit"
    samples_are = "clipped"

    objective: Literal["implicit", "denoising"] = "implicit"
    noise: Annotated[float, Ge(0)] = 0.1  # standard deviation, in units of pixel values scaled to [0, 1]
    lr: Annotated[float, Gt(0)] = 0.01  # of Adam, falling linearly, epoch by epoch, to
    lr_end: Annotated[float, Gt(0), Le(1)] = 0.01  # this share of it
    batch: Width = 100
    epochs: Width = 200

    def __post_init__(self) -> None:
        if self.objective == "denoising" and self.noise == 0:
            raise ValueError("noise is 0: expected more for the denoising objective, or objective implicit")

    def build(self, space: genbench.Space, device: torch.device) -> None:
        """Make the energy and its optimiser."""
        self.space = space
        self.energy_ = Quadratic(space.dim).to(device)
        self.optimiser_ = torch.optim.Adam(self.energy_.parameters(), self.lr, fused=True)

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        """Minimise the objective from independent pixels on."""
        self._start(to_unit(data.train.images, self.space))
        for images, _ in run.batches(data.train, self.batch, self.epochs, select=True):
            set_lr(self.optimiser_, self.lr, self.lr_end, run.epoch, self.epochs)
            loss = self.loss(to_unit(images, self.space), run.generator)
            descend(self.optimiser_, loss)
            run.log(loss=loss)

    @torch.no_grad()
    def _start(self, x: Tensor) -> None:
        """Begin with the mean and variance of each pixel, noise included, of images (n, D)."""
        variance = x.var(0, correction=0) + self.noise**2
        self.energy_.mean.copy_(x.mean(0))
        self.energy_.log_diagonal.copy_(-variance.clamp_min(1e-6).log() / 2)

    def loss(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return the objective on images x seen with noise, (n, D)."""
        e = torch.randn(x.shape, generator=generator, device=x.device)
        score = self.energy_.score(x + self.noise * e)  # (n, D)
        if self.objective == "denoising":
            return (score + e / self.noise).square().sum(1).mean() / 2
        divergence = -self.energy_.root().square().sum()  # minus the trace of the precision
        return score.square().sum(1).mean() / 2 + divergence

    # Abilities

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return draws from the density, clipped to the bounds, (n, C, H, W)."""
        e = torch.randn(self.space.dim, n, generator=generator, device=generator.device)
        x = torch.linalg.solve_triangular(self.energy_.root().T, e, upper=True)  # (D, n): of covariance (LL')⁻¹
        return to_images(self.energy_.mean + x.T, self.space)

    @torch.no_grad()
    def energy(self, x: Tensor) -> Tensor:
        """Return E(x), (n,)."""
        energy: Tensor = self.energy_(to_unit(x, self.space))
        return energy

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log p(x) in nats, (n,)."""
        constant = self.energy_.log_normaliser().item() - log_jacobian("gaussian", self.space)
        return -self.energy(x) - constant
