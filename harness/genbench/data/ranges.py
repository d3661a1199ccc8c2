"""Values of images held to their bounds: what rounding put outside is clipped, what is further out is an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROUNDING = 1e-6
"""How far outside a value may lie, over the width of the bounds; of a coarser type, one step of it at 1."""

UNIT = (0.0, 1.0)


def within(images: NDArray[Any], bounds: tuple[float, float], refuse: Callable[[str, str], NoReturn]) -> NDArray[Any]:
    """Return finite floats within bounds, those that rounding put outside clipped; refuse is called with any others."""
    import numpy as np

    (low, high), least, greatest = bounds, float(images.min()), float(images.max())
    if low <= least and greatest <= high:
        return images
    spare = max(ROUNDING, float(np.finfo(images.dtype).eps)) * (high - low)
    if least < low - spare or greatest > high + spare:
        refuse(
            f"values go from {least:.9g} to {greatest:.9g}",
            f"expected {floats(bounds)}: {_cure(least, greatest, bounds)}",
        )
    held: NDArray[Any] = np.clip(images, low, high)
    return held


def floats(bounds: tuple[float, float]) -> str:
    """Return in words what values are expected."""
    return f"floats from {bounds[0]:g} to {bounds[1]:g}"


def _cure(least: float, greatest: float, bounds: tuple[float, float]) -> str:
    """Return what values that go so far were probably meant as."""
    if bounds != UNIT:
        return "scale them"
    if -1.01 <= least < -0.01 and greatest <= 1.01:
        return "if they go from -1 to 1, save (x + 1) / 2"
    if least >= -0.01 and 2 < greatest <= 256:
        return "divide by 255, or save uint8"
    if least >= -0.01 and 256 < greatest <= 65536:
        return "divide by the greatest value of their type, 65535 for 16 bits"
    if least < 0 and greatest > 1:
        return "if they were standardised, save x * deviation + mean; if resizing overshot, clip them"
    return "if resizing or noise overshot, clip them; else scale them"
