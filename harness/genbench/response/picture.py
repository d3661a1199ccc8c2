"""The responses of a metric as a picture: a panel for each kind of damage, all on one scale."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from genbench.figures.canvas import DPI, FONT
from genbench.response.measure import MetricResponse, Response

WIDTH, HEIGHT = 900, 520
COLUMNS = 3


def draw(measured: MetricResponse) -> Figure:
    """Return the figure: means over draws with their standard deviation, the undamaged value as a line."""
    names = list(dict.fromkeys(response.damage for response in measured.responses if response.values))
    rows = -(-len(names) // COLUMNS)
    figure = Figure(figsize=(WIDTH / DPI, (60 + rows * (HEIGHT - 60) / 2) / DPI), dpi=DPI, layout="constrained")
    better = "higher" if measured.higher_is_better else "lower"
    title = f"{measured.metric} of damaged images of {measured.dataset} ({measured.unit}; {better} is better)"
    figure.suptitle(title, x=0.02, ha="left", fontsize=FONT, parse_math=False)
    places = figure.subplots(rows, COLUMNS, squeeze=False, sharey=True).flat
    for place, name in zip(places, names, strict=False):
        _panel(place, name, [r for r in measured.responses if r.damage == name and r.values])
    for place in list(places)[len(names) :]:
        place.remove()
    return figure


def _panel(axes: Axes, name: str, responses: Sequence[Response]) -> None:
    levels, means = [r.level for r in responses], [r.mean or 0.0 for r in responses]
    if levels[0] == 0:
        axes.axhline(means[0], color="0.6", linewidth=1, linestyle="--")
    axes.errorbar(levels, means, [r.sd or 0.0 for r in responses], marker="o", markersize=4, capsize=3, color="C0")
    axes.set_title(name, fontsize=FONT, loc="left")
    axes.set_xlabel(responses[0].unit, fontsize=FONT - 1)
    axes.tick_params(labelsize=FONT - 1)
    axes.grid(alpha=0.3)
