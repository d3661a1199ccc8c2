"""Small networks that several models share: multilayer perceptrons, maxout, noise, and outputs within bounds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

Activation = Literal["relu", "leaky-relu", "tanh", "sigmoid", "softplus", "silu"]

Linear: TypeAlias = nn.Linear | nn.Conv2d | nn.ConvTranspose2d

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
    "silu": nn.SiLU,
}


def activation(name: Activation) -> nn.Module:
    """Return the activation of this name; a leaky ReLU has the slope .2 that adversarial nets commonly use."""
    return nn.LeakyReLU(0.2) if name == "leaky-relu" else _ACTIVATIONS[name]()


class Dropout(nn.Module):
    """Dropout with inverted scaling: each value is 0 with probability p, else divided by 1 - p; nothing in eval mode.

    The mask is compared from uniform draws: on a CPU that takes a fifth of the time of torch's own Bernoulli draws.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Return x under a fresh mask."""
        if not self.training or self.p == 0:
            return x
        kept = torch.rand_like(x) >= self.p
        return x * kept.to(x.dtype).div_(1 - self.p)

    def extra_repr(self) -> str:
        """Return the probability, for printing."""
        return f"p={self.p}"


class GaussianNoise(nn.Module):
    """Additive Gaussian noise of a standard deviation; nothing in eval mode."""

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std

    def forward(self, x: Tensor) -> Tensor:
        """Return x plus fresh noise."""
        return x + self.std * torch.randn_like(x) if self.training and self.std else x

    def extra_repr(self) -> str:
        """Return the standard deviation, for printing."""
        return f"std={self.std}"


class Largest(torch.autograd.Function):
    """The largest along dim 2, with the gradient of `max`, ties included: all of it goes to the place that max names.

    It is put there by a comparison. The gradient of max is scattered, and in deterministic mode CUDA sorts for that.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Return the values, (n, units, pieces, ...) -> (n, units, ...)."""
        values, places = x.max(2)
        ctx.pieces = x.shape[2]
        ctx.save_for_backward(places)
        return values

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Return the gradient at the places, 0 elsewhere."""
        (places,) = ctx.saved_tensors
        numbers = torch.arange(ctx.pieces, device=gradient.device).view(-1, *[1] * (gradient.dim() - 2))
        at_places: Tensor = places.unsqueeze(2) == numbers
        return torch.where(at_places, gradient.unsqueeze(2), 0)


def largest(maps: Tensor, pieces: int) -> Tensor:
    """Return the largest of each `pieces` consecutive maps, (n, units·pieces, ...) -> (n, units, ...)."""
    groups = maps.view(len(maps), -1, pieces, *maps.shape[2:])
    if maps.device.type == "cpu":  # to the same bits, in half the time
        return groups.max(2).values
    values: Tensor = Largest.apply(groups)
    return values


class Maxout(nn.Module):
    """A maxout layer (Goodfellow et al. 2013): each unit is the largest of `pieces` consecutive linear maps."""

    def __init__(self, inputs: int, units: int, pieces: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, units * pieces)
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        """Return the units, (n, units)."""
        return largest(self.linear(x), self.pieces)


class Images(nn.Module):
    """Pre-activations (n, C·H·W) to images (n, C, H, W): a sigmoid, stretched to the bounds."""

    def __init__(self, shape: tuple[int, int, int], bounds: tuple[float, float]) -> None:
        super().__init__()
        self.shape, self.bounds = shape, bounds

    def forward(self, a: Tensor) -> Tensor:
        """Return images within the bounds."""
        low, high = self.bounds
        x = a.sigmoid() if (low, high) == (0, 1) else (low + (high - low) * a.sigmoid()).clamp(low, high)
        return x.view(len(x), *self.shape)


def mlp(inputs: int, hidden: Sequence[int], outputs: int, activations: Sequence[Activation]) -> nn.Sequential:
    """Return a multilayer perceptron with a linear output; where activations are too few, the last repeats."""
    layers: list[nn.Module] = []
    for i, units in enumerate(hidden):
        layers += [nn.Linear(inputs, units), activation(activations[min(i, len(activations) - 1)])]
        inputs = units
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


def linears(*networks: nn.Module) -> list[Linear]:
    """Return the linear maps inside networks, convolutions among them, from input to output."""
    return [layer for network in networks for layer in network.modules() if isinstance(layer, Linear)]


@torch.no_grad()
def init_uniform(layers: Iterable[Linear], irange: float) -> None:
    """Draw weights from U(-irange, irange) and set biases to 0."""
    for layer in layers:
        layer.weight.uniform_(-irange, irange)
        if layer.bias is not None:
            layer.bias.zero_()


@torch.no_grad()
def init_sparse(weight: Tensor, inputs: int) -> None:
    """Draw so many of each unit's weights (units, all inputs) from N(0, 1), and set the others to 0."""
    nn.init.sparse_(weight.T, max(0.0, 1 - inputs / weight.shape[1]), std=1.0)


@torch.no_grad()
def limit_norms(layers: Iterable[Linear], greatest: float) -> None:
    """Shorten the incoming weights of each unit to this Euclidean length, where they are longer."""
    for layer in layers:
        units = 1 if isinstance(layer, nn.ConvTranspose2d) else 0  # the axis of weight
        layer.weight.copy_(layer.weight.renorm(2, units, greatest))


@torch.no_grad()
def set_bias_from_marginals(bias: Tensor, images: Tensor, bounds: tuple[float, float], clip: float = 1e-7) -> None:
    """Set an output's biases (C·H·W,) to the logit of each pixel's mean: untrained, it has the data's marginals."""
    low, high = bounds
    p = (images.flatten(1).double().mean(0) - low) / (high - low)  # (C·H·W,)
    bias.copy_(p.clamp(clip, 1 - clip).logit())


@torch.no_grad()
def follow(mean: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move a running mean of weights towards a network's, at a step from 1.

    The decay starts low, so that the first weights are soon forgotten.
    """
    decay = min(decay, step / (step + 9))
    for average, p in zip(mean.parameters(), network.parameters(), strict=True):
        average.lerp_(p, 1 - decay)
