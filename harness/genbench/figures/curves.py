"""Learning curves: what training logged, one panel for the scalars that are logged together and are of like size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from genbench import files
from genbench.figures.canvas import DPI, FONT, heading
from genbench.figures.lacking import Lacking
from genbench.figures.trained import Trained
from genbench.trial.logs import PLACE, parsed

Curve = Mapping[int, float]
"""The mean of a scalar over each epoch, by the update at its end."""

Panel = Mapping[str, Sequence[Curve]]
"""Scalars by name, each with a curve for every seed."""

WIDTH, HEIGHT = 760, 240
LIKE = 100.0
"""Scalars in one panel differ by no more than this factor in size."""


def draw(trained: Trained) -> Figure:
    """Return the curves of all seeds, thin, and their means, thick."""
    found = panels([read(path) for path in trained.logs()])
    if not found:
        raise Lacking("its training logged nothing")
    figure = Figure(figsize=(WIDTH / DPI, (HEIGHT * len(found) + 60) / DPI), dpi=DPI, layout="constrained")
    several = "; thin: each seed, thick: their mean" if len(trained.subject.trials) > 1 else ""
    shows = f"what training logged, as means of epochs{several}"
    if title := heading(trained, shows, WIDTH, str(trained.subject)):
        figure.suptitle(title, x=0.02, ha="left", fontsize=FONT, parse_math=False)
    axes = figure.subplots(len(found), squeeze=False)[:, 0]
    for place, panel in zip(axes, found, strict=True):
        _draw_panel(place, panel)
    axes[-1].set_xlabel("updates", fontsize=FONT)
    return figure


def read(path: Path) -> list[dict[str, float]]:
    """Return the lines of a log. Raises ValueError for what is no line of one."""
    return parsed(files.read_text(path).splitlines())


def panels(logs: Sequence[Sequence[Mapping[str, float]]]) -> list[Panel]:
    """Return what is to be drawn together: scalars that the same loops log, split where their sizes are unlike."""
    loops: dict[str, set[float]] = {}
    for line in (line for log in logs for line in log):
        for name in line.keys() - set(PLACE):
            loops.setdefault(name, set()).add(line.get("loop", 0))
    order = [name for log in logs for line in log for name in line if name not in PLACE]
    groups: dict[tuple[float, ...], dict[str, Sequence[Curve]]] = {}
    for name in dict.fromkeys(order):
        curves = [{int(line["step"]): line[name] for line in log if name in line} for log in logs]
        groups.setdefault(tuple(sorted(loops[name])), {})[name] = curves
    return [panel for group in groups.values() for panel in _of_like_size(group)]


def _of_like_size(group: Panel) -> list[Panel]:
    split: list[dict[str, Sequence[Curve]]] = []
    least = 0.0
    for name in sorted(group, key=lambda name: _size(group[name])):
        size = _size(group[name])
        if not split or size > LIKE * least:
            split.append({})
            least = size
        split[-1][name] = group[name]
    return [{name: part[name] for name in group if name in part} for part in split]


def _size(curves: Sequence[Curve]) -> float:
    return float(np.median([abs(value) for curve in curves for value in curve.values()]))


def mean(curves: Sequence[Curve]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the updates that all seeds logged at, (n,), and the mean over seeds there, (n,)."""
    steps = sorted(set.intersection(*(set(curve) for curve in curves)))
    return np.array(steps), np.array([np.mean([curve[step] for curve in curves]) for step in steps])


def _draw_panel(axes: Axes, panel: Panel) -> None:
    for number, (name, curves) in enumerate(panel.items()):
        colour = f"C{number}"
        single = len(curves) == 1
        for curve in () if single else curves:
            axes.plot(list(curve), list(curve.values()), color=colour, linewidth=0.7, alpha=0.5)
        steps, values = mean(curves)
        axes.plot(steps, values, color=colour, linewidth=2, marker="o" if len(steps) == 1 else "", label=name)
    axes.legend(fontsize=FONT, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.tick_params(labelsize=FONT - 1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
