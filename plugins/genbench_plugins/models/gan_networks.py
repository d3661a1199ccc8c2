"""The networks of `gan`: G, D and their first weights, by the options of the model."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

import torch
from annotated_types import Ge, MaxLen, MinLen
from torch import Tensor, nn

import genbench
from genbench_plugins.models.adversarial import OfLatents, Share, Width
from genbench_plugins.models.convolutional import PixelBias, convolutions, deconvolution, grid
from genbench_plugins.networks import (
    Activation,
    Dropout,
    GaussianNoise,
    Images,
    Maxout,
    activation,
    init_sparse,
    init_uniform,
    linears,
)
from genbench_plugins.scaling import Standardise, Unstandardise


class Grown(nn.Module):
    """A network with another put below it; as long as it is not `whole`, it stands alone, on inputs as wide."""

    def __init__(self, below: nn.Module, above: nn.Module) -> None:
        super().__init__()
        self.below, self.above = below, above
        self.whole = True

    def forward(self, z: Tensor) -> Tensor:
        """Return what the upper network makes of the lower one's output, or of z itself."""
        x: Tensor = self.above(self.below(z) if self.whole else z)
        return x


@dataclass(eq=False)
class GANNetworks(OfLatents):
    """G of rectifiers, D of maxout layers with dropout, either of them with convolutions where its maps are given."""

    # G
    g_hidden: tuple[Width, ...] = (256, 256)
    g_activations: Annotated[tuple[Activation, ...], MinLen(1)] = ("leaky-relu",)  # the last repeats for further layers
    g_dropout: Share = 0.0  # while training, after each hidden layer
    g_noise: Annotated[float, Ge(0)] = 0.0  # standard deviation; while training, after each hidden layer
    g_sigmoid_bias: float = 0.0  # of hidden sigmoid units, at first
    g_maps: Annotated[int, Ge(0)] = 0  # of a further hidden layer, which a transposed convolution makes images of
    output: Literal["sigmoid", "standardised"] = "sigmoid"  # or linear, of values standardised over all images
    g_irange_out: Annotated[float, Ge(0)] = 0.0  # of the output's weights, where it is not that of the others
    g_sparse: Annotated[int, Ge(0)] = 0  # so many weights of each output from N(0, 1), the others 0
    g_below: tuple[Width, ...] = ()  # layers, the last as wide as z, put below G once it was trained alone
    below_from: Annotated[int, Ge(0)] = 0  # for so many epochs; then D and the optimisers start anew
    # D
    d_maps: Annotated[tuple[Width, ...], MaxLen(3)] = ()  # of convolutional maxout layers of two pieces, before
    d_hidden: tuple[Width, ...] = (64, 64, 64)  # these
    pieces: Width = 3
    dropout_in: Share = 0.3  # of D's input
    dropout: Share = 0.0  # of D's hidden layers

    def build(self, space: genbench.Space, device: torch.device) -> None:
        """Make G, D and their optimisers."""
        self.space = space
        self._begin(self._generator().to(device), self._discriminator().to(device), space)
        self._begin_weights()

    @torch.no_grad()
    def _begin_weights(self) -> None:
        """Draw the weights of G's output anew, and set hidden biases, where the options ask for it."""
        if self.g_irange_out:
            init_uniform(linears(self.G_)[-1:], self.g_irange_out)
        if self.g_sparse:
            init_sparse(linears(self.G_)[-1].weight, self.g_sparse)
        for part in (m for m in self.G_.modules() if isinstance(m, nn.Sequential)):
            for layer, following in pairwise(part):
                if isinstance(layer, nn.Linear) and isinstance(following, nn.Sigmoid) and self.g_sigmoid_bias:
                    layer.bias.fill_(self.g_sigmoid_bias)

    def _generator(self) -> nn.Module:
        hidden, units = self._hidden(self.g_hidden)
        if self.g_maps:
            height, width = grid(self.space.shape)
            hidden += self._layer(units, self.g_maps * height * width, len(self.g_hidden))
            end = deconvolution(self.g_maps, self.space.shape)
        else:
            end = [nn.Linear(units, self.space.dim)]
        images = Images(self.space.shape, self.space.bounds) if self.output == "sigmoid" else Unstandardise(self.space)
        above = nn.Sequential(*hidden, *end, images)
        return Grown(nn.Sequential(*self._hidden(self.g_below)[0]), above) if self.g_below else above

    def _hidden(self, widths: tuple[Width, ...]) -> tuple[list[nn.Module], int]:
        """Return hidden layers on z, and the width of the last."""
        layers: list[nn.Module] = []
        inputs = self.latent
        for i, units in enumerate(widths):
            layers += self._layer(inputs, units, i)
            inputs = units
        return layers, inputs

    def _layer(self, inputs: int, units: int, i: int) -> list[nn.Module]:
        name = self.g_activations[min(i, len(self.g_activations) - 1)]
        return [nn.Linear(inputs, units), activation(name), Dropout(self.g_dropout), GaussianNoise(self.g_noise)]

    def _discriminator(self) -> nn.Sequential:
        start: list[nn.Module] = [Standardise()] if self.output == "standardised" else []
        if self.d_maps:
            maps = convolutions(self.space.shape[0], self.d_maps, pieces=2, dropout=self.dropout)
            layers = [*start, Dropout(self.dropout_in), maps]
            inputs = maps.eval()(torch.zeros(1, *self.space.shape)).shape[1]
        else:
            layers = [*start, nn.Flatten(), Dropout(self.dropout_in)]
            inputs = self.space.dim
        for units in self.d_hidden:
            layers += [Maxout(inputs, units, self.pieces), Dropout(self.dropout)]
            inputs = units
        return nn.Sequential(*layers, nn.Linear(inputs, 1), nn.Flatten(0))  # logits (n,)

    @torch.no_grad()
    def _start(self, images: Tensor) -> None:
        scales = [m for net in (self.G_, self.D_) for m in net.modules() if isinstance(m, Standardise)]
        for scale in scales:
            scale.measure(images)
        if self.marginals and scales:
            self._output_bias().copy_(scales[-1](images.mean(0)).flatten())
        else:
            super()._start(images)

    def _output_bias(self) -> Tensor:
        return [m for m in self.G_.modules() if isinstance(m, nn.Linear | PixelBias)][-1].bias
