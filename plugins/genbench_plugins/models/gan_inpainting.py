"""Adversarial nets that complete images: samples of any part given the rest (Goodfellow et al. 2014, section 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import MinLen
from torch import Tensor, nn

import genbench
from genbench_plugins.models.adversarial import AdversarialNets, Share, Width
from genbench_plugins.models.masks import random_masks
from genbench_plugins.networks import Activation, Dropout, Images, Maxout, mlp
from genbench_plugins.scaling import to_unit


class Completing(nn.Module):
    """G: from the known part of an image, noise in the place of the other, and the mask, to the image completed."""

    def __init__(self, layers: nn.Module, space: genbench.Space) -> None:
        super().__init__()
        self.layers, self.space = layers, space

    def forward(self, z: Tensor, x: Tensor, mask: Tensor) -> Tensor:
        """Return x where mask is 1, and elsewhere what the network makes of the rest and z, (n, C, H, W) each."""
        m = mask.flatten(1)
        seen = m * _centred(x, self.space) + (1 - m) * z.flatten(1)  # (n, D)
        made: Tensor = self.layers(torch.cat([seen, m], 1))
        return torch.where(mask.bool(), x, made)


class Judging(nn.Module):
    """D: from a completed image and the mask to units, and a logit (n,) of these."""

    def __init__(self, units: nn.Module, width: int, dropout_in: float, space: genbench.Space) -> None:
        super().__init__()
        self.start, self.units, self.logit = Dropout(dropout_in), units, nn.Linear(width, 1)
        self.space = space

    def forward(self, completed: Tensor, x: Tensor, mask: Tensor) -> Tensor:
        """Return the logit that an image is real in its hidden part; x, which the known part is of, is not needed."""
        logit: Tensor = self.logit(self.hidden(completed, mask))
        return logit[:, 0]

    def hidden(self, completed: Tensor, mask: Tensor) -> Tensor:
        """Return the last hidden layer, (n, width)."""
        units: Tensor = self.units(torch.cat([self.start(_centred(completed, self.space)), mask.flatten(1)], 1))
        return units


@dataclass(eq=False)
class InpaintingGAN(AdversarialNets):
    """Adversarial nets for p(x_S | x_not S), S being any part of an image: its conclusions, number 3.

    One G completes all of them. As in the code that was published with the paper, it is given the known part of an
    image, noise stands in the place of the other, and its output there completes the image, which D then judges. That
    code does so for the right half of colour images, with no recipe. Here S is drawn anew for each image, and the mask
    is given to both players, as one network has to serve all of them: nothing is known of a share `nothing` of images,
    else a rectangle, all but a rectangle, or single pixels. Networks, masks and training were chosen here by the
    validation images of `digits`.

    A sample is what G makes where nothing is known; discriminate and features are D's under that mask.
    """

    version: ClassVar[int] = 1
    search: ClassVar[genbench.Search] = {
        "lr": genbench.Range(1e-4, 1e-2, log=True),
        "d_lr_ratio": genbench.Range(0.3, 10.0, log=True),
        "average": (0.0, 0.99, 0.999, 0.9999),
        "g_hidden": ((128, 128), (256, 256), (512, 512), (1000, 1000)),
        "d_hidden": ((128, 128), (256, 128), (240, 240)),
        "dropout_in": genbench.Range(0.0, 0.5),
        "dropout": genbench.Range(0.0, 0.5),
        "nothing": genbench.Range(0.02, 0.5, log=True),
    }

    # G
    g_hidden: tuple[Width, ...] = (256, 256)
    g_activations: Annotated[tuple[Activation, ...], MinLen(1)] = ("leaky-relu",)  # the last repeats for further layers
    # D
    d_hidden: Annotated[tuple[Width, ...], MinLen(1)] = (256, 128)
    pieces: Width = 3
    dropout_in: Share = 0.3  # of D's image
    dropout: Share = 0.0  # of D's hidden layers
    # The masks
    nothing: Share = 0.1  # of the training images, nothing is known
    # The game, with another default
    epochs: Width = 400

    def build(self, space: genbench.Space, device: torch.device) -> None:
        """Make G, D and their optimisers."""
        self.space = space
        layers = [mlp(2 * space.dim, self.g_hidden, space.dim, self.g_activations), Images(space.shape, space.bounds)]
        generator = Completing(nn.Sequential(*layers), space)
        self._begin(generator.to(device), self._discriminator().to(device), space)

    def _discriminator(self) -> Judging:
        layers: list[nn.Module] = []
        inputs = 2 * self.space.dim
        for units in self.d_hidden:
            layers += [Maxout(inputs, units, self.pieces), Dropout(self.dropout)]
            inputs = units
        return Judging(nn.Sequential(*layers), inputs, self.dropout_in, self.space)

    def _z(self, n: int, generator: torch.Generator) -> Tensor:
        return self._noise((n, *self.space.shape), generator)

    def _given(self, x: Tensor, labels: Tensor | None, generator: torch.Generator) -> tuple[Tensor, ...]:
        return x, random_masks(x.shape, self.nothing, generator)

    # Abilities

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return images completed from nothing, (n, C, H, W)."""
        x = torch.zeros(n, *self.space.shape, device=generator.device)
        return self.inpaint(x, x, generator)

    def inpaint(self, x: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
        """Return x with a sample of the pixels where mask is 0, given those where it is 1, (n, C, H, W)."""
        return self._generate(self._z(len(x), generator), (x, mask.expand_as(x)))

    @torch.no_grad()
    def features(self, x: Tensor) -> Tensor:
        """Return D's last hidden layer where nothing is known, (n, d), without dropout."""
        assert isinstance(self.D_, Judging)
        return self.D_.eval().hidden(x, torch.zeros_like(x))

    @torch.no_grad()
    def discriminate(self, x: Tensor) -> Tensor:
        """Return the probability that each image is real, (n,), where nothing is known, without dropout."""
        probability: Tensor = self.D_.eval()(x, x, torch.zeros_like(x)).sigmoid()
        return probability


def _centred(x: Tensor, space: genbench.Space) -> Tensor:
    """Return images as vectors of values in [-1, 1], (n, D): of the noise's size."""
    return 2 * to_unit(x, space) - 1
