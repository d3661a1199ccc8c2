"""Images brought to another size by one filter, which protocols name: other filters give other scores (Parmar 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


def in_words(size: int) -> str:
    """Return what is done to images, for the protocol of their scores."""
    return f"images made elsewhere resized to {size}x{size}: centre square, Pillow's antialiased bicubic"


def resized(images: NDArray[Any], size: int, bounds: tuple[float, float]) -> NDArray[Any]:
    """Return the central squares of images (n, C, H, W), resized to `size`, of uint8 or float32 within the bounds.

    Each channel by Pillow's bicubic filter, antialiased, as clean-fid does; uint8 is rounded, as pictures are.
    """
    import numpy as np

    dtype = np.uint8 if images.dtype == np.uint8 else np.float32
    planes = np.ascontiguousarray(images, dtype).reshape(-1, *images.shape[2:])
    found = np.stack([_plane(plane, size) for plane in planes]).reshape(*images.shape[:2], size, size)
    return found if dtype == np.uint8 else found.clip(*bounds)


def _plane(plane: NDArray[Any], size: int) -> NDArray[Any]:
    import numpy as np
    from PIL import Image

    height, width = plane.shape
    side = min(height, width)
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
    return np.array(Image.fromarray(plane).resize((size, size), Image.Resampling.BICUBIC, box))
