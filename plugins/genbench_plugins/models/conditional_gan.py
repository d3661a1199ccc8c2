"""Conditional adversarial nets: both players get the class of the image (Mirza & Osindero 2014)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Gt
from torch import Tensor, nn

import genbench
from genbench_plugins.models.adversarial import OfLatents, Share, Width
from genbench_plugins.networks import Activation, Dropout, Images, Maxout, activation

MIRZA_2014_MNIST: Mapping[str, object] = {
    "noise": "hypercube",
    "latent": 100,
    "g_z": 200,
    "g_y": 1000,
    "g_joint": 1200,
    "g_activation": "relu",
    "g_dropout": 0.5,
    "g_irange": 0.05,
    "d_x": 240,
    "d_y": 50,
    "d_joint": 240,
    "pieces": 5,
    "joint_pieces": 4,
    "dropout_in": 0.0,
    "dropout": 0.5,
    "d_irange": 0.005,
    "optimiser": "momentum",
    "lr": 0.1,
    "d_lr_ratio": 1.0,
    "lr_decay": 1.00004,
    "lr_floor": 1e-6,
    "momentum": 0.5,
    "momentum_final": 0.7,
    "momentum_epochs": 250,
    "average": 0.0,
    "batch": 100,
    "epochs": 576,
}


class Conditioned(nn.Module):
    """A network of an input and a label: a branch for each (the label's takes it one-hot), joined by a third."""

    def __init__(self, of_input: nn.Module, of_label: nn.Module, joint: nn.Module, classes: int) -> None:
        super().__init__()
        self.of_input, self.of_label, self.joint = of_input, of_label, joint
        self.register_buffer("one_hot", torch.eye(classes), persistent=False)
        self.one_hot: Tensor

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return what the joint network makes of x and labels y (n,) side by side."""
        joined = torch.cat([self.of_input(x), self.of_label(self.one_hot[y])], 1)
        out: Tensor = self.joint(joined)
        return out


@dataclass(eq=False)
class ConditionalGAN(OfLatents):
    """Conditional adversarial nets, eq. 2 of the paper: G(z|y) and D(x|y), the labels y of a batch given to both.

    G maps z and y to hidden layers of their own, and these to a joint one; D likewise, of maxout layers. `sample` draws
    labels as they occur in training. The defaults were chosen by the validation images of `digits`.

    The preset `paper` has the sizes and the optimisation that are given for the paper's net for MNIST. Not given there,
    and taken from the code of `gan@paper`, by the same group: the ranges of the initial weights, the epochs over which
    the momentum rises, simultaneous updates, and that the output starts from the marginals. The paper stops at the best
    validation likelihood; here training goes on until the learning rate has reached its floor, in epoch 576 of 50,000
    images.
    """

    version: ClassVar[int] = 1

    # G
    g_z: Width = 64  # units of the layer over z,
    g_y: Width = 64  # over the label,
    g_joint: Width = 256  # and over both
    g_activation: Activation = "leaky-relu"
    g_dropout: Share = 0.0  # while training, after each hidden layer
    # D
    d_x: Width = 64
    d_y: Width = 16
    d_joint: Width = 64
    pieces: Width = 3  # of the layers over image and label
    joint_pieces: Width = 3
    dropout_in: Share = 0.3  # of D's image
    dropout: Share = 0.0  # of D's hidden layers
    # The game, with other defaults
    lr: Annotated[float, Gt(0)] = 2e-3  # of G
    average: Share = 0.99  # decay of the running mean of G's weights that samples come from; 0: G itself
    epochs: Width = 200

    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {"paper": MIRZA_2014_MNIST}
    search: ClassVar[genbench.Search] = {
        "lr": genbench.Range(1e-4, 1e-2, log=True),
        "d_lr_ratio": genbench.Range(0.3, 10.0, log=True),
        "average": (0.0, 0.99, 0.999, 0.9999),
        "latent": genbench.Range(4, 100, log=True),
        "g_joint": genbench.Range(128, 1200, log=True),
        "d_joint": genbench.Range(32, 256, log=True),
        "dropout_in": genbench.Range(0.0, 0.5),
        "dropout": genbench.Range(0.0, 0.5),
    }

    def build(self, space: genbench.Space, device: torch.device) -> None:
        """Make G, D and their optimisers. Raises Unsupported where images have no labels."""
        if space.classes is None:
            raise genbench.Unsupported("conditional-gan needs labels; this dataset has none: choose gan, or add labels")
        self.classes = space.classes
        self.counted_ = torch.arange(1, space.classes + 1, device=device)  # (classes,) labels up to each class
        self._begin(self._generator(space).to(device), self._discriminator(space).to(device), space)

    def _generator(self, space: genbench.Space) -> Conditioned:
        def layer(inputs: int, units: int) -> list[nn.Module]:
            return [nn.Linear(inputs, units), activation(self.g_activation), Dropout(self.g_dropout)]

        output = [nn.Linear(self.g_joint, space.dim), Images(space.shape, space.bounds)]
        return Conditioned(
            nn.Sequential(*layer(self.latent, self.g_z)),
            nn.Sequential(*layer(self.classes, self.g_y)),
            nn.Sequential(*layer(self.g_z + self.g_y, self.g_joint), *output),
            self.classes,
        )

    def _discriminator(self, space: genbench.Space) -> Conditioned:
        def layer(inputs: int, units: int, pieces: int) -> list[nn.Module]:
            return [Maxout(inputs, units, pieces), Dropout(self.dropout)]

        logit = [nn.Linear(self.d_joint, 1), nn.Flatten(0)]  # (n,)
        return Conditioned(
            nn.Sequential(nn.Flatten(), Dropout(self.dropout_in), *layer(space.dim, self.d_x, self.pieces)),
            nn.Sequential(*layer(self.classes, self.d_y, self.pieces)),
            nn.Sequential(*layer(self.d_x + self.d_y, self.d_joint, self.joint_pieces), *logit),
            self.classes,
        )

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        """Count the labels, and play the game."""
        assert data.train.labels is not None  # build refuses data without
        self.counted_ = torch.bincount(data.train.labels, minlength=self.classes).cumsum(0)
        super().fit(data, run)

    def _given(self, x: Tensor, labels: Tensor | None, generator: torch.Generator) -> tuple[Tensor, ...]:
        assert labels is not None  # build refuses data without
        return (labels,)

    # Abilities

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return G(z|y) for labels with the frequencies of the training labels, (n, C, H, W)."""
        rank = torch.randint(int(self.counted_[-1]), (n,), generator=generator, device=generator.device)
        return self.sample_class(torch.searchsorted(self.counted_, rank, right=True), generator)

    def sample_class(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Return G(z|y) for the labels y, (n, C, H, W)."""
        return self._generate(self._z(len(labels), generator), (labels,))

    @torch.no_grad()
    def features(self, x: Tensor) -> Tensor:
        """Return the units of D's layer over the image alone, (n, d_x): D was trained with the labels."""
        assert isinstance(self.D_, Conditioned)
        units: Tensor = self.D_.eval().of_input(x)
        return units
