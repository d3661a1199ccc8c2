"""Integrals over images of two pixels, by which densities and their constants are held to account."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor

from genbench.errors import Unsupported
from genbench.testing.fixtures import Fixtures
from genbench.testing.grids import cells
from genbench.testing.made_images import PLANE
from genbench.testing.outcomes import CheckSkipped

Model: TypeAlias = Any
"""A model with the ability that is looked at."""

GRID, REACH = 800, 4.0
"""Cells to a side of the grid for integrals, and how far it reaches beyond the bounds, in widths between these."""

SEVERAL = 100
"""Draws of a bound at each point, whose mean is the bound: exp of single ones would be too great on average."""


def of_two_pixels(fixtures: Fixtures) -> Model:
    """Return a model trained briefly on images of two pixels. Raises CheckSkipped where it refuses them."""
    try:
        return fixtures.trained_briefly(PLANE)
    except Unsupported as refusal:
        raise CheckSkipped(f"it refuses images of two pixels, so no integral can be taken: {refusal}") from refusal


def log_total(fixtures: Fixtures, model: Model, log_p: Callable[[Tensor], Tensor], side: int = GRID) -> float:
    """Return the log of the integral of exp(log_p) over images of two pixels; of its sum over the four binary ones."""
    low, high = PLANE.bounds
    if model.observations == "binary":
        points, _ = cells(PLANE.shape, low - (high - low) / 2, high + (high - low) / 2, 2, fixtures.device)
        return log_p(points).logsumexp(0).item()
    beyond = REACH * (high - low)
    points, volume = cells(PLANE.shape, low - beyond, high + beyond, side, fixtures.device)  # (side², 1, 1, 2)
    found = torch.cat([log_p(part) for part in torch.split(points, 100_000)])
    is_outside = ((points < low) | (points > high)).flatten(1).any(1)
    found[is_outside & found.isnan()] = -math.inf  # where no image can lie, a density need not be defined
    return found.logsumexp(0).item() + math.log(volume)


def log_of_energy(fixtures: Fixtures, model: Model, name: str) -> float:
    """Return the log of the integral of exp(-E): of a bound that is drawn at random, of its mean over several draws."""
    draws = 1 if name == "energy" else SEVERAL

    def minus(x: Tensor) -> Tensor:
        with torch.no_grad(), fixtures.trial_environment():
            parts = torch.split(x.repeat_interleave(draws, 0), 100_000)
            energy = torch.cat([getattr(model, name)(part) for part in parts])
        return -energy.double().view(len(x), draws).mean(1)

    return log_total(fixtures, model, minus, side=GRID if draws == 1 else GRID // 8)
