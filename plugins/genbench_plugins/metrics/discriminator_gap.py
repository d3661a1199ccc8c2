"""How far a discriminator is from the best one against its generator (Goodfellow et al. 2014, proposition 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

import genbench
from genbench.abilities import Discriminate
from genbench.numerics.bins import Bins
from genbench.numerics.game import game_value, optimal_value, optimality_gap
from genbench_plugins.metrics.known_density import OnKnownDensity

NEAREST_TO_1 = 1 - 2.0**-24
"""The greatest float32 below 1. A D that rounds to 1 where p_g has mass would make V infinite."""


@dataclass(eq=False)
class DiscriminatorGap(OnKnownDensity):
    """Root mean square of D - p_data/(p_data + p_g) under (p_data + p_g)/2, for models that discriminate.

    Beside it: V, the value of the game at this D and G (eq. 1), and C = -log 4 + 2 JSD, which V would be at the best D
    against this G (eq. 6). V is never above C; C is -log 4 = -1.386 where p_g is p_data.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Discriminator's distance from the optimum"
    unit: ClassVar[str] = "probability"
    bounds: ClassVar[tuple[float, float] | None] = (0.0, 1.0)
    higher_is_better: ClassVar[bool] = False
    caption_extras: ClassVar[tuple[str, ...]] = ("V", "C")

    def skip(self, evaluation: genbench.Evaluation) -> str | None:
        """Return why nothing can be said: of models without a discriminator, or of the dataset."""
        if reason := super().skip(evaluation):
            return reason
        able = isinstance(evaluation.model, Discriminate)
        return None if able else "the model has no discriminator: no discriminate(x)"

    def evaluate(self, evaluation: genbench.Evaluation) -> genbench.Score:
        """Return the gap, with V and C, all of them sums over bins."""
        bins, p_data, p_g = self.masses(evaluation)
        d = _judgements(evaluation, bins)
        return genbench.Score(
            value=optimality_gap(p_data, p_g, d).item(),
            extras={"V": game_value(p_data, p_g, d).item(), "C": optimal_value(p_data, p_g).item()},
        )


@torch.no_grad()
def _judgements(evaluation: genbench.Evaluation, bins: Bins) -> Tensor:
    """Return D in the middle of each bin, (bins,) float64, strictly between 0 and 1."""
    model = evaluation.model
    assert isinstance(model, Discriminate)  # skip sees to that
    d = model.discriminate(bins.midpoints(evaluation.device).float().view(-1, 1, 1, 1)).double()
    if d.shape != (bins.count,) or not bool(((d >= 0) & (d <= 1)).all()):
        seen = f"{d.numel()} values in [{d.min().item():g}, {d.max().item():g}]"
        raise ValueError(f"discriminate gave {seen}; expected {bins.count} probabilities")
    return d.clamp(torch.finfo(torch.float32).tiny, NEAREST_TO_1)
