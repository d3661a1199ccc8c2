"""Figure 1 of Goodfellow et al. 2014, of what was trained: densities in one dimension, D, and how z is mapped to x."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from genbench.abilities import LogProb
from genbench.figures.canvas import DPI, FONT, MARGIN, heading
from genbench.figures.trained import Trained

Values = NDArray[np.float64]

WIDTH, HEIGHT, PANEL = 760, 520, 280
SAMPLES, POINTS, BINS, LINES = 10_000, 400, 80, 25

TALLEST = 3
"""Times as high as p_data: a spike of p_g, as of a G that was not trained yet, is cut off there."""


def draw(trained: Trained) -> Figure:
    """Return p_data (dotted), p_g (solid) and D (dashed) over x; below, lines from z to x = G(z)."""
    return panels(trained, {"": trained})


def panels(trained: Trained, moments: Mapping[str, Trained]) -> Figure:
    """Return such a picture of each state of a model, side by side over the same x, under its name."""
    samples = [moment.samples(SAMPLES) for moment in moments.values()]
    first = next(iter(moments.values()))
    data = first.data.split("train", first.device).images
    x = torch.linspace(*limits(*samples, data), POINTS, device=first.device)
    edges = np.linspace(x[0].item(), x[-1].item(), BINS + 1)
    p_data, *p_g = _density(first, x, data, edges), *(_histogram(drawn, edges) for drawn in samples)
    mapped = [lines for moment in moments.values() if (lines := mapping(moment))]  # of all, or of none
    highest, bound = max(p.max() for p in (p_data, *p_g)), TALLEST * p_data.max()
    figure = _canvas(trained, shown(bool(mapped), highest > bound), len(moments))
    above, *below = figure.subplots(
        1 + bool(mapped), len(moments), height_ratios=(3, 1)[: 1 + bool(mapped)], squeeze=False, sharey="row"
    )
    for axes, (name, moment), p in zip(above, moments.items(), p_g, strict=True):
        axes.set_title(name, fontsize=FONT)
        curves = _draw_densities(axes, p_data, p, edges) + _draw_discriminator(axes, moment, x, axes is above[-1])
    above[0].set_ylabel("density", fontsize=FONT)
    above[0].set_ylim(0, 1.05 * min(highest, bound))
    figure.legend(handles=curves, fontsize=FONT, frameon=False, loc="outside lower center", ncols=3)
    for axes, lines in zip((axes for row in below for axes in row), mapped, strict=True):
        _draw_mapping(axes, *lines, x)
    return figure


def _canvas(trained: Trained, shows: str, columns: int) -> Figure:
    width = max(WIDTH, PANEL * columns)
    figure = Figure(figsize=(width / DPI, HEIGHT / DPI), dpi=DPI, layout="constrained")
    if title := heading(trained, shows, width):
        figure.suptitle(title, x=MARGIN / width, ha="left", fontsize=FONT, parse_math=False)
    return figure


def shown(with_lines: bool, is_cut: bool) -> str:
    """Return what the figure shows, in words."""
    cut = f", cut off at {TALLEST} times the height of the data's" if is_cut else ""
    lines = f"; {LINES} lines from z, evenly spaced in probability, to x = G(z)" if with_lines else ""
    return f"density of the data, and of {SAMPLES:,} samples{cut}{lines}"


def limits(*values: Tensor) -> tuple[float, float]:
    """Return the part of the axis to show: where all but a thousandth of each set at either side lies, and a tenth."""
    ends = [np.quantile(_flat(part), (0.001, 0.999)) for part in values]
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    margin = 0.1 * (high - low) or 1.0
    return float(low - margin), float(high + margin)


def mapping(trained: Trained) -> tuple[Values, Values] | None:
    """Return z in [0, 1] by its place between the least and the greatest, and x = G(z), (LINES,) each.

    The z are quantiles of the prior at equal steps. None where z has more than one value, or the model has none.
    """
    model: Any = trained.model
    if not {"latents", "decode"} <= set(trained.able):
        return None
    drawn = model.latents(SAMPLES, trained.generator("density"))  # (SAMPLES, d)
    if drawn.shape[1] != 1:
        return None
    shares = (torch.arange(LINES, device=drawn.device, dtype=drawn.dtype) + 0.5) / LINES
    z = torch.quantile(drawn, shares, dim=0)  # (LINES, 1)
    least, greatest = drawn.min(), drawn.max()
    return _flat((z - least) / (greatest - least)), _flat(model.decode(z))


def _density(trained: Trained, x: Tensor, data: Tensor, edges: Values) -> Values:
    """Return p_data at the points x where it is known, (POINTS,), else a histogram of the data, (BINS,)."""
    if isinstance(trained.dataset, LogProb):
        return _flat(trained.dataset.log_prob(x.view(-1, 1, 1, 1)).exp())
    return _histogram(data, edges)


def _draw_densities(axes: Axes, p_data: Values, p_g: Values, edges: Values) -> list[Artist]:
    """Draw p_data and p_g; return their curves."""
    dotted: dict[str, Any] = {"color": "k", "linestyle": ":", "linewidth": 2, "label": "$p_{data}$"}
    curves: list[Artist] = []
    if len(p_data) == POINTS:
        curves += axes.plot(np.linspace(edges[0], edges[-1], POINTS), p_data, **dotted)
    else:
        curves.append(axes.stairs(p_data, edges, **dotted))
    curves.append(axes.stairs(p_g, edges, color="C2", linewidth=1.5, label="$p_g$"))
    axes.set_xlim(edges[0], edges[-1])
    axes.set_xlabel("x", fontsize=FONT)
    return curves


def _draw_discriminator(axes: Axes, trained: Trained, x: Tensor, labelled: bool) -> list[Artist]:
    """Draw D against an axis of its own on the right, where there is one; return its curve."""
    if "discriminate" not in trained.able:
        return []
    model: Any = trained.model
    right = axes.twinx()
    curve = right.plot(_flat(x), _flat(model.discriminate(x.view(-1, 1, 1, 1))), "--", color="C0", label="$D$")
    right.set_ylim(0, 1)
    right.tick_params(labelright=labelled)
    if labelled:
        right.set_ylabel("D(x)", fontsize=FONT)
    return [*curve]


def _draw_mapping(axes: Axes, z: Values, x: Values, grid: Tensor) -> None:
    low, high = grid[0].item(), grid[-1].item()
    axes.plot([low + z * (high - low), x], [0, 1], "k-", linewidth=0.7)
    axes.set_xlim(low, high)
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 1], ["z", "x"], fontsize=FONT)
    axes.set_xticks([])
    for side in ("left", "right"):
        axes.spines[side].set_visible(False)


def _histogram(values: Tensor, edges: Values) -> Values:
    """Return the density of values in bins, those outside counted too."""
    counts, _ = np.histogram(_flat(values), edges)
    return counts / (values.numel() * np.diff(edges))


def _flat(values: Tensor) -> Values:
    flat: Values = values.detach().flatten().double().cpu().numpy()
    return flat
