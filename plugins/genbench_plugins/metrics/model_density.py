"""What metrics share that ask for a model's own density: the images that it is of, real or binary, and their units."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Le
from torch import Tensor

import genbench
from genbench_plugins.scaling import to_unit

SEED = 0
"""Of the one draw of binary images, and of the noise: the same for every model and training seed."""

ROWS = 128
"""Images that a model is handed at a time."""


@dataclass(eq=False)
class OnModelDensity(genbench.Metric):
    """A metric of log p(x) itself, for models that know something of it.

    observations says which: a density of pixel values, or the probability of images of two values, which pixels scaled
    to [0, 1] are drawn to, once for all models and seeds. levels is 0 where pixel values are taken as they are; else
    images have so many grey levels, and uniform noise of one level's width is added (Theis et al. 2016).
    """

    for_any_images: ClassVar[bool] = False
    higher_is_better: ClassVar[bool] = True

    observations: Literal["real", "binary"] = "real"  # what the density is of: pixel values, or images of two values
    levels: Annotated[int, Ge(0), Le(65_536)] = 0  # grey levels, whose width is filled by noise; 0: values as they are

    def __post_init__(self) -> None:
        if self.levels == 1:
            raise ValueError("levels is 1: expected how many grey levels images have, as 256, or 0 for values as given")
        if self.levels and self.observations == "binary":
            raise ValueError(f"levels is {self.levels} with observations=binary: expected 0, since those have two")
        if self.observations == "binary":
            self.title = f"{type(self).title}, binary images"  # type: ignore[misc]  # two tables are told apart by it

    # What can be scored

    def skip(self, evaluation: genbench.Evaluation) -> str | None:
        """Return why nothing can be said: of a model without such a density, or of images that have other levels."""
        model = evaluation.model
        if reason := self._lacks(model):
            return reason
        if model.observations != self.observations:
            return (
                f"the model's density is of {_of(model.observations)}, and this column of {_of(self.observations)}: "
                f"ask for observations={model.observations}"
            )
        if self.levels and not _has_levels(to_unit(evaluation.target.images, evaluation.space), self.levels):
            return (
                f"images have other values than {self.levels} even steps within the bounds: give levels=N for the grey "
                "levels that they have, or levels=0 for values as they are"
            )
        return None

    @abstractmethod
    def _lacks(self, model: genbench.Model) -> str | None:
        """Return what the model cannot do, or None."""

    # Images and units

    def observed(self, evaluation: genbench.Evaluation) -> Tensor:
        """Return the images that log p is asked of, (n, C, H, W) float32 within the bounds."""
        images = evaluation.target.images
        if self.observations == "real" and not self.levels:
            return images
        low, high = evaluation.space.bounds
        generator = torch.Generator().manual_seed(SEED)
        drawn = torch.rand(images.shape, generator=generator).to(images.device)
        unit = to_unit(images, evaluation.space).view_as(images)
        if self.observations == "binary":
            return torch.where(drawn < unit, high, low)
        return low + (high - low) * ((unit * (self.levels - 1)).round() + drawn) / self.levels

    def bits_per_dim(self, nats: float, evaluation: genbench.Evaluation) -> float:
        """Return bits per value: of the discrete images, or of a density of values scaled to [0, 1], where levels is 0.

        Volume is measured in cells of one level, so that the integral over a cell is the probability of an image.
        """
        low, high = evaluation.space.bounds
        cell = math.log((high - low) / max(self.levels, 1)) if self.observations == "real" else 0.0
        return -(nats / evaluation.space.dim + cell) / math.log(2)

    def _in_words(self) -> str:
        if self.observations == "binary":
            return "binary images, drawn once by pixel values"
        return f"{self.levels} levels and uniform noise" if self.levels else "pixel values as they are"


def rows(images: Tensor) -> Iterator[Tensor]:
    """Yield images a few at a time."""
    yield from torch.split(images, ROWS)


def per_image(what: str, images: Tensor, nats: Callable[[Tensor], Tensor]) -> Tensor:
    """Return nats of every image, (n,) float64, asked for a few images at a time.

    Raises ValueError where they are not one finite number for each.
    """
    found = []
    with torch.no_grad():
        for part in rows(images):
            values = nats(part)
            if values.shape != (len(part),):
                raise ValueError(f"{what} returned {tuple(values.shape)} for {len(part)} images; expected one for each")
            found.append(values.double())
    values = torch.cat(found)
    if bad := int((~values.isfinite()).sum()):
        raise ValueError(f"{what} is not finite for {bad} of {len(values)} images: expected finite nats")
    return values


def mean_and_error(values: Tensor) -> tuple[float, float]:
    """Return the mean over images, and its standard error by the population deviation, as `parzen` has it."""
    return values.mean().item(), values.std(correction=0).item() / len(values) ** 0.5


def _has_levels(unit: Tensor, levels: int) -> bool:
    """Return whether values in [0, 1] are even steps, to a hundredth of a step."""
    steps = unit * (levels - 1)
    return bool(((steps - steps.round()).abs() < 0.01).all())


def _of(observations: str) -> str:
    return "real pixel values" if observations == "real" else "binary images"
