"""Samples of each class, one row per class."""

from __future__ import annotations

from typing import Any

import torch
from matplotlib.figure import Figure

from genbench.figures.canvas import grid, tiles
from genbench.figures.lacking import Lacking
from genbench.figures.trained import Trained

MOST, COLUMNS = 20, 10
"""Rows that are shown at most; samples of a class."""


def draw(trained: Trained) -> Figure:
    """Return rows of 10 samples, each row of one class, whose number stands on its left."""
    model: Any = trained.model
    classes = trained.space.classes
    if classes is None:
        raise Lacking("the data has no labels")
    most, columns = trained.layout.shape(MOST, COLUMNS)
    count = min(classes, most)
    labels = torch.arange(count, device=trained.device).repeat_interleave(columns)
    images = tiles(model.sample_class(labels, trained.generator("classes")), trained.space.bounds)
    rows = [images[start : start + columns] for start in range(0, len(images), columns)]
    shows = f"samples of each class{f', the first {count} of {classes} classes' if count < classes else ''}"
    return grid(trained, shows, rows, labels=[str(label) for label in range(count)])
