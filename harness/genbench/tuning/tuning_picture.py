"""The expected best score against the number of configurations, as a picture: all models in one panel."""

from __future__ import annotations

import textwrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from genbench.errors import printable
from genbench.figures.canvas import DPI, FONT
from genbench.tuning.tried import TunedModel, Tuning

WIDTH, HEIGHT = 760, 420
LETTERS = 110

LINES = (("-", "o"), ("--", "s"), (":", "^"), ("-.", "D"), ((0, (5, 1, 1, 1, 1, 1)), "v"), ((0, (1, 3)), "x"))
"""A line and a mark for each model: they tell curves apart where colours do not."""

MOST_MARKS = 12

FIRST = 4
"""The part of a curve, from its beginning, that need not be seen whole: a quarter."""


def draw(tuned: Tuning) -> Figure:
    """Return the figure: for each model its curve, in a band of one standard deviation of the best of n."""
    figure = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI, layout="constrained")
    budget = tuned.models[0].all_tried.budget
    each = f", each trained at most {budget}" if budget.bounds else ""
    title = f"Expected best score of n random configurations{each}; validation images of {tuned.dataset}"
    folded = "\n".join(textwrap.wrap(printable(title), LETTERS))
    figure.suptitle(folded, x=0.02, ha="left", fontsize=FONT, parse_math=False)
    axes = figure.subplots()
    for place, model in enumerate(tuned.models):
        _draw_curve(axes, model, place)
    _leave_out_disasters(axes, tuned)
    better = "higher" if tuned.metric.higher_is_better else "lower"
    axes.set_xlabel("n, configurations drawn at random", fontsize=FONT)
    words = printable(f"{tuned.metric.title}, {tuned.metric.unit}; {better} is better")
    axes.set_ylabel("\n".join(textwrap.wrap(words, 45)), fontsize=FONT, parse_math=False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(labelsize=FONT - 1)
    axes.grid(alpha=0.3)
    legend = axes.legend(fontsize=FONT, frameon=False)
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure


def _draw_curve(axes: Axes, model: TunedModel, place: int) -> None:
    style, mark = LINES[place % len(LINES)]
    grey = str(0.15 + 0.5 * (place % len(LINES)) / len(LINES))
    n = [each.n for each in model.curve]
    mean, sd = [each.mean for each in model.curve], [each.sd for each in model.curve]
    low, high = [m - s for m, s in zip(mean, sd, strict=True)], [m + s for m, s in zip(mean, sd, strict=True)]
    axes.fill_between(n, low, high, color=grey, alpha=0.15, linewidth=0)
    every = max(1, len(n) // MOST_MARKS)
    label = printable(model.model, 60)
    axes.plot(n, mean, color=grey, linestyle=style, marker=mark, markevery=every, markersize=5, label=label)
    for score in model.defaults:
        name = printable(f"{model.model}: its default", 70)
        axes.axhline(score, color=grey, linewidth=0.8, linestyle=style, alpha=0.7, label=name)


def _leave_out_disasters(axes: Axes, tuned: Tuning) -> None:
    """Bound the scores that are shown: those of a few draws that went astray would leave no room for the others."""
    kept = [each.mean for model in tuned.models for each in model.curve[len(model.curve) // FIRST :]]
    kept += [score for model in tuned.models for score in model.defaults]
    if not kept or (spread := max(kept) - min(kept)) == 0:
        return
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, min(kept) - spread), min(high, max(kept) + spread))
