"""Validation images with a half hidden, and filled in several times."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from genbench.figures.canvas import Tile, grid, tiles
from genbench.figures.lacking import Lacking
from genbench.figures.trained import Trained

ROWS, TIMES = 4, 4
SHOWS = "a validation image; what is known of it; framed: filled in each time anew"
HIDDEN = np.array([0.62, 0.79, 0.88])
"""What stands for hidden pixels: a light blue, which no grey image has."""


def draw(trained: Trained) -> Figure:
    """Return a row per image: itself, its known left half, and four ways in which the model fills in the right one."""
    model: Any = trained.model
    count, times = trained.layout.shape(ROWS, TIMES)
    x = trained.data.split("valid", trained.device).images[:count]  # (n, C, H, W)
    known = x.shape[-1] // 2
    if known == 0:
        raise Lacking("images one pixel wide have no right half")
    mask = torch.zeros_like(x)
    mask[..., :known] = 1
    repeated = [part.repeat_interleave(times, 0) for part in (x, mask)]
    filled = tiles(model.inpaint(*repeated, trained.generator("inpainting")), trained.space.bounds)
    rows = [
        [tile, _masked(tile, known), *filled[i * times :][:times]]
        for i, tile in enumerate(tiles(x, trained.space.bounds))
    ]
    return grid(trained, SHOWS, rows, {(row, 2 + i) for row in range(len(rows)) for i in range(times)})


def _masked(tile: Tile, known: int) -> Tile:
    tile = tile.copy()
    tile[:, known:] = HIDDEN
    return tile
