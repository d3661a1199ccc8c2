"""Noise-contrastive estimation: an energy and its normaliser learned by telling images from noise."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor, nn
from torch.nn.functional import softplus

import genbench
from genbench_plugins.models.autoencoding import descend, set_lr
from genbench_plugins.models.langevin import adjusted_langevin_step
from genbench_plugins.models.likelihoods import log_jacobian
from genbench_plugins.models.markov_chains import from_chains
from genbench_plugins.networks import Activation, follow, linears, mlp
from genbench_plugins.scaling import to_images, to_unit

Width = Annotated[int, Gt(0)]
Positive = Annotated[float, Gt(0)]


class Tilted(nn.Module):
    """log p(x) = log q(x) + g(x) - log Z: a Gaussian q, tilted by a network g. Its coordinates z make q standard."""

    mean: Tensor  # (D,)
    root: Tensor  # (D, D), triangular: root root' is the covariance of q

    def __init__(self, values: int, hidden: Sequence[int], name: Activation) -> None:
        super().__init__()
        self.network = mlp(values, hidden, 1, (name,))
        last = linears(self.network)[-1]
        nn.init.zeros_(last.weight)  # it starts at q, whose Z is 1
        last.register_parameter("bias", None)  # log Z takes its part
        self.log_z = nn.Parameter(torch.zeros(()))
        self.register_buffer("mean", torch.zeros(values))
        self.register_buffer("root", torch.eye(values))

    @torch.no_grad()
    def measure(self, x: Tensor, noise: float) -> None:
        """Fit q to images x (n, D) seen with Gaussian noise of a deviation."""
        x = x.double()
        centred = x - x.mean(0)
        noisy = torch.eye(x.shape[1], dtype=x.dtype, device=x.device) * noise**2
        self.mean.copy_(x.mean(0))
        self.root.copy_(torch.linalg.cholesky(centred.T @ centred / len(x) + noisy))

    def forward(self, z: Tensor) -> Tensor:
        """Return g, (n,)."""
        g: Tensor = self.network(z).squeeze(1)
        return g

    def to_z(self, x: Tensor) -> Tensor:
        """Return the coordinates of x, (n, D)."""
        z: Tensor = torch.linalg.solve_triangular(self.root, (x - self.mean).T, upper=False).T
        return z

    def to_x(self, z: Tensor) -> Tensor:
        """Return x of coordinates, (n, D)."""
        return self.mean + z @ self.root.T

    def log_noise(self, z: Tensor) -> Tensor:
        """Return log q(x) in nats, (n,)."""
        return -(z.square().sum(1) + z.shape[1] * math.log(2 * math.pi)) / 2 - self.root.diagonal().log().sum()

    @torch.enable_grad()
    def tilt(self, z: Tensor, beta: float = 1.0) -> tuple[Tensor, Tensor]:
        """Return beta g - |z|²/2, the log density of z up to a constant, (n,), and its gradient, (n, D)."""
        z = z.detach().requires_grad_()
        log_p = beta * self(z) - z.square().sum(1) / 2
        (gradient,) = torch.autograd.grad(log_p.sum(), z)
        return log_p.detach(), gradient


@dataclass(eq=False)
class NCE(genbench.Model):
    """An energy network with a learned normaliser (Gutmann & Hyvarinen 2010): E(x) = -log q(x) - g(x).

    It learns to tell images from draws of a noise q, `nu` for each, by logistic regression whose log odds are
    log p(x) - log q(x) - log nu. Among its parameters is log Z: where the model can have the data's density, the
    objective is best there, normaliser and all. Chosen here: q is a Gaussian of the images' mean and covariance, and
    the energy is its own less a network's g, so that training begins with the normalised q. Images are seen with
    Gaussian noise of deviation `noise`, so that q, and with it the model, has a density.

    `log_prob` is a density only as far as log Z was learned: at least 1 nat too high on `digits`, by `log_partition`,
    since noise seldom comes near images. Samples are of parallel Langevin chains with a Metropolis test, which on
    `digits` mix slowly: R-hat stands with every score. As means, they are the chains' states less the noise by
    Tweedie's formula, x + noise² ∇ log p(x).
    The defaults were chosen by the validation images of `digits`.
    """

    version: ClassVar[int] = 1
    search: ClassVar[genbench.Search] = {
        "hidden": ((128, 128), (256, 256), (512, 512)),
        "activation": ("silu", "softplus", "tanh"),
        "noise": genbench.Range(0.03, 0.3, log=True),
        "nu": genbench.Range(1, 30, log=True),
        "lr": genbench.Range(3e-4, 1e-2, log=True),
        "average": (0.0, 0.99, 0.999),
        "step": genbench.Range(0.1, 1.0, log=True),
    }
    family: ClassVar[Literal["chain"]] = "chain"
    sample_batch: ClassVar[int] = 10_000  # the chains burn in anew for each

    hidden: tuple[Width, ...] = (256, 256)
    activation: Activation = "silu"
    noise: Positive = 0.1  # standard deviation, in units of pixel values scaled to [0, 1]
    # Training
    nu: Width = 10  # draws of q for each image
    lr: Positive = 3e-3  # of Adam, falling linearly, epoch by epoch, to
    lr_end: Annotated[float, Gt(0), Le(1)] = 0.1  # this share of it
    average: Annotated[float, Ge(0), Lt(1)] = 0.999  # decay of the running mean of weights that all but training uses
    batch: Width = 100
    epochs: Width = 200
    # Samples
    chains: Width = 200  # run side by side
    burn_in: Annotated[int, Ge(0)] = 200  # steps of each before the first that is kept
    thin: Annotated[int, Ge(1)] = 10  # steps between two that are kept
    step: Positive = 0.4  # of Langevin dynamics, as a multiple of the deviations of q
    sample_as: Literal["means", "draws"] = "means"

    def __post_init__(self) -> None:
        self.samples_are = "means" if self.sample_as == "means" else "clipped"

    def build(self, space: genbench.Space, device: torch.device) -> None:
        """Make the model, the running average of its weights, and its optimiser."""
        self.space = space
        self.tilted_ = Tilted(space.dim, self.hidden, self.activation).to(device)
        self.averaged_ = copy.deepcopy(self.tilted_)
        self.optimiser_ = torch.optim.Adam(self.tilted_.parameters(), self.lr, fused=True)

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        """Fit the noise; then learn to tell it from images."""
        self.tilted_.measure(to_unit(data.train.images, self.space), self.noise)
        self.averaged_.load_state_dict(self.tilted_.state_dict())
        for images, _ in run.batches(data.train, self.batch, self.epochs, select=True):
            set_lr(self.optimiser_, self.lr, self.lr_end, run.epoch, self.epochs)
            loss = self.loss(to_unit(images, self.space), run.generator)
            descend(self.optimiser_, loss)
            follow(self.averaged_, self.tilted_, self.average, run.step)
            run.log(loss=loss, log_z=self.tilted_.log_z)

    def loss(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return minus the log probability of telling an image x (n, D) and nu draws of q apart, a mean over images."""
        seen = x + self.noise * torch.randn(x.shape, generator=generator, device=x.device)
        drawn = torch.randn(len(x) * self.nu, x.shape[1], generator=generator, device=x.device)
        log_odds = self.tilted_(torch.cat([self.tilted_.to_z(seen), drawn])) - self.tilted_.log_z - math.log(self.nu)
        images, noise = log_odds.split([len(x), len(drawn)])
        return softplus(-images).mean() + self.nu * softplus(noise).mean()

    # Abilities

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return states of parallel chains that start at draws of q, or the means of images given them."""

        def step(z: Tensor) -> Tensor:
            return adjusted_langevin_step(z, self.averaged_.tilt, self.step, generator)

        def emit(z: Tensor) -> Tensor:
            return self._cleaned(z) if self.sample_as == "means" else self.averaged_.to_x(z)

        start = torch.randn(self.chains, self.space.dim, generator=generator, device=generator.device)
        return to_images(from_chains(start, step, emit, n, self.burn_in, self.thin), self.space)

    def _cleaned(self, z: Tensor) -> Tensor:
        """Return x + noise² ∇ log p(x), (n, D)."""
        _, gradient = self.averaged_.tilt(z)
        score: Tensor = torch.linalg.solve_triangular(self.averaged_.root.T, gradient.T, upper=True).T
        return self.averaged_.to_x(z) + self.noise**2 * score

    @torch.no_grad()
    def energy(self, x: Tensor) -> Tensor:
        """Return E(x) = -log q(x) - g(x), (n,): of pixel values."""
        z = self.averaged_.to_z(to_unit(x, self.space))
        g: Tensor = self.averaged_(z)
        return -self.averaged_.log_noise(z) - g - log_jacobian("gaussian", self.space)

    def log_prob(self, x: Tensor) -> Tensor:
        """Return -E(x) - log Z in nats, (n,): a density as far as log Z was learned."""
        return -self.energy(x) - self.averaged_.log_z.item()

    @torch.no_grad()
    def log_partition(self, chains: int, temperatures: int, generator: torch.Generator) -> Tensor:
        """Return log weights of annealed importance sampling from q to the model, (chains,) float64.

        g is multiplied by 0 to 1 in equal steps, each followed by a Langevin step with a Metropolis test.
        """
        z = torch.randn(chains, self.space.dim, generator=generator, device=generator.device)
        log_w = torch.zeros(chains, dtype=torch.float64, device=z.device)
        for k in range(1, temperatures + 1):
            beta = k / temperatures
            log_w += self.averaged_(z).double() / temperatures
            z = adjusted_langevin_step(z, lambda z: self.averaged_.tilt(z, beta), self.step, generator)  # noqa: B023
        return log_w
