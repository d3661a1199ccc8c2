"""Linear probes: logistic regression on a representation of images, from few labels, by scikit-learn."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

import genbench

if TYPE_CHECKING:
    from numpy.typing import NDArray

STRENGTHS = (1.0, 10.0, 100.0, 1000.0)
"""What C is chosen from, the strongest penalty first, for rows whose mean square length is 1."""

SCALED_BY = 10_000
"""Training images, the first ones, whose representation gives its mean and scale."""

MOST_STEPS = 200
"""Steps of L-BFGS, at which a fit ends where it has not converged: for 1,000 images of MNIST it needs 62 at most."""

BATCH = 1_000

Represent = Callable[[Tensor], Tensor]
"""From images (n, C, H, W) to rows (n, d)."""


def in_batches(represent: Represent, images: Tensor) -> Tensor:
    """Return the rows of images, a batch at a time, (n, d). Raises ValueError for rows that are not finite."""
    with torch.no_grad():
        rows = torch.cat([represent(part) for part in torch.split(images, BATCH)])
    if not bool(rows.isfinite().all()):
        raise ValueError("features of images are not finite; expected finite numbers")
    return rows.flatten(1)


def balanced(labels: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return so many rows of labels (n,), drawn at random, (count,): as many of each class as there can be.

    What is left over goes to random classes; where a class has too few, to the others. 0 stands for all rows.
    """
    if count == 0:
        return torch.arange(len(labels))
    order = torch.randperm(len(labels), generator=generator)
    drawn = torch.zeros(len(labels), dtype=torch.int64)  # which one of its class each row is, in this order
    for c in range(int(labels.max()) + 1):
        places = (labels[order] == c).nonzero()[:, 0]
        drawn[places] = torch.arange(len(places))
    return order[drawn.argsort(stable=True)[:count]]


@dataclass(frozen=True)
class Probe:
    """What probes of one representation share: labelled validation and target rows, scaled as those of training."""

    represent: Represent
    mean: Tensor
    scale: Tensor
    valid: NDArray[Any]
    valid_labels: NDArray[Any]
    target: NDArray[Any]
    target_labels: NDArray[Any]

    @classmethod
    def on(cls, represent: Represent, evaluation: genbench.Evaluation) -> Probe:
        """Return the probe on a representation of the images of an evaluation, all of which have labels."""
        rows = in_batches(represent, evaluation.train.images[:SCALED_BY]).double()
        mean = rows.mean(0)
        scale = (rows - mean).square().sum(1).mean().sqrt().clamp_min(1e-12)
        of_split = []
        for split in (evaluation.valid, evaluation.target):
            assert split.labels is not None
            of_split += [_scaled(represent, mean, scale, split.images), split.labels.cpu().numpy()]
        return cls(represent, mean, scale, *of_split)

    def hits(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return whether the class of each target image is found, (n,) float64, by a probe of labelled images.

        Of the strengths of its penalty the one is taken that finds most classes of validation images: of equal ones,
        the strongest.
        """
        x, y = _scaled(self.represent, self.mean, self.scale, images), labels.cpu().numpy()
        fitted = [_regression(x, y, strength) for strength in STRENGTHS]
        best = max(fitted, key=lambda model: float(model.score(self.valid, self.valid_labels)))  # the first of equals
        return torch.from_numpy(best.predict(self.target) == self.target_labels).double()


def _scaled(represent: Represent, mean: Tensor, scale: Tensor, images: Tensor) -> NDArray[Any]:
    """Return rows less the mean, over the scale, (n, d) float64."""
    rows: NDArray[Any] = ((in_batches(represent, images).double() - mean) / scale).cpu().numpy()
    return rows


def _regression(x: NDArray[Any], y: NDArray[Any], strength: float) -> Any:
    """Return logistic regression on rows x (n, d) and labels y (n,): scikit-learn's, with C of this strength."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=strength, max_iter=MOST_STEPS).fit(x, y)
