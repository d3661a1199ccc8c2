"""What the log_prob of a dataset must hold, where its true density is known."""

from __future__ import annotations

import torch
from torch import Tensor

from genbench.data import validation
from genbench.testing.dataset_checks import loaded
from genbench.testing.fixtures import Fixtures
from genbench.testing.grids import cells
from genbench.testing.likelihood_checks import log_prob
from genbench.testing.outcomes import CheckSkipped, fail

SIDES = {1: 100_000, 2: 1_000}
"""Cells to a side of the grid for integrals, for images of one and of two values."""


def check_density_is_finite(fixtures: Fixtures) -> None:
    """log_prob of a dataset gives one finite number for each of its own images."""
    for name in validation.SPLITS:
        log_p = log_prob(fixtures, fixtures.subject.make(), _images(fixtures, name))
        if bad := int((~log_p.isfinite()).sum()):
            fail(
                f"log_prob of {bad} of {len(log_p)} {name} images is not finite",
                "nats: what was drawn has a density above 0",
                "Work with logarithms throughout, and leave load and log_prob the same bounds.",
            )


def check_density_integrates_to_one(fixtures: Fixtures) -> None:
    """exp(log_prob) of a dataset integrates to 1 within its bounds, for images of one or two values."""
    log_p, volume = _on_grid(fixtures)
    integral = log_p.exp().sum().item() * volume
    if not abs(integral - 1) < 0.02:
        fail(
            f"exp(log_prob) integrates to {integral:.3f} within the bounds",
            "1 (within .02)",
            "Look at the normaliser, and divide by what lies within the bounds where the rest is cut off.",
        )


def check_density_fits_the_images(fixtures: Fixtures) -> None:
    """The mean of log_prob over a dataset's images is minus its entropy, for images of one or two values."""
    log_p, volume = _on_grid(fixtures)
    expected = -torch.special.entr(log_p.exp()).sum().item() * volume
    images = torch.cat([_images(fixtures, name) for name in validation.SPLITS])
    seen = log_prob(fixtures, fixtures.subject.make(), images)
    error = seen.std(correction=0).item() / len(seen) ** 0.5
    if not abs(seen.mean().item() - expected) < 5 * error + 0.02:
        fail(
            f"log_prob of the images is {seen.mean().item():.3f} on average (standard error {error:.3f})",
            f"{expected:.3f}, the integral of p log p",
            "Let load draw from what log_prob is the density of: look at scales, means and weights in both.",
        )


def _on_grid(fixtures: Fixtures) -> tuple[Tensor, float]:
    """Return log_prob in the cells of a grid over the bounds, and their volume. Raises CheckSkipped for more values."""
    found = loaded(fixtures.subject)
    channels, height, width = found.shape
    dim = channels * height * width
    if dim not in SIDES:
        raise CheckSkipped(f"images have {dim} values, so no integral can be taken; it can for one or two")
    points, volume = cells(found.shape, *found.bounds, SIDES[dim], fixtures.device)
    dataset = fixtures.subject.make()
    return torch.cat([log_prob(fixtures, dataset, part) for part in torch.split(points, 100_000)]), volume


def _images(fixtures: Fixtures, name: str) -> Tensor:
    images = torch.from_numpy(loaded(fixtures.subject).arrays[f"{name}-images"])
    return (images / 255 if images.dtype == torch.uint8 else images).to(fixtures.device)


CHECKS = (check_density_is_finite, check_density_integrates_to_one, check_density_fits_the_images)
