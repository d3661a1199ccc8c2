"""Grids of images as small PNG files inside a page, one byte a pixel: the page enlarges them without smoothing."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from genbench.figures import canvas
from genbench.figures.canvas import PAPER, Tile

LEAST_SIDE = 40
"""Screen pixels that an image's longer side takes at least."""


@dataclass(frozen=True)
class Picture:
    """A PNG file as a data URI, the size in screen pixels that it is shown at, and what it shows, in words."""

    uri: str
    width: int
    height: int
    shows: str


def grid(tiles: list[Tile], columns: int, shows: str) -> Picture:
    """Return colours (H, W, 3) in [0, 1] side by side in rows of so many, a pixel apart."""
    height, width, _ = tiles[0].shape
    rows = -(-len(tiles) // columns)
    body = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1, 3), PAPER)
    for place, tile in enumerate(tiles):
        top, left = (place // columns) * (height + 1), (place % columns) * (width + 1)
        body[top : top + height, left : left + width] = tile
    return _picture(body, max(1, -(-LEAST_SIDE // max(height, width))), shows)


def _picture(body: Tile, scale: int, shows: str) -> Picture:
    pixels: NDArray[np.uint8] = np.round(body * 255).astype(np.uint8)
    is_grey = bool((pixels == pixels[..., :1]).all())
    size = scale * body.shape[1], scale * body.shape[0]
    return _encoded(Image.fromarray(pixels[..., 0] if is_grey else pixels), size, shows)


def of_figure(figure: Figure, shows: str) -> Picture:
    """Return a figure of images as it is drawn, each pixel of theirs several wide already."""
    written = io.BytesIO()
    with canvas.defaults():
        figure.savefig(written, format="png", metadata={"Software": None})
    image = Image.open(written).convert("RGB")
    return _encoded(image.convert("P", palette=Image.Palette.ADAPTIVE, colors=128), image.size, shows)


def _encoded(image: Image.Image, size: tuple[int, int], shows: str) -> Picture:
    written = io.BytesIO()
    image.save(written, format="PNG", optimize=True)
    return Picture(f"data:image/png;base64,{base64.b64encode(written.getvalue()).decode()}", *size, shows)
