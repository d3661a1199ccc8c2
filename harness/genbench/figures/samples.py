"""Samples with the nearest training image beside them, by the rule of Figure 2 of Goodfellow et al. 2014."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor

from genbench.figures.canvas import grid, tiles
from genbench.figures.lacking import Lacking
from genbench.figures.trained import Trained
from genbench.numerics.distances import squared_distances

ROWS, COLUMNS = 4, 5
WITHOUT = "without the training images nearest to them: the data are not here"
SHOWS = "framed: the training image nearest to the one on its left, by squared L2"


def draw(trained: Trained) -> Figure:
    """Return 4 rows of 5 samples, and in column 6 the training image nearest to the fifth, where the data are here.

    Raises Lacking where images made elsewhere are fewer.
    """
    rows, columns = trained.layout.shape(ROWS, COLUMNS)
    count = rows * columns
    samples = trained.samples(count)
    if len(samples) < count:
        raise Lacking(f"{len(samples)} images, of {count} to be shown")
    bounds, by_row = trained.space.bounds, samples.view(rows, columns, *samples.shape[1:])
    named = f"the first {count} samples" if count > 1 else "the first sample"
    if trained.missing:
        return grid(trained, f"{named}; {WITHOUT}", [tiles(row, bounds) for row in by_row])
    train = trained.data.split("train", trained.device).images
    closest = train[nearest(by_row[:, -1], train)]  # (rows, C, H, W)
    shown = torch.cat([by_row, closest[:, None]], 1)
    marked = {(row, columns) for row in range(rows)}
    return grid(trained, f"{named}; {SHOWS}", [tiles(row, bounds) for row in shown], marked)


def nearest(x: Tensor, among: Tensor) -> Tensor:
    """Return the index of the image among others with the least squared L2 distance to each image of x, (n,)."""
    return torch.cat([distances.argmin(1) for _, distances in squared_distances(x, among)])
