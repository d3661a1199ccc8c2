"""Validation images beside what the model makes of them."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from genbench.figures.canvas import grid, tiles
from genbench.figures.trained import Trained

ROWS, PAIRS = 4, 4
SHOWS = "validation images; framed: the reconstruction of the image on its left"


def draw(trained: Trained) -> Figure:
    """Return pairs of a validation image and its reconstruction, 4 in a row."""
    model: Any = trained.model
    x = trained.data.split("valid", trained.device).images[: ROWS * PAIRS]
    bounds = trained.space.bounds
    pairs = list(zip(tiles(x, bounds), tiles(model.reconstruct(x.clone()), bounds), strict=True))
    rows = [[tile for pair in pairs[start : start + PAIRS] for tile in pair] for start in range(0, len(pairs), PAIRS)]
    marked = {(row, column) for row, line in enumerate(rows) for column in range(1, len(line), 2)}
    return grid(trained.subject, SHOWS, rows, marked, pairs=2)
