"""Images brought to another size by one filter, which protocols name: other filters give other scores (Parmar 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image


WORDS = "images made elsewhere resized"
"""What the protocol of scores of resized images says, and of no others."""


def in_words(size: int) -> str:
    """Return what is done to images, for the protocol of their scores."""
    return f"{WORDS} to {size}x{size}: centre square, Pillow's antialiased bicubic"


def resized(images: NDArray[Any], size: int, bounds: tuple[float, float]) -> NDArray[Any]:
    """Return the central squares of images (n, C, H, W), resized to `size`, of uint8 or float32 within the bounds.

    Each channel by Pillow's bicubic filter, antialiased, of float32 unrounded; uint8 is rounded, as pictures are.
    """
    import numpy as np

    dtype = np.uint8 if images.dtype == np.uint8 else np.float32
    planes = np.ascontiguousarray(images, dtype).reshape(-1, *images.shape[2:])
    found = np.stack([_plane(plane, size) for plane in planes]).reshape(*images.shape[:2], size, size)
    return found if dtype == np.uint8 else found.clip(*bounds)


def _plane(plane: NDArray[Any], size: int) -> NDArray[Any]:
    import numpy as np
    from PIL.Image import fromarray

    return np.array(square(fromarray(plane), size))


def square(image: Image, size: int) -> Image:
    """Return the central square of a picture, resized; cropped on the way, so that no long strip is blown up whole."""
    from PIL.Image import Resampling

    side, (width, height) = min(image.size), image.size
    left, top = (width - side) / 2, (height - side) / 2
    return image.resize((size, size), Resampling.BICUBIC, (left, top, left + side, top + side))
