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
    count, in_row = trained.layout.shape(ROWS, PAIRS)
    x = trained.data.split("valid", trained.device).images[: count * in_row]
    bounds = trained.space.bounds
    pairs = list(zip(tiles(x, bounds), tiles(model.reconstruct(x.clone()), bounds), strict=True))
    by_row = [pairs[start : start + in_row] for start in range(0, len(pairs), in_row)]
    rows = [[tile for pair in several for tile in pair] for several in by_row]
    marked = {(row, column) for row, line in enumerate(rows) for column in range(1, len(line), 2)}
    return grid(trained, SHOWS, rows, marked, pairs=2)
