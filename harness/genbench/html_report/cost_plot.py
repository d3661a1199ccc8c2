"""What a score costs: against time of training, memory and parameters, with the models that none beats in both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from genbench.errors import printable
from genbench.figures.canvas import DPI, FONT
from genbench.html_report.dot_plot import COLOURS, limits
from genbench.output import numbers
from genbench.ranking.board import Board, BoardRow

WIDTH, HEIGHT = 800, 280
ROOM = {"left": 0.11, "right": 0.99, "bottom": 0.2, "top": 0.98, "wspace": 0.08}
"""For labels: what finds that by itself draws everything twice."""
WIDE = 10.0
"""From this ratio of the greatest cost to the least on, an axis is logarithmic."""


@dataclass(frozen=True)
class Point:
    """A model's score and what it took, in the unit of the panel."""

    model: str
    cost: float
    score: float


COSTS = ("training, seconds", "peak memory, MiB", "parameters")


def draw(board: Board) -> Figure | None:
    """Return a panel for each cost that is known of two models or more; None where there is none.

    Models that no other beats in both are joined by a line (the Pareto front).
    """
    panels = {name: found for name, found in costs(board).items() if len(found) > 1}
    if not panels:
        return None
    figure = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI)
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False, gridspec_kw=ROOM)[0]
    for panel, (name, points) in zip(axes, panels.items(), strict=True):
        _draw_panel(panel, name, points, board.metric.higher_is_better)
    axes[0].set_ylabel(printable(board.metric.unit), fontsize=FONT, parse_math=False)
    low, high = limits([(p.score, p.score) for points in panels.values() for p in points])
    room = 0.08 * (high - low)  # for the names
    axes[0].set_ylim(low - room, high + room)
    return figure


def costs(board: Board) -> dict[str, list[Point]]:
    """Return what our models' scores took: means over seeds of time, the greatest of memory and parameters.

    Left out are models without the number, and those that took nothing.
    """
    found: dict[str, list[Point]] = {name: [] for name in COSTS}
    for row in board.of_kind("ours"):
        if row.summary is None:
            continue
        taken = (row.mean_of("fit"), _greatest(row, "peak_memory_mib"), _greatest(row, "parameters"))
        for name, cost in zip(COSTS, taken, strict=True):
            if cost and math.isfinite(cost):
                found[name].append(Point(row.model, float(cost), row.summary.mean))
    return found


def front(points: Sequence[Point], higher_is_better: bool) -> list[Point]:
    """Return the points that no other beats in both cost and score, the least cost first (the Pareto front)."""
    sign = -1 if higher_is_better else 1
    best: list[Point] = []
    for point in sorted(points, key=lambda p: (p.cost, sign * p.score)):
        if not best or sign * point.score < sign * best[-1].score:
            best.append(point)
    return best


def _greatest(row: BoardRow, name: str) -> float | None:
    stages = [score.trial.stages["fit"] for score in row.scores if "fit" in score.trial.stages]
    return max((stage.details[name] for stage in stages if stage.details.get(name) is not None), default=None)


def _draw_panel(axes: Axes, name: str, points: Sequence[Point], higher_is_better: bool) -> None:
    best = front(points, higher_is_better)
    axes.plot([p.cost for p in best], [p.score for p in best], color="#999", linewidth=1)
    for point in points:
        is_best = point in best
        face = COLOURS["ours"] if is_best else "white"
        axes.plot([point.cost], [point.score], "o", color=COLOURS["ours"], markerfacecolor=face, markersize=5)
        if is_best:
            axes.annotate(
                printable(point.model, 30), (point.cost, point.score), (4, 4), textcoords="offset points",
                fontsize=FONT - 1, parse_math=False,
            )  # fmt: skip
    axes.margins(x=0.15)
    _scale(axes, [point.cost for point in points])
    axes.set_xlabel(name, fontsize=FONT)
    axes.tick_params(labelsize=FONT - 1)
    axes.grid(alpha=0.3, linewidth=0.6)


def _scale(axes: Axes, costs: Sequence[float]) -> None:
    """Let costs of several sizes stand on a logarithmic axis, whose labels are plain numbers."""
    if max(costs) >= WIDE * min(costs):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(lambda cost, _: numbers.short(cost))  # powers as formulas take seconds to set
