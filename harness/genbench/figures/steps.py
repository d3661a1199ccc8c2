"""A trial at chosen steps of its training: the panels of Figure 1 of Goodfellow et al. 2014, or rows of samples."""

from __future__ import annotations

from matplotlib.figure import Figure

from genbench.figures import density
from genbench.figures.canvas import grid, tiles
from genbench.figures.repeated import moments
from genbench.figures.trained import Trained

COLUMNS = 10


def draw(trained: Trained) -> Figure:
    """Return a panel per step, left to right, for data of a single value; for images a row of samples per step."""
    then = moments(trained, [step for step in trained.steps if step is not None])
    shown = {_named(trained, step): trained if step is None else then[step] for step in trained.steps}
    if trained.space.dim == 1:
        return density.panels(trained, shown)
    _, columns = trained.layout.shape(0, COLUMNS)
    rows = [tiles(moment.samples(columns), trained.space.bounds) for moment in shown.values()]
    shows = f"the first {columns} samples after so many updates of training"
    return grid(trained, shows, rows, labels=[*shown])


def _named(trained: Trained, step: int | None) -> str:
    if step is not None:
        return f"{step:,} updates"
    return f"end: {trained.subject.first.record.stages['fit'].details['steps']:,}"
