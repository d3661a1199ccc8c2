"""Whether images made elsewhere are the same, whatever their order and the type of file that they are stored in."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from genbench.data.images import BATCH, Images
from genbench.data.ranges import UNIT

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COARSE, FINE = 255 * 4, 255 << 12
"""Steps from one bound to the other. Values of 8 bits are steps, and stay so where they were stored as float16."""


def digests(images: Images) -> set[bytes]:
    """Return a digest of each image. Raises DataError where one cannot be read."""
    found: set[bytes] = set()
    for start in range(0, images.count, BATCH):
        found.update(_digest(image) for image in _steps(images.read(start, start + BATCH), images.bounds))
    return found


def _digest(image: NDArray[np.int32]) -> bytes:
    return hashlib.blake2b(image.data, digest_size=16).digest()


def _steps(images: NDArray[np.float32], bounds: tuple[float, float]) -> NDArray[np.int32]:
    import numpy as np

    low, high = bounds
    count = COARSE if bounds == UNIT else FINE
    steps: NDArray[np.int32] = np.rint((images.astype(np.float64) - low) * (count / (high - low))).astype(np.int32)
    return steps
