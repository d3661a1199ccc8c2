"""Adversarial nets: a generator and a discriminator in a two-player game (Goodfellow et al. 2014)."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Lt, MinLen
from torch import Tensor, nn
from torch.nn.functional import softplus

import genbench
from genbench_plugins.networks import (
    Activation,
    Dropout,
    GaussianNoise,
    Images,
    Maxout,
    activation,
    init_uniform,
    linears,
    set_bias_from_marginals,
)

Width = Annotated[int, Gt(0)]
Share = Annotated[float, Ge(0), Lt(1)]

GOODFELLOW_2014_MNIST: Mapping[str, object] = {
    "noise": "unit-uniform",
    "latent": 100,
    "g_hidden": (1200, 1200),
    "g_activations": ("relu",),
    "g_irange": 0.05,
    "d_hidden": (240, 240),
    "pieces": 5,
    "d_irange": 0.005,
    "dropout_in": 0.2,
    "dropout": 0.5,
    "loss": "non-saturating",
    "updates": "simultaneous",
    "k": 1,
    "optimiser": "momentum",
    "lr": 0.1,
    "d_lr_ratio": 1.0,
    "lr_decay": 1.000004,
    "lr_floor": 1e-6,
    "momentum": 0.5,
    "momentum_final": 0.7,
    "momentum_epochs": 250,
    "average": 0.0,
    "batch": 100,
    "epochs": 500,
}

FIGURE_1: Mapping[str, object] = {
    "noise": "uniform",
    "latent": 4,
    "g_hidden": (32, 32),
    "d_hidden": (32, 32),
    "pieces": 2,
    "dropout_in": 0.0,
    "updates": "alternating",
    "k": 2,
    "lr": 5e-3,
    "d_lr_ratio": 1.0,
    "lr_decay": 1.004,
    "betas": (0.0, 0.99),
    "average": 0.995,
    "batch": 250,
    "epochs": 25,
}


# The game ------------------------------------------------------------------------------------------------------------


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return -V(D, G)/2 of logits, eq. 1: the mean of -log D(x) and -log(1 - D(G(z))), log 2 when D knows nothing."""
    return (softplus(-real).mean() + softplus(fake).mean()) / 2


def generator_loss(fake: Tensor, loss: Literal["non-saturating", "minimax"]) -> Tensor:
    """Return the mean of -log D(G(z)) of logits (section 3), or of log(1 - D(G(z))) as in eq. 1."""
    return softplus(-fake).mean() if loss == "non-saturating" else -softplus(fake).mean()


class Momentum(torch.optim.Optimizer):
    """Classical momentum: v <- m v - lr g, θ <- θ + v. (torch's SGD keeps lr out of v: that differs once lr decays.)"""

    def __init__(self, params: Iterable[nn.Parameter], lr: float, momentum: float) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            for p in filter(lambda p: p.grad is not None, group["params"]):
                if not self.state[p]:
                    self.state[p]["v"] = torch.zeros_like(p)
                v = self.state[p]["v"]
                v.mul_(group["momentum"]).sub_(p.grad, alpha=group["lr"])
                p.add_(v)


def _descend(optimiser: torch.optim.Optimizer, network: nn.Module, gradients: Sequence[Tensor]) -> None:
    for p, gradient in zip(network.parameters(), gradients, strict=True):
        p.grad = gradient
    optimiser.step()


# The model -----------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class GAN(genbench.Model):
    """Adversarial nets: G of rectifiers with a sigmoid output, D of maxout layers with dropout.

    The defaults were chosen by the validation images of `digits`. The preset `paper` is the recipe of the code that was
    published with the paper for MNIST. That code has no stopping rule, and how many epochs are behind the published 225
    nats is not known: 500 was chosen here, because by then the learning rate has fallen to .037 of .1 and the momentum
    has long reached its last value.

    The preset `figure1` is for numbers, as in the paper's Figure 1: small nets and uniform noise. The figure is drawn
    with noise of one dimension; with four, G comes far closer to a smooth density.
    """

    version: ClassVar[int] = 1

    # z
    noise: Literal["uniform", "unit-uniform", "gaussian"] = "gaussian"  # U(-1, 1), U(-√3, √3) of variance 1, N(0, 1)
    latent: Width = 10
    # G
    g_hidden: tuple[Width, ...] = (256, 256)
    g_activations: Annotated[tuple[Activation, ...], MinLen(1)] = ("leaky-relu",)  # the last repeats for further layers
    g_dropout: Share = 0.0  # while training, after each hidden layer
    g_noise: Annotated[float, Ge(0)] = 0.0  # standard deviation; while training, after each hidden layer
    g_irange: Annotated[float, Ge(0)] = 0.0  # weights from U(-irange, irange), biases 0; irange 0: torch's own init
    marginals: bool = True  # start from an output bias with the training images' mean
    # D
    d_hidden: tuple[Width, ...] = (64, 64, 64)
    pieces: Width = 3
    dropout_in: Share = 0.3  # of D's input
    dropout: Share = 0.0  # of D's hidden layers
    d_irange: Annotated[float, Ge(0)] = 0.0
    # The game
    loss: Literal["non-saturating", "minimax"] = "non-saturating"
    updates: Literal["simultaneous", "alternating"] = "simultaneous"  # as in the paper's code, as in its Algorithm 1
    k: Width = 1  # updates of D for each of G
    # Optimisation
    optimiser: Literal["adam", "momentum"] = "adam"
    lr: Annotated[float, Gt(0)] = 1e-3  # of G
    d_lr_ratio: Annotated[float, Gt(0)] = 3.0  # of D, as a multiple of G's
    lr_decay: Annotated[float, Ge(1)] = 1.0  # lr is divided by it after each batch,
    lr_floor: Annotated[float, Ge(0)] = 0.0  # down to this
    betas: tuple[Share, Share] = (0.5, 0.999)  # of adam
    momentum: Share = 0.5  # in the first epoch, going linearly to
    momentum_final: Share = 0.5  # from
    momentum_epochs: Width = 1  # on
    average: Share = 0.999  # decay of the running mean of G's weights that samples come from; 0: G itself
    batch: Width = 100
    epochs: Width = 300

    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "paper": GOODFELLOW_2014_MNIST,
        "figure1": FIGURE_1,
    }

    def build(self, space: genbench.Space, device: torch.device) -> None:
        """Make G, D and their optimisers."""
        self.bounds = space.bounds
        self.G_ = self._generator(space).to(device)
        self.D_ = self._discriminator(space).to(device)
        for network, irange in ((self.G_, self.g_irange), (self.D_, self.d_irange)):
            if irange:
                init_uniform(linears(network), irange)
        self.averaged_ = copy.deepcopy(self.G_) if self.average else None
        self.optimise_G_ = self._optimiser(self.G_, self.lr)
        self.optimise_D_ = self._optimiser(self.D_, self.lr * self.d_lr_ratio)

    def _generator(self, space: genbench.Space) -> nn.Sequential:
        layers: list[nn.Module] = []
        inputs = self.latent
        for i, units in enumerate(self.g_hidden):
            name = self.g_activations[min(i, len(self.g_activations) - 1)]
            layers += [nn.Linear(inputs, units), activation(name), Dropout(self.g_dropout), GaussianNoise(self.g_noise)]
            inputs = units
        return nn.Sequential(*layers, nn.Linear(inputs, space.dim), Images(space.shape, space.bounds))

    def _discriminator(self, space: genbench.Space) -> nn.Sequential:
        layers: list[nn.Module] = [nn.Flatten(), Dropout(self.dropout_in)]
        inputs = space.dim
        for units in self.d_hidden:
            layers += [Maxout(inputs, units, self.pieces), Dropout(self.dropout)]
            inputs = units
        return nn.Sequential(*layers, nn.Linear(inputs, 1), nn.Flatten(0))  # logits (n,)

    def _optimiser(self, network: nn.Module, lr: float) -> torch.optim.Optimizer:
        if self.optimiser == "momentum":
            return Momentum(network.parameters(), lr, self.momentum)
        return torch.optim.Adam(network.parameters(), lr, self.betas, fused=True)

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        """Play the game: Algorithm 1, or simultaneous updates."""
        self.G_.train()
        self.D_.train()
        if self.marginals:
            set_bias_from_marginals(linears(self.G_)[-1], data.train.images, self.bounds)
        if self.averaged_ is not None:
            self.averaged_.load_state_dict(self.G_.state_dict())
        for x, _ in run.batches(data.train, self.batch, self.epochs, select=True):
            self._schedule(run.epoch, run.step)
            # k steps on D, the last of them with this batch
            for _ in range(self.k - 1):
                extra, _ = run.draw(data.train, len(x))
                self._update_D(extra, self.latents(len(x), run.generator))
            # One step on G
            if self.updates == "simultaneous":
                d, g = self._update_both(x, self.latents(len(x), run.generator))
            else:
                d = self._update_D(x, self.latents(len(x), run.generator))
                g = self._update_G(self.latents(len(x), run.generator))
            self._average(run.step)
            run.log(d=d, g=g)

    def _update_both(self, x: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Update D and G by gradients at the same parameters, with the same G(z) and the same dropout masks in D.

        One backward pass through D serves both. Each example passes D alone, so what arrives at a generated image is
        its own dL_D/ds · ds/dx, with s its logit: multiplied by dL_G/ds over dL_D/ds, it is what L_G sends there.
        """
        m = len(x)
        fake = self.G_(z)  # (m, C, H, W)
        image = fake.detach().requires_grad_()
        s = self.D_(torch.cat([x, image]))  # (2m,)
        with torch.no_grad():
            d, g = discriminator_loss(s[:m], s[m:]), generator_loss(s[m:], self.loss)
            p = s[m:].sigmoid()
            d_real = -(-s[:m]).sigmoid() / (2 * m)  # dL_D/ds
            d_fake = (p / (2 * m)).clamp_min(1e-20)  # dL_D/ds; the floor is far below rounding, and keeps 0/0 away
            g_fake = -((-s[m:]).sigmoid() if self.loss == "non-saturating" else p) / m  # dL_G/ds
        *d_gradients, sent = torch.autograd.grad(s, [*self.D_.parameters(), image], torch.cat([d_real, d_fake]))
        sent = sent * (g_fake / d_fake).view(m, 1, 1, 1)
        g_gradients = torch.autograd.grad(fake, list(self.G_.parameters()), sent)
        _descend(self.optimise_D_, self.D_, d_gradients)
        _descend(self.optimise_G_, self.G_, g_gradients)
        return d, g

    def _update_D(self, x: Tensor, z: Tensor) -> Tensor:
        with torch.no_grad():
            fake = self.G_(z)
        s = self.D_(torch.cat([x, fake]))
        d = discriminator_loss(s[: len(x)], s[len(x) :])
        _descend(self.optimise_D_, self.D_, torch.autograd.grad(d, list(self.D_.parameters())))
        return d

    def _update_G(self, z: Tensor) -> Tensor:
        g = generator_loss(self.D_(self.G_(z)), self.loss)
        _descend(self.optimise_G_, self.G_, torch.autograd.grad(g, list(self.G_.parameters())))
        return g

    def _schedule(self, epoch: int, step: int) -> None:
        """Set the learning rates of this batch and the momentum of this epoch."""
        lr = self.lr_at(step)
        for optimiser, rate in ((self.optimise_G_, lr), (self.optimise_D_, lr * self.d_lr_ratio)):
            for group in optimiser.param_groups:
                group["lr"] = rate
                if self.optimiser == "momentum":
                    group["momentum"] = self.momentum_at(epoch)

    def lr_at(self, step: int) -> float:
        """Return G's learning rate at a batch, from 1: divided by lr_decay once for each batch before it."""
        return max(self.lr * math.exp(-(step - 1) * math.log(self.lr_decay)), self.lr_floor)

    def momentum_at(self, epoch: int) -> float:
        """Return the momentum in an epoch, from 1: linear from the first epoch to the `momentum_epochs`-th."""
        passed = min((epoch - 1) / max(self.momentum_epochs - 1, 1), 1.0)
        return self.momentum + (self.momentum_final - self.momentum) * passed

    @torch.no_grad()
    def _average(self, step: int) -> None:
        """Move the averaged weights towards G's; the decay starts low, so that the first weights are soon forgotten."""
        if self.averaged_ is not None:
            decay = min(self.average, step / (step + 9))
            for mean, p in zip(self.averaged_.parameters(), self.G_.parameters(), strict=True):
                mean.lerp_(p, 1 - decay)

    # Abilities

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return G(z), (n, C, H, W)."""
        return self.decode(self.latents(n, generator))

    def latents(self, n: int, generator: torch.Generator) -> Tensor:
        """Return z, (n, latent)."""
        size, device = (n, self.latent), generator.device
        if self.noise == "gaussian":
            return torch.randn(size, generator=generator, device=device)
        u = 2 * torch.rand(size, generator=generator, device=device) - 1
        return math.sqrt(3) * u if self.noise == "unit-uniform" else u

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        """Return G(z), (n, C, H, W), without noise or dropout inside G."""
        generator = self.G_ if self.averaged_ is None else self.averaged_
        x: Tensor = generator.eval()(z)
        return x

    @torch.no_grad()
    def discriminate(self, x: Tensor) -> Tensor:
        """Return D(x), the probability that each image is real, (n,), without dropout."""
        probability: Tensor = self.D_.eval()(x).sigmoid()
        return probability
