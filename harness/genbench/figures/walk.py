"""A walk between points of z, as in Figure 3 of Goodfellow et al. 2014: two strips of ten images."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from genbench.figures.canvas import grid, tiles
from genbench.figures.lacking import Lacking
from genbench.figures.trained import Trained

STEPS, LENGTH, STRIPS = 3, 10, 2
"""From one anchor to the next; images of a strip."""

SHOWS = "decoded points on straight lines in z, from one framed draw of z to the next; the last is the first again"


def draw(trained: Trained) -> Figure:
    """Return two strips; the second begins where the first ends, and ends where the first began.

    Raises Lacking for strips of one image.
    """
    model: Any = trained.model
    strips, length = trained.layout.shape(STRIPS, LENGTH)
    if length < 2:
        raise Lacking("a walk has two images in a row or more")
    parts = segments(length)
    anchors = model.latents(len(parts) * strips, trained.generator("walk"))  # (6, d)
    images = tiles(model.decode(path(anchors, parts)), trained.space.bounds)
    rows = [images[strip * length :][:length] for strip in range(strips)]
    marked = {(strip, step) for strip in range(strips) for step in (*range(0, length, STEPS), length - 1)}
    return grid(trained, SHOWS, rows, marked)


def segments(length: int) -> list[int]:
    """Return the steps from each anchor of a strip to the next: 3, and what is left of the strip's images."""
    whole, rest = divmod(length - 1, STEPS)
    return [*[STEPS] * whole, *([rest] if rest else [])]


def path(anchors: Tensor, steps: Sequence[int]) -> Tensor:
    """Return the points of all strips one after another, (20, d), each of so many steps between anchors; closed."""
    closed = torch.cat([anchors, anchors[:1]])
    strips = [closed[start : start + len(steps) + 1] for start in range(0, len(anchors), len(steps))]
    return torch.cat([_line(strip, steps) for strip in strips])


def _line(anchors: Tensor, steps: Sequence[int]) -> Tensor:
    parts = [
        start + torch.arange(count, device=anchors.device)[:, None] / count * (end - start)  # (count, d)
        for count, (start, end) in zip(steps, pairwise(anchors), strict=True)
    ]
    return torch.cat([*parts, anchors[-1:]])
