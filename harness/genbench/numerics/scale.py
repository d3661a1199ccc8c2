"""What values a set of images has: is it of the scale that another set is of?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from genbench.numerics.blocks import rows_at_once
from genbench.numerics.checks import check_rows

DARK = 0.1
"""Below which part of another set's greatest value a set's own is too low, however dark its images are."""

LEAST = 10
"""Images of which a mean is held against those of others: one alone may be darker than any of them."""

CLIPPED, TOLERANCE = 0.15, 0.05
"""By how much more of a set is 0 where its negative half was cut off, and how near that comes to the half itself."""

MOSTLY = 0.99
"""Of a set's values at its bounds, beyond which it is one of two values, which was not clipped to be so."""


@dataclass(frozen=True)
class Scale:
    """The values of a set of images: the least, the greatest, their mean, and the means of its darkest and lightest.

    at_low and at_high are the shares of values at the bounds, in_lower_half that of values up to their middle.
    """

    count: int
    least: float
    greatest: float
    mean: float
    darkest: float
    lightest: float
    at_low: float
    at_high: float
    in_lower_half: float


def scale(parts: Iterable[Tensor], bounds: tuple[float, float]) -> Scale:
    """Return what values images (n, ...) have that come part by part. Raises ValueError where there are none."""
    return _joined([_scale(rows, bounds) for part in parts for rows in torch.split(part, rows_at_once(part))])


def _scale(x: Tensor, bounds: tuple[float, float]) -> Scale:
    check_rows(x, "images")
    low, high = bounds
    means = x.flatten(1).mean(1, dtype=torch.float64)
    shares = [inside.mean(dtype=torch.float64) for inside in (x <= low, x >= high, x <= (low + high) / 2)]
    found = torch.stack([means.mean(), means.min(), means.max(), *shares]).tolist()
    return Scale(len(x), float(x.min()), float(x.max()), *found)


def _joined(parts: list[Scale]) -> Scale:
    count = sum(part.count for part in parts)
    if not count:
        raise ValueError("no images: expected some, to tell their scale")

    def mean(name: str) -> float:
        return sum(part.count * float(getattr(part, name)) for part in parts) / count

    return Scale(
        count,
        min(part.least for part in parts),
        max(part.greatest for part in parts),
        mean("mean"),
        min(part.darkest for part in parts),
        max(part.lightest for part in parts),
        mean("at_low"),
        mean("at_high"),
        mean("in_lower_half"),
    )


# What is to be said of it --------------------------------------------------------------------------------------------


def doubt(found: Scale, data: Scale, bounds: tuple[float, float], of: str = "of the data") -> str:
    """Return what speaks against a set being of the scale of the data within bounds, and what was meant; "" if nothing.

    No set of images of the data comes into doubt by its mean, whichever are chosen: that lies among their own means.
    """
    low, high = bounds
    middle = (low + high) / 2
    if found.least == found.greatest:
        return f"every value is {found.least:.3g}: are these the images that were meant?"
    if found.greatest - low < DARK * (data.greatest - low):
        meant = _too_small(found, data, bounds)
        return f"the greatest value is {_value(found.greatest, bounds)}, that {of} {data.greatest:.3g}: {meant}"
    if found.least >= middle and data.least < middle:
        return (
            f"the least value is {found.least:.3g}, that {of} {data.least:.3g}: were {low:g} to {high:g} "
            f"taken for {2 * low - high:g} to {high:g}? Map them back, by 2x - {high:g}"
        )
    if found.count >= LEAST and not data.darkest <= found.mean <= data.lightest:
        return _by_cut(found, data, bounds) or _by_mean(found, data, bounds)
    return _by_cut(found, data, bounds)


def _too_small(found: Scale, data: Scale, bounds: tuple[float, float]) -> str:
    low = bounds[0]
    if bounds == (0.0, 1.0) and found.greatest <= 1.01 / 255:
        return "are they 0/1 images as uint8, or floats divided by 255 twice? Multiply by 255"
    return f"are they of another scale? Multiply by {(data.greatest - low) / (found.greatest - low):.3g}"


def _by_mean(found: Scale, data: Scale, bounds: tuple[float, float]) -> str:
    seen = (
        f"the mean is {found.mean:.3g}, that of the data {data.mean:.3g}, and no image of the data has one outside "
        f"{data.darkest:.3g} to {data.lightest:.3g}: "
    )
    turned = sum(bounds) - found.mean
    if data.darkest <= turned <= data.lightest:
        return f"{seen}are dark and light exchanged? Give {sum(bounds):g} - x"
    return f"{seen}are they of another scale, or unlike the data?"


def _by_cut(found: Scale, data: Scale, bounds: tuple[float, float]) -> str:
    """Return what tells that half of the values were clipped, unless they are two values alone."""
    low, high = bounds
    if found.at_low + found.at_high > MOSTLY:
        return ""
    if found.at_low - data.at_low < CLIPPED or abs(found.at_low - data.in_lower_half) > TOLERANCE:
        return ""
    return (
        f"{found.at_low:.0%} of the values are {low:g}, of the data {data.at_low:.0%}, with {data.in_lower_half:.0%} "
        f"in the lower half: was {2 * low - high:g} to {high:g} clipped at {low:g}? Map it to {low:g} to {high:g}"
    )


def _value(value: float, bounds: tuple[float, float]) -> str:
    return f"{value:.3g}" + (f" ({value * 255:.3g} of 255)" if bounds == (0.0, 1.0) else "")


def doubt_of_data(data: Scale, bounds: tuple[float, float]) -> str:
    """Return what speaks against data being of the scale that their bounds promise, and what was meant; or ""."""
    low, high = bounds
    return doubt(
        data, Scale(data.count, low, high, data.mean, low, high, data.at_low, 0.0, 1.0), bounds, "of the bounds"
    )
