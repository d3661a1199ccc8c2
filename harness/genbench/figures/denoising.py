"""Validation images, spoilt in two ways, and what the model makes of them."""

from __future__ import annotations

from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from genbench.figures.canvas import grid, tiles
from genbench.figures.trained import Trained

COLUMNS = 10
NOISE, HIDDEN = 0.25, 0.4
"""The standard deviation of the noise, as a share of the range of values; the share of pixels that are hidden."""

SHOWS = (
    f"validation images: clean; with Gaussian noise, standard deviation {NOISE:g} of the range, clipped to it; with "
    f"{100 * HIDDEN:g} % of the pixels set to the least value; framed: the reconstruction of the image above"
)


def draw(trained: Trained) -> Figure:
    """Return rows of the same 10 images: clean, noisy, reconstructed, with pixels hidden, reconstructed."""
    model: Any = trained.model
    _, columns = trained.layout.shape(0, COLUMNS)
    x = trained.data.split("valid", trained.device).images[:columns]  # (n, C, H, W)
    bounds, generator = trained.space.bounds, trained.generator("denoising")
    rows = {"clean": x}
    for name, spoilt in (
        (f"noise {NOISE:g}", noisy(x, bounds, generator)),
        (f"hidden {100 * HIDDEN:g} %", masked(x, bounds, generator)),
    ):
        rows |= {name: spoilt, f"from {name}": model.reconstruct(spoilt.clone())}
    framed = {(row, column) for row in (2, 4) for column in range(len(x))}
    shown = [tiles(images, bounds) for images in rows.values()]
    return grid(trained, SHOWS, shown, framed, [*rows])


def noisy(x: Tensor, bounds: tuple[float, float], generator: torch.Generator) -> Tensor:
    """Return images with Gaussian noise, clipped to the bounds."""
    low, high = bounds
    e = torch.randn(x.shape, generator=generator, device=x.device)
    return (x + NOISE * (high - low) * e).clamp(low, high)


def masked(x: Tensor, bounds: tuple[float, float], generator: torch.Generator) -> Tensor:
    """Return images with some pixels, in all channels, at the least value."""
    u = torch.rand(len(x), 1, *x.shape[2:], generator=generator, device=x.device)
    return torch.where(u < HIDDEN, bounds[0], x)
