"""What all figures share: headings that fit, grids of images pixel by pixel, and files that are the same each time."""

from __future__ import annotations

import math
import textwrap
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from genbench import files
from genbench.figures.lacking import Lacking
from genbench.figures.trained import Trained

Tile = NDArray[np.float64]  # (H, W, 3) in [0, 1]

DPI = 100
FONT = 9.0  # in points
LETTER = 0.64 * FONT * DPI / 72
"""The width in pixels that a letter is given: digits and most capitals are narrower, few words are as wide."""
LINE = 18
MARGIN = 12
GAP = 8
FRAME = 3
SMALLEST, LARGEST = 96, 512
MOST_LINES = 4

MOST_PIXELS = 40_000_000
"""Of a grid: more would take gigabytes while it is drawn."""

PAPER = 0.8
"""The grey between tiles: neither black nor white images melt into it."""

MARK = np.array([0.84, 0.15, 0.16])
"""The colour of the frame around what is not a sample: matplotlib's red."""


UNNAMED: Mapping[str, Sequence[str]] = {"png": ("Software",), "pdf": ("Creator", "Producer", "CreationDate")}
"""What a format says of how a file was made, which would make equal figures differ."""


@contextmanager
def defaults() -> Iterator[None]:
    """Draw by matplotlib's defaults, whatever the user has set, and without complaints about letters it lacks."""
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        matplotlib.rcdefaults()
        yield


def save(figure: Figure, path: Path) -> None:
    """Write a file whole or not at all, of the format that its suffix says, .png or .pdf. Raises StoreError.

    Equal figures give equal bytes. Letters of a PDF are TrueType outlines (type 42), which journals ask for.
    """
    form = path.suffix.removeprefix(".")
    with defaults(), files.replacing(path, sync=False) as aside:
        matplotlib.rcParams["pdf.fonttype"] = 42
        figure.savefig(aside, format=form, metadata=dict.fromkeys(UNNAMED[form]))


def heading(trained: Trained, shows: str, width: int, who: str = "") -> str:
    """Return the title of a figure, folded to a width in pixels: who, else its first trial, and what it shows.

    "" where no titles are asked for.
    """
    if not trained.layout.titles:
        return ""
    subject = trained.subject
    budget = ", ".join(f"{value:g} {name}" for name, value in subject.first.record.budget.items())
    lines = [f"{who or subject.first}{f', at most {budget}' if budget else ''}", shows]
    letters = max(8, int((width - 2 * MARGIN) / LETTER))
    return "\n".join(
        part for line in lines for part in textwrap.wrap(line, letters, max_lines=MOST_LINES, placeholder=" …")
    )


def tiles(images: Tensor, bounds: tuple[float, float]) -> list[Tile]:
    """Return images (n, C, H, W) as colours: the first three channels, or the first as grey where there are fewer."""
    low, high = bounds
    x = ((images.detach().double().cpu() - low) / (high - low)).clamp(0, 1).numpy()
    if not np.isfinite(x).all():
        raise ValueError("the model returned images that are not finite")
    x = x[:, :3] if x.shape[1] >= 3 else x[:, :1].repeat(3, axis=1)
    return list(x.transpose(0, 2, 3, 1))


def scale(height: int, width: int) -> int:
    """Return how many screen pixels wide a pixel is: at least 4, unless a tile would then be larger than LARGEST."""
    side = max(height, width)
    return max(1, min(max(4, math.ceil(SMALLEST / side)), LARGEST // side))


def grid(
    trained: Trained,
    shows: str,
    rows: Sequence[Sequence[Tile]],
    marked: Collection[tuple[int, int]] = (),
    labels: Sequence[str] = (),
    pairs: int = 1,
) -> Figure:
    """Return rows of tiles under a title; tiles marked by (row, column) are framed, labels stand left of the rows.

    Columns stand together by so many (pairs). Raises Lacking for one that is too large.
    """
    body = _body(rows, marked, pairs)
    left = MARGIN + max((math.ceil(len(label) * LETTER) + GAP for label in labels), default=0)
    width = max(left + body.shape[1] + MARGIN, 320 if trained.layout.titles else 0)
    text = heading(trained, shows, width)
    top = MARGIN + (LINE * (text.count("\n") + 1) + GAP if text else 0)
    height = top + body.shape[0] + MARGIN
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    figure.figimage(body, left, MARGIN, origin="upper", vmin=0, vmax=1)
    put(figure, text, MARGIN / width, 1 - MARGIN / height)
    step = (body.shape[0] + GAP - 2 * FRAME) / len(rows)
    for row, label in enumerate(labels):
        middle = top + FRAME + step * row + (step - GAP) / 2
        put(figure, label, MARGIN / width, 1 - middle / height, va="center")
    return figure


def put(figure: Figure, text: str, x: float, y: float, va: str = "top") -> None:
    """Write a text as it is: a dollar sign begins no formula."""
    style: Mapping[str, Any] = {"fontsize": FONT, "linespacing": LINE / (FONT * DPI / 72) / 1.17, "parse_math": False}
    figure.text(x, y, text, ha="left", va=va, **style)


def _body(rows: Sequence[Sequence[Tile]], marked: Collection[tuple[int, int]], pairs: int) -> Tile:
    """Return one image with all tiles, each pixel enlarged to a square."""
    height, width, _ = rows[0][0].shape
    k = scale(height, width)
    h, w = k * height, k * width
    columns = max(map(len, rows))
    lefts = [FRAME + column * (w + GAP) + column // pairs * (GAP if pairs > 1 else 0) for column in range(columns)]
    size = (2 * FRAME + len(rows) * (h + GAP) - GAP, lefts[-1] + w + FRAME)
    if math.prod(size) > MOST_PIXELS:
        raise Lacking(f"{size[0]:,} x {size[1]:,} pixels are too many, give fewer images: --grid")
    body = np.full((*size, 3), PAPER)
    for r, row in enumerate(rows):
        top = FRAME + r * (h + GAP)
        for c, tile in enumerate(row):
            left = lefts[c]
            if (r, c) in marked:
                body[top - FRAME : top + h + FRAME, left - FRAME : left + w + FRAME] = MARK
            body[top : top + h, left : left + w] = tile.repeat(k, 0).repeat(k, 1)
    return body
