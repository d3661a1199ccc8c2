"""Samples of each class, one row per class."""

from __future__ import annotations

from typing import Any

import torch
from matplotlib.figure import Figure

from genbench.figures.canvas import grid, tiles
from genbench.figures.kinds import Lacking
from genbench.figures.trained import Trained

COLUMNS, MOST = 10, 20
"""Samples of a class; rows that are shown at most."""


def draw(trained: Trained) -> Figure:
    """Return rows of 10 samples, each row of one class, whose number stands on its left."""
    model: Any = trained.model
    classes = trained.space.classes
    if classes is None:
        raise Lacking("the data has no labels")
    count = min(classes, MOST)
    labels = torch.arange(count, device=trained.device).repeat_interleave(COLUMNS)
    images = tiles(model.sample_class(labels, trained.generator("classes")), trained.space.bounds)
    rows = [images[start : start + COLUMNS] for start in range(0, len(images), COLUMNS)]
    shows = f"samples of each class{f', the first {count} of {classes} classes' if count < classes else ''}"
    return grid(trained.subject, shows, rows, labels=[str(label) for label in range(count)])
