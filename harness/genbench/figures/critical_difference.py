"""Critical-difference diagrams (Demšar 2006): models by average rank, those that are not told apart joined by bars."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from genbench.errors import printable
from genbench.figures.canvas import DPI, FONT, LETTER, MARGIN
from genbench.ranking.many_datasets import ManyDatasets, RankedModel

LENGTH = 400
"""Pixels of the line of ranks; labels stand outside of it."""

ROW = 22
"""Pixels from one label to the next, and from one bar to the next."""

LONGEST = 48
"""Letters of a label that are shown."""

TICK = 6


def draw(found: ManyDatasets) -> Figure:
    """Return the diagram, in black on white: the better half of the models at the left, the others at the right.

    Raises ValueError where there is no test: there is then nothing to show.
    """
    if found.test is None:
        raise ValueError(f"no test of average ranks: {found.refused}")
    joined = [group for group in found.groups if len(group) > 1]
    half = (len(found.models) + 1) // 2
    top, bars = 4 * ROW, ROW * len(joined) * 0.6
    width = 2 * _left(found) + LENGTH
    height = top + bars + ROW * (half + 1)
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    _scale(axes, found, top)
    for place, group in enumerate(joined):
        y = top + ROW * 0.6 * (place + 1)
        ends = _x(group[0].average_rank, found) - 4, _x(group[-1].average_rank, found) + 4
        axes.plot(ends, (y, y), color="black", linewidth=4, solid_capstyle="butt")
    _labels(axes, found, found.models[:half], top, top + bars, at_left=True)
    _labels(axes, found, found.models[half:][::-1], top, top + bars, at_left=False)
    return figure


def _left(found: ManyDatasets) -> float:
    """Return where the line of ranks begins: beside the longest label with its rank."""
    return 2 * MARGIN + LETTER * (7 + max(len(printable(model.model, LONGEST)) for model in found.models))


def _x(rank: float, found: ManyDatasets) -> float:
    """Return where a rank stands on the line, 1 at the left."""
    return _left(found) + LENGTH * (rank - 1) / (len(found.models) - 1)


def _scale(axes: Axes, found: ManyDatasets, top: float) -> None:
    """Draw the line of ranks, the critical difference above it, and what is shown."""
    most, test = len(found.models), found.test
    assert test is not None
    left = _left(found)
    axes.plot((left, left + LENGTH), (top, top), color="black", linewidth=1.2)
    step = 1 if most <= 12 else 2 if most <= 24 else -(-most // 12)
    for rank in range(1, most + 1, step):
        axes.plot((_x(rank, found),) * 2, (top - TICK, top), color="black", linewidth=1.2)
        _put(axes, _x(rank, found), top - TICK - 3, str(rank), "center", "bottom")
    title = f"{found.metric.label}: average rank over {len(found.datasets)} datasets, 1 is best"
    _put(axes, MARGIN, 0.4 * ROW, printable(title, 70), "left", "top")
    if not found.is_told:
        _put(axes, left, 1.5 * ROW, f"p = {test.p:.2g}: no difference is found", "left", "top")
    elif test.critical_difference <= most - 1:
        end = _x(1 + test.critical_difference, found)
        y = 2.4 * ROW
        axes.plot((left, end), (y, y), color="black", linewidth=1.2)
        for x in (left, end):
            axes.plot((x, x), (y - 4, y + 4), color="black", linewidth=1.2)
        _put(axes, left, y - 6, f"critical difference {test.critical_difference:.2f}", "left", "bottom")


def _labels(
    axes: Axes, found: ManyDatasets, models: Sequence[RankedModel], top: float, below: float, at_left: bool
) -> None:
    """Draw lines from the ranks of models down to their labels, the outermost model uppermost."""
    left = _left(found)
    end, align = (left - 12, "right") if at_left else (left + LENGTH + 12, "left")
    for place, model in enumerate(models):
        x, y = _x(model.average_rank, found), below + ROW * (place + 1)
        axes.plot((x, x, end), (top, y, y), color="black", linewidth=0.8)
        name, rank = printable(model.model, LONGEST), f"{model.average_rank:.2f}"
        words = f"{name}  {rank}" if at_left else f"{rank}  {name}"
        _put(axes, end + (-4 if at_left else 4), y, words, align, "center")


def _put(axes: Axes, x: float, y: float, text: str, across: str, up: str) -> None:
    """Write a text as it is: a dollar sign begins no formula."""
    axes.text(x, y, text, ha=across, va=up, fontsize=FONT, parse_math=False)
