"""Adversarial nets: a generator and a discriminator in a two-player game (Goodfellow et al. 2014)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, MinLen
from torch import Tensor, nn

import genbench
from genbench_plugins.models.adversarial import AdversarialNets, Share, Width
from genbench_plugins.networks import Activation, Dropout, GaussianNoise, Images, Maxout, activation

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


@dataclass(eq=False)
class GAN(AdversarialNets):
    """Adversarial nets: G of rectifiers with a sigmoid output, D of maxout layers with dropout.

    The defaults were chosen by the validation images of `digits`. The preset `paper` is the recipe of the code that was
    published with the paper for MNIST. That code has no stopping rule, and how many epochs are behind the published 225
    nats is not known: 500 was chosen here, because by then the learning rate has fallen to .037 of .1 and the momentum
    has long reached its last value.

    The preset `figure1` is for numbers, as in the paper's Figure 1: small nets and uniform noise. The figure is drawn
    with noise of one dimension; with four, G comes far closer to a smooth density.
    """

    version: ClassVar[int] = 1

    # G
    g_hidden: tuple[Width, ...] = (256, 256)
    g_activations: Annotated[tuple[Activation, ...], MinLen(1)] = ("leaky-relu",)  # the last repeats for further layers
    g_dropout: Share = 0.0  # while training, after each hidden layer
    g_noise: Annotated[float, Ge(0)] = 0.0  # standard deviation; while training, after each hidden layer
    # D
    d_hidden: tuple[Width, ...] = (64, 64, 64)
    pieces: Width = 3
    dropout_in: Share = 0.3  # of D's input
    dropout: Share = 0.0  # of D's hidden layers

    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "paper": GOODFELLOW_2014_MNIST,
        "figure1": FIGURE_1,
    }

    def build(self, space: genbench.Space, device: torch.device) -> None:
        """Make G, D and their optimisers."""
        self._begin(self._generator(space).to(device), self._discriminator(space).to(device), space)

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

    # Abilities

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return G(z), (n, C, H, W)."""
        return self.decode(self.latents(n, generator))

    def latents(self, n: int, generator: torch.Generator) -> Tensor:
        """Return z, (n, latent)."""
        return self._z(n, generator)

    def decode(self, z: Tensor) -> Tensor:
        """Return G(z), (n, C, H, W), without noise or dropout inside G."""
        return self._generate(z)

    @torch.no_grad()
    def discriminate(self, x: Tensor) -> Tensor:
        """Return D(x), the probability that each image is real, (n,), without dropout."""
        probability: Tensor = self.D_.eval()(x).sigmoid()
        return probability
