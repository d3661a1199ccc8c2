"""Noise as images made elsewhere, saved as .npz."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def noise(n: int, *shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (n, *(shape or (1, 8, 8))), np.uint8)


def save(path: str, images: NDArray[Any]) -> None:
    np.savez(path, images=images)
