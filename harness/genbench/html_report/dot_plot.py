"""A board as a picture: every seed of every model, the mean and its interval."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from genbench.errors import printable
from genbench.figures.canvas import DPI, FONT, GAP, LETTER
from genbench.output import numbers
from genbench.ranking.board import Board, BoardRow

WIDTH, ROW, BELOW, RIGHT = 420, 22, 48, 90
"""Pixels: of the axes and of a row, of what is below the rows and at their right."""

LABEL = 48
"""Letters of a model's name that are shown."""

COLOURS = {"ours": "#0b4f8a", "reference": "#6b6b6b", "published": "#9a5b00"}
FAR = 6.0
"""Rows further from the others than so many times the spread of those are marked at the edge, not drawn to scale."""

Limits = tuple[float, float]


def draw(board: Board) -> Figure:
    """Return a figure with a row per model in the board's order: seeds as rings, means as dots, intervals as lines."""
    rows = [row for row in board.rows if row.summary]
    labels = [printable(row.model, LABEL) for row in rows]
    left, height = 2 * GAP + LETTER * max(map(len, labels), default=0), BELOW + ROW * len(rows)
    figure = Figure(figsize=((left + WIDTH + RIGHT) / DPI, height / DPI), dpi=DPI)
    axes = figure.add_axes(  # by hand: what finds room for labels by itself draws everything twice
        (left / (left + WIDTH + RIGHT), BELOW / height, WIDTH / (left + WIDTH + RIGHT), 1 - BELOW / height)
    )
    low, high = limits([_span(row) for row in rows])
    for place, row in enumerate(rows):
        if row.summary and low <= row.summary.mean <= high:
            _draw_row(axes, place, row)
        elif row.summary:
            _mark_beyond(axes, place, row.summary.mean, (low, high))
        _rank(axes, place, row)
    _dress(axes, labels, board, (low, high))
    return figure


def limits(spans: Sequence[Limits]) -> Limits:
    """Return where an axis begins and ends: around all spans, or where one lies far off, around the others.

    Far off is further from where spans lie, a quarter of them left out at both ends, than FAR times the width of that.
    """
    ends = sorted(end for span in spans for end in span)
    quarter = len(spans) // 4
    lower, upper = sorted(low for low, _ in spans)[quarter], sorted(high for _, high in spans)[-1 - quarter]
    width = max(upper - lower, 1e-3 * max(abs(lower), abs(upper), 1e-9))
    near = [end for end in ends if lower - FAR * width <= end <= upper + FAR * width]
    margin = 0.04 * max(near[-1] - near[0], width / 2)
    return near[0] - margin, near[-1] + margin


def _span(row: BoardRow) -> Limits:
    """Return the least and greatest of what is drawn of a row."""
    summary = row.summary
    assert summary is not None  # rows without a score are not drawn
    drawn = [summary.mean, *row.values, *(end for end in (summary.low, summary.high) if end is not None)]
    return min(drawn), max(drawn)


def _draw_row(axes: Axes, place: int, row: BoardRow) -> None:
    summary, colour = row.summary, COLOURS[row.kind]
    assert summary is not None  # rows without a score are not drawn
    if summary.low is not None and summary.high is not None:
        axes.plot([summary.low, summary.high], [place, place], color=colour, linewidth=2, solid_capstyle="butt")
    if len(row.values) > 1:
        rings = axes.plot(row.values, [place] * len(row.values), "o", color=colour, markersize=6)
        rings[0].set_markerfacecolor("none")
    axes.plot([summary.mean], [place], "D" if row.kind == "published" else "o", color=colour, markersize=4)


def _mark_beyond(axes: Axes, place: int, mean: float, ends: Limits) -> None:
    """Write a score that the axis does not reach at the end where it lies."""
    is_low = mean < ends[0]
    text = f"◂ {numbers.short(mean)}" if is_low else f"{numbers.short(mean)} ▸"
    axes.text(ends[0] if is_low else ends[1], place, text, ha="left" if is_low else "right", va="center", fontsize=FONT)


def _rank(axes: Axes, place: int, row: BoardRow) -> None:
    """Write a row's range of ranks at its right."""
    if row.rank_low:
        at = axes.get_yaxis_transform()
        text = f"rank {numbers.ranks(row.rank_low, row.rank_high)}"
        axes.text(1.01, place, text, transform=at, va="center", fontsize=FONT - 1)


def _dress(axes: Axes, labels: Sequence[str], board: Board, ends: Limits) -> None:
    axes.set_xlim(*ends)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_yticks(range(len(labels)), labels, fontsize=FONT, parse_math=False)
    better = "higher is better →" if board.metric.higher_is_better else "← lower is better"
    axes.set_xlabel(printable(f"{board.metric.unit}, {better}"), fontsize=FONT, parse_math=False)
    axes.tick_params(labelsize=FONT, length=3)
    axes.grid(axis="x", alpha=0.35, linewidth=0.6)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
