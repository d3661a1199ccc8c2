"""Samples with the nearest training image beside them, by the rule of Figure 2 of Goodfellow et al. 2014."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor

from genbench.figures.canvas import grid, tiles
from genbench.figures.kinds import Lacking
from genbench.figures.trained import Trained
from genbench.numerics.distances import squared_distances

ROWS, COLUMNS = 4, 5
WITHOUT = "the first 20 samples; without the training images nearest to them: the data are not here"
SHOWS = "the first 20 samples; framed: the training image nearest to the one on its left, by squared L2"


def draw(trained: Trained) -> Figure:
    """Return 4 rows of 5 samples, and in column 6 the training image nearest to the fifth, where the data are here.

    Raises Lacking where images made elsewhere are fewer.
    """
    samples = trained.samples(ROWS * COLUMNS)
    if len(samples) < ROWS * COLUMNS:
        raise Lacking(f"{len(samples)} images, of {ROWS * COLUMNS} to be shown")
    if trained.missing:
        by_row = samples.view(ROWS, COLUMNS, *samples.shape[1:])
        return grid(trained.subject, WITHOUT, [tiles(row, trained.space.bounds) for row in by_row])
    last = samples[COLUMNS - 1 :: COLUMNS]  # (ROWS, C, H, W)
    train = trained.data.split("train", trained.device).images
    shown = torch.cat([samples.view(ROWS, COLUMNS, *samples.shape[1:]), train[nearest(last, train)][:, None]], 1)
    rows = [tiles(row, trained.space.bounds) for row in shown]
    return grid(trained.subject, SHOWS, rows, marked={(row, COLUMNS) for row in range(ROWS)})


def nearest(x: Tensor, among: Tensor) -> Tensor:
    """Return the index of the image among others with the least squared L2 distance to each image of x, (n,)."""
    return torch.cat([distances.argmin(1) for _, distances in squared_distances(x, among)])
