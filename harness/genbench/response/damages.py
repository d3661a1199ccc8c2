"""Known damage to real images, in rising levels of which 0 is none: what a metric should see, or cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from genbench.api import Space, Split

FEWEST_CLASSES = 0.4
"""The greatest share of classes that is dropped."""


@dataclass(frozen=True)
class Material:
    """What damaged samples are made of: fresh real images, of which `count` are taken, and the training images."""

    space: Space
    fresh: Split[Tensor]
    train: Tensor
    count: int

    def some(self, generator: torch.Generator) -> Tensor:
        """Return `count` fresh images at random, each once, (count, C, H, W)."""
        return self.fresh.images[drawn(len(self.fresh), self.count, generator)]


Apply = Callable[[Material, float, torch.Generator], Tensor]


@dataclass(frozen=True)
class Damage:
    """A kind of damage: what its levels mean, the levels, and the samples of a level; why not, where it cannot be."""

    name: str
    unit: str
    levels: tuple[float, ...]
    apply: Apply
    unfit: Callable[[Material], str] = lambda material: ""


def drawn(n: int, count: int, generator: torch.Generator) -> Tensor:
    """Return `count` rows of n at random, each once."""
    return torch.randperm(n, generator=generator)[:count]


def noise(material: Material, level: float, generator: torch.Generator) -> Tensor:
    """Return images mixed with uniform noise within the bounds, in this share."""
    x = material.some(generator)
    low, high = material.space.bounds
    uniform = low + (high - low) * torch.rand(x.shape, generator=generator)
    return (1 - level) * x + level * uniform


def blur(material: Material, level: float, generator: torch.Generator) -> Tensor:
    """Return images under a Gaussian of this standard deviation in pixels, mirrored at the borders."""
    from torchvision.transforms.functional import gaussian_blur

    x = material.some(generator)
    reach = min(3 * round(level + 0.5), min(x.shape[2:]) - 1)  # less than the image, as mirroring asks
    return gaussian_blur(x, [2 * reach + 1] * 2, [level] * 2) if level else x


def dropped_classes(material: Material, level: float, generator: torch.Generator) -> Tensor:
    """Return images of all classes but the first ones, of which this share is missing: as many at each level."""
    count = min(material.count, len(_without(material, FEWEST_CLASSES)))
    left = _without(material, level)
    return material.fresh.images[left[drawn(len(left), count, generator)]]


def _without(material: Material, share: float) -> Tensor:
    """Return the rows of fresh images that are of no class among the first ones, this share of all."""
    labels = material.fresh.labels
    assert labels is not None  # unfit says so
    return (labels >= round(share * (material.space.classes or 1))).nonzero()[:, 0]


def copies(material: Material, level: float, generator: torch.Generator) -> Tensor:
    """Return images of which this share are training images, to the bit."""
    x = material.some(generator).clone()
    share = min(round(level * len(x)), len(material.train))
    x[:share] = material.train[drawn(len(material.train), share, generator)]
    return x


def moved_copies(material: Material, level: float, generator: torch.Generator) -> Tensor:
    """Return images of which this share are training images moved right by a pixel."""
    x = copies(material, level, generator)
    share = round(level * len(x))
    x[:share, ..., 1:] = x[:share, ..., :-1].clone()
    return x


def fewer(material: Material, level: float, generator: torch.Generator) -> Tensor:
    """Return images, fewer by this share."""
    x = material.some(generator)
    return x[: max(1, round((1 - level) * len(x)))]


def _without_classes(material: Material) -> str:
    if material.fresh.labels is None:
        return "the images have no labels"
    return "" if (material.space.classes or 0) >= 10 else "there are fewer than ten classes"


def _without_width(material: Material) -> str:
    return "" if min(material.space.shape[1:]) > 1 else "the images are of a single pixel's width"


DAMAGES = (
    Damage("noise", "share of uniform noise", (0.0, 0.05, 0.1, 0.2, 0.4, 0.8), noise),
    Damage("blur", "standard deviation in pixels", (0.0, 0.5, 1.0, 2.0), blur, _without_width),
    Damage("dropped classes", "share of classes", (0.0, 0.1, 0.2, FEWEST_CLASSES), dropped_classes, _without_classes),
    Damage("copies", "share that are training images", (0.0, 0.1, 0.25, 0.5, 1.0), copies),
    Damage("moved copies", "share, moved by a pixel", (0.0, 0.1, 0.25, 0.5, 1.0), moved_copies, _without_width),
    Damage("fewer samples", "share left out", (0.0, 0.5, 0.75, 0.9), fewer),
)
