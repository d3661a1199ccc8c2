"""Figure 1 of Goodfellow et al. 2014, of what was trained: densities in one dimension, D, and how z is mapped to x."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from genbench.abilities import LogProb
from genbench.figures.canvas import DPI, FONT, heading
from genbench.figures.trained import Trained

Values = NDArray[np.float64]

WIDTH, HEIGHT = 760, 520
SAMPLES, POINTS, BINS, LINES = 10_000, 400, 80, 25


def draw(trained: Trained) -> Figure:
    """Return p_data (dotted), p_g (solid) and D (dashed) over x; below, lines from z to x = G(z)."""
    samples, data = trained.samples(SAMPLES), trained.data.split("train", trained.device).images
    x = torch.linspace(*limits(samples, data), POINTS, device=trained.device)
    mapped = mapping(trained)
    figure = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI, layout="constrained")
    figure.suptitle(
        heading(trained.subject, shown(mapped is not None), WIDTH), x=0.02, ha="left", fontsize=FONT, parse_math=False
    )
    above, *below = figure.subplots(2, height_ratios=(3, 1)) if mapped else [figure.subplots()]
    _draw_densities(above, trained, x, samples, data)
    if mapped:
        _draw_mapping(below[0], *mapped, x)
    return figure


def shown(with_lines: bool) -> str:
    """Return what the figure shows, in words."""
    lines = f"; {LINES} lines from z, evenly spaced in probability, to x = G(z)" if with_lines else ""
    return f"density of the data, and of {SAMPLES:,} samples{lines}"


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


def _draw_densities(axes: Axes, trained: Trained, x: Tensor, samples: Tensor, data: Tensor) -> None:
    grid = _flat(x)
    edges = np.linspace(grid[0], grid[-1], BINS + 1)
    if isinstance(trained.dataset, LogProb):
        p = trained.dataset.log_prob(x.view(-1, 1, 1, 1)).exp()
        axes.plot(grid, _flat(p), "k:", linewidth=2, label="$p_{data}$")
    else:
        axes.stairs(_histogram(data, edges), edges, color="k", linestyle=":", linewidth=2, label="$p_{data}$")
    axes.stairs(_histogram(samples, edges), edges, color="C2", linewidth=1.5, label="$p_g$")
    axes.set_ylabel("density", fontsize=FONT)
    handles, labels = axes.get_legend_handles_labels()
    model: Any = trained.model
    if "discriminate" in trained.able:
        right = axes.twinx()
        right.plot(grid, _flat(model.discriminate(x.view(-1, 1, 1, 1))), "--", color="C0", label="$D$")
        right.set_ylim(0, 1)
        right.set_ylabel("D(x)", fontsize=FONT)
        more_handles, more_labels = right.get_legend_handles_labels()
        handles, labels = handles + more_handles, labels + more_labels
    axes.set_ylim(bottom=0)
    axes.set_xlim(grid[0], grid[-1])
    axes.set_xlabel("x", fontsize=FONT)
    axes.figure.legend(handles, labels, fontsize=FONT, frameon=False, loc="outside lower center", ncols=3)


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
