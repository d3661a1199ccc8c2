"""Adversarial nets: a generator and a discriminator in a two-player game (Goodfellow et al. 2014)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

import genbench
from genbench_plugins.models import goodfellow2014
from genbench_plugins.models.gan_networks import GANNetworks, Grown
from genbench_plugins.networks import linears

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
class GAN(GANNetworks):
    """Adversarial nets: G of rectifiers with a sigmoid output, D of maxout layers with dropout.

    The defaults were chosen by the validation images of `digits`. The other recipes are those of the code that was
    published with the paper: `paper` for MNIST, `paper-tfd`, where G is trained alone and then given two layers below
    it, against a new D, and two for CIFAR-10: `paper-cifar10` of dense layers, and `paper-cifar10-conv` with
    a convolutional D and a G that ends in a transposed convolution. For CIFAR-10 that code normalises the contrast of
    each image, which cannot be undone: here all values are standardised by one mean and one deviation, which can, and
    have nearly the same size. Samples are then clipped to the bounds.

    The code for MNIST and CIFAR-10 has no stopping rule, and how many epochs are behind the published 225 nats is not
    known: 500 was chosen here, because for MNIST the learning rate has fallen to .037 of .1 by then, and the momentum
    has long reached its last value.

    The preset `figure1` is for numbers, as in the paper's Figure 1: small nets and uniform noise. The figure is drawn
    with noise of one dimension; with four, G comes far closer to a smooth density.
    """

    version: ClassVar[int] = 1

    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "paper": goodfellow2014.MNIST,
        "paper-tfd": goodfellow2014.TFD,
        "paper-cifar10": goodfellow2014.CIFAR10,
        "paper-cifar10-conv": goodfellow2014.CIFAR10_CONVOLUTIONAL,
        "figure1": FIGURE_1,
    }
    search: ClassVar[genbench.Search] = {
        "lr": genbench.Range(1e-4, 1e-2, log=True),
        "d_lr_ratio": genbench.Range(0.3, 10.0, log=True),
        "average": (0.0, 0.99, 0.999, 0.9999),
        "latent": genbench.Range(4, 100, log=True),
        "g_hidden": ((128, 128), (256, 256), (512, 512), (1000, 1000)),
        "d_hidden": ((64, 64, 64), (128, 128), (240, 240), (256, 256, 256)),
        "dropout_in": genbench.Range(0.0, 0.5),
        "dropout": genbench.Range(0.0, 0.5),
    }

    def __post_init__(self) -> None:
        if self.g_below and self.g_below[-1] != self.latent:
            raise ValueError(f"g_below ends in {self.g_below[-1]} units: expected {self.latent}, as wide as z (latent)")
        if self.g_sparse and self.g_maps:
            raise ValueError("g_sparse and g_maps are both given: a transposed convolution has no sparse weights")
        self.samples_are = "clipped" if self.output == "standardised" else "draws"

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        """Play the game; where layers come below G, first without them."""
        self._start(data.train.images)
        if isinstance(self.G_, Grown):
            self._train_above(self.G_, data, run)
        self._play(data, run, self.epochs, select=True)

    def _train_above(self, G: Grown, data: genbench.TrainingData, run: genbench.Run) -> None:
        """Train the upper part of G alone; then begin with D and the optimisers anew."""
        G.whole = False
        G.below.requires_grad_(False)
        self._play(data, run, self.below_from, select=False)
        G.whole = True
        G.below.requires_grad_()
        for layer in linears(self.D_):
            layer.reset_parameters()
        self._begin_discriminator()

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
    def features(self, x: Tensor) -> Tensor:
        """Return what D's logit is a linear map of, (n, d): its last hidden layer, without dropout."""
        hidden = nn.Sequential(*[*self.D_.eval().children()][:-2])
        units: Tensor = hidden(x)
        return units

    @torch.no_grad()
    def discriminate(self, x: Tensor) -> Tensor:
        """Return D(x), the probability that each image is real, (n,), without dropout."""
        probability: Tensor = self.D_.eval()(x).sigmoid()
        return probability
