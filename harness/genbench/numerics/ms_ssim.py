"""Multi-scale structural similarity of pairs of images (Wang et al. 2003), with scales that fit the images."""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

BETAS: tuple[float, ...] = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""The published exponents of five scales, from the finest."""

_RULES = ((5, 11), (4, 11), (3, 5), (2, 5), (1, 3))
"""Numbers of scales, the most first, and the least window that the coarsest must hold."""

_C1, _C2 = 0.01**2, 0.03**2
_MEBIBYTES = 64


@dataclass(frozen=True)
class Scales:
    """How many scales are compared, through a Gaussian window of how many pixels: `str` names both for a protocol."""

    scales: int
    window: int

    @property
    def sigma(self) -> float:
        """Return the window's standard deviation in pixels: 1.5 where it has its published width of 11."""
        return 1.5 * self.window / 11

    @property
    def betas(self) -> tuple[float, ...]:
        """Return the exponents: the first of the published ones, over their sum."""
        first = BETAS[: self.scales]
        return tuple(beta / sum(first) for beta in first)

    def __str__(self) -> str:
        return f"{self.scales} scales, window {self.window}"


def fitted_scales(height: int, width: int) -> Scales:
    """Return the scales for images of a size: all five where the coarsest holds the window of 11 pixels (from 176).

    Each scale halves the image. From 88 pixels of the smaller side there are four; from 20, 10 and 3 there are three,
    two and one, with a window as wide as the coarsest of them (odd, at most 11): images of 28 and 32 pixels have three
    scales and a window of 7, of 8 pixels one and 7.

    Raises ValueError for a side below 3 pixels.
    """
    side = min(height, width)
    for scales, least in _RULES:
        coarsest = side >> (scales - 1)
        if coarsest >= least:
            return Scales(scales, min(11, coarsest - 1 + coarsest % 2))
    raise ValueError(f"images of {height} x {width} pixels: expected at least 3 x 3")


def ms_ssim(first: Tensor, second: Tensor, scales: Scales | None = None) -> Tensor:
    """Return the similarity of each pair of images (n, C, H, W) in [0, 1], (n,) float64: 1 where equal, at least 0.

    Π cs_s^β_s over all scales but the coarsest, whose ssim^β comes in: means over windows inside the image for cs, and
    as in torchmetrics over the image mirrored at its edges for ssim; negative ones count as 0. By default with
    `fitted_scales`. Computed in float64, of all channels alike.

    Raises ValueError for shapes that differ or are not (n, C, H, W), images too small for the scales, and values that
    are not finite or outside [0, 1].
    """
    _check(first, second)
    height, width = first.shape[2:]
    scales = fitted_scales(height, width) if scales is None else scales
    if min(height, width) >> (scales.scales - 1) < scales.window:
        raise ValueError(f"images of {height} x {width} pixels: too small for {scales}")
    rows = max(1, int(_MEBIBYTES * 2**20 / (100 * first[0].numel())))
    pairs = zip(torch.split(first, rows), torch.split(second, rows), strict=True)
    return torch.cat([_similarities(x.double(), y.double(), scales) for x, y in pairs])


def _check(first: Tensor, second: Tensor) -> None:
    if first.shape != second.shape or first.dim() != 4 or first.numel() == 0:
        raise ValueError(
            f"images of shapes {tuple(first.shape)} and {tuple(second.shape)}: expected two equal (n, C, H, W)"
        )
    for images, name in ((first, "first"), (second, "second")):
        low, high = images.aminmax()
        if not (low >= 0 and high <= 1):  # NaN fails too
            raise ValueError(f"{name} images from {float(low):g} to {float(high):g}: expected values in [0, 1]")


def _similarities(x: Tensor, y: Tensor, scales: Scales) -> Tensor:
    result = x.new_ones(len(x))
    for beta in scales.betas[:-1]:
        _, structure = _ssim_maps(x, y, scales, mirrored=False)
        result *= structure.mean((1, 2, 3)).clamp_min(0) ** beta
        x, y = avg_pool2d(x, 2), avg_pool2d(y, 2)
    ssim, _ = _ssim_maps(x, y, scales, mirrored=True)
    return result * ssim.mean((1, 2, 3)).clamp_min(0) ** scales.betas[-1]


def _ssim_maps(x: Tensor, y: Tensor, scales: Scales, mirrored: bool) -> tuple[Tensor, Tensor]:
    """Return SSIM and its part of contrast and structure around each pixel, (n, C, h, w)."""
    down, across = (_blur(size, scales, mirrored).to(x.device) for size in x.shape[2:])

    def blurred(image: Tensor) -> Tensor:
        return down @ image @ across.T

    mean_x, mean_y = blurred(x), blurred(y)
    variances = (blurred(x * x) - mean_x**2).clamp_min(0) + (blurred(y * y) - mean_y**2).clamp_min(0)
    structure = (2 * (blurred(x * y) - mean_x * mean_y) + _C2) / (variances + _C2)
    return (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1) * structure, structure


@lru_cache(maxsize=32)  # filled value by value, and needed for every block of images
def _blur(size: int, scales: Scales, mirrored: bool) -> Tensor:
    """Return the matrix of a blur of `size` pixels: (size, size) if mirrored at its ends, else without the ends."""
    half = scales.window // 2
    weights = [math.exp(-((step / scales.sigma) ** 2) / 2) for step in range(-half, half + 1)]
    rows = range(size) if mirrored else range(half, size - half)
    matrix = torch.zeros(len(rows), size, dtype=torch.float64)
    for number, row in enumerate(rows):
        for step, weight in enumerate(weights, -half):
            column = abs(row + step)  # mirrored at 0, which is not repeated
            matrix[number, min(column, 2 * (size - 1) - column)] += weight / sum(weights)
    return matrix
