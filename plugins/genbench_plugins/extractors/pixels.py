"""Pixel values as features: the honest baseline for any feature metric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

import genbench


@dataclass(eq=False)
class Pixels(genbench.FeatureExtractor):
    """The pixel values, flattened: (n, C, H, W) becomes (n, C·H·W)."""

    version: ClassVar[int] = 1

    @property
    def digest(self) -> str:
        """Nothing but the images."""
        return "pixels"

    def features(self, images: Tensor) -> Tensor:
        """Return the values, (n, C·H·W)."""
        return images.flatten(1)
