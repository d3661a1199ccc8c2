"""Pixel values as features: the honest baseline for any feature metric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

import genbench
from genbench_plugins.scaling import to_unit


@dataclass(eq=False)
class Pixels(genbench.FeatureExtractor):
    """The pixel values scaled to [0, 1], flattened: (n, C, H, W) becomes (n, C·H·W)."""

    version: ClassVar[int] = 1
    is_cheap: ClassVar[bool] = True

    @property
    def digest(self) -> str:
        """Nothing but the images."""
        return "pixels"

    def features(self, images: Tensor) -> Tensor:
        """Return the values, (n, C·H·W)."""
        return to_unit(images, self.space)
