"""The convolutional nets of the paper's CIFAR-10 recipe: a discriminator's maxout layers, a generator's end."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from genbench_plugins.networks import Dropout, largest

KERNEL, STRIDE = 5, 3  # of the transposed convolution
LAYERS = ((8, 4, 4, 2), (8, 3, 4, 2), (5, 3, 2, 2))
"""Of D's layers: side and padding of the kernel, side and stride of the pooling."""


class PixelBias(nn.Module):
    """A bias for each value of an image, where a convolution would share one among all positions."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.shape = shape
        self.bias = nn.Parameter(torch.zeros(shape[0] * shape[1] * shape[2]))

    def forward(self, x: Tensor) -> Tensor:
        """Return x (n, C, h, w), cut to the image's size, plus the bias, (n, C, H, W)."""
        _, height, width = self.shape
        return x[:, :, :height, :width] + self.bias.view(self.shape)


def grid(shape: tuple[int, int, int]) -> tuple[int, int]:
    """Return height and width of the maps that a transposed convolution makes an image of, or of a little more."""
    _, height, width = shape
    return tuple(max(0, -(-(side - KERNEL) // STRIDE)) + 1 for side in (height, width))  # type: ignore[return-value]


def deconvolution(channels: int, shape: tuple[int, int, int]) -> list[nn.Module]:
    """Return the layers from maps (n, channels·h·w) on the grid to pre-activations of images, (n, C·H·W)."""
    transposed = nn.ConvTranspose2d(channels, shape[0], KERNEL, STRIDE, bias=False)
    return [nn.Unflatten(1, (channels, *grid(shape))), transposed, PixelBias(shape), nn.Flatten()]


class ConvolutionalMaxout(nn.Module):
    """Convolution, the largest of `pieces` consecutive maps, and the largest of each pool, cut at the border."""

    def __init__(self, inputs: int, channels: int, pieces: int, sizes: tuple[int, int, int, int]) -> None:
        super().__init__()
        side, padding, pool, stride = sizes
        self.convolution = nn.Conv2d(inputs, channels * pieces, side, padding=padding)
        self.pieces, self.pool, self.stride = pieces, pool, stride

    def forward(self, x: Tensor) -> Tensor:
        """Return maps (n, channels, h, w)."""
        maps = largest(self.convolution(x), self.pieces)  # (n, channels, h', w')
        pool = min(self.pool, maps.shape[2], maps.shape[3])
        return nn.functional.max_pool2d(maps, pool, self.stride, ceil_mode=True)


def convolutions(inputs: int, channels: Sequence[int], pieces: int, dropout: float) -> nn.Sequential:
    """Return layers (n, inputs, H, W) -> (n, values), flattened, with dropout after each."""
    layers: list[nn.Module] = []
    for units, sizes in zip(channels, LAYERS, strict=False):
        layers += [ConvolutionalMaxout(inputs, units, pieces, sizes), Dropout(dropout)]
        inputs = units
    return nn.Sequential(*layers, nn.Flatten())
