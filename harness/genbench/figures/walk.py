"""A walk between points of z, as in Figure 3 of Goodfellow et al. 2014: two strips of ten images."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from genbench.figures.canvas import grid, tiles
from genbench.figures.trained import Trained

STEPS, SEGMENTS, STRIPS = 3, 3, 2
"""From one anchor to the next; between the anchors of a strip."""

SHOWS = "decoded points on straight lines in z, from one framed draw of z to the next; the last is the first again"


def draw(trained: Trained) -> Figure:
    """Return two strips; the second begins where the first ends, and ends where the first began."""
    model: Any = trained.model
    anchors = model.latents(SEGMENTS * STRIPS, trained.generator("walk"))  # (6, d)
    images = tiles(model.decode(path(anchors)), trained.space.bounds)
    length = len(images) // STRIPS
    rows = [images[strip * length :][:length] for strip in range(STRIPS)]
    marked = {(strip, step) for strip in range(STRIPS) for step in range(0, length, STEPS)}
    return grid(trained.subject, SHOWS, rows, marked)


def path(anchors: Tensor) -> Tensor:
    """Return the points of both strips one after another, (20, d): anchors every 3 steps, the way closed."""
    closed = torch.cat([anchors, anchors[:1]])
    strips = [closed[strip * SEGMENTS :][: SEGMENTS + 1] for strip in range(STRIPS)]
    return torch.cat([_line(strip) for strip in strips])


def _line(anchors: Tensor) -> Tensor:
    t = torch.arange(STEPS, device=anchors.device)[:, None] / STEPS  # (STEPS, 1)
    parts = [start + t * (end - start) for start, end in pairwise(anchors)]
    return torch.cat([*parts, anchors[-1:]])
