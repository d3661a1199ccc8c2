"""Numbers as tables print them: rounded to what their error supports."""

from __future__ import annotations

import math
from collections.abc import Mapping

MISSING = "-"

_DIGITS = 10
"""More significant digits are never printed: an error that asks for them is rounding, not spread."""

_LARGEST = 1e10
"""From here on a number is printed with an exponent."""


# Scores --------------------------------------------------------------------------------------------------------------


def number(value: float | None, digits: int = 4) -> str:
    """Return a number to that many significant digits; whole digits are all kept, and exponents are for extremes."""
    if value is None or math.isnan(value):
        return MISSING
    if value == 0 or math.isinf(value):
        return f"{value:z.0f}"
    if 1e-4 <= abs(value) < _LARGEST:
        return _to_place(value, max(0, digits - 1 - _magnitude(value, digits)))
    return f"{value:.{digits - 1}e}"


def short(value: float | None) -> str:
    """Return a number to three significant digits, without zeros at the end of its decimals."""
    text = number(value, 3)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def mean_and_error(mean: float | None, error: float | None) -> str:
    """Return `27.93 ± 0.12`: the error to two significant digits, the mean to the same place.

    Without an error, the mean alone, to four significant digits. Errors too small for the mean's digits, and extreme
    sizes, are printed with an exponent.
    """
    if mean is None or error is None or not (math.isfinite(mean) and math.isfinite(error)):
        return number(mean)
    if error == 0:
        return f"{number(mean)} ± 0"
    decimals = 1 - _magnitude(error, 2)
    if _fits(decimals, mean, error):
        return f"{_to_place(mean, decimals)} ± {_to_place(error, decimals)}"
    digits = 1 + _magnitude(mean, 2) + decimals
    return f"{number(mean, _within(digits))} ± {error:.1e}"


def as_published(value: float, error: float | None) -> str:
    """Return `225 ± 2`: a published number in the digits that its source gives."""
    return f"{value:.10g}" if error is None else f"{value:.10g} ± {error:.10g}"


def interval(low: float | None, high: float | None, error: float | None) -> str:
    """Return `27.4 .. 28.4`: both ends to the place of the first digit of the mean's standard error."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return MISSING
    if error and _fits(decimals := -_magnitude(error, 2), low, high):
        return f"{_to_place(low, decimals)} .. {_to_place(high, decimals)}"
    digits = 1 + _magnitude(max(low, high, key=abs), 2) + decimals if error else 4
    return f"{number(low, _within(digits))} .. {number(high, _within(digits))}"


def _fits(decimals: int, *values: float) -> bool:
    """Return whether numbers can be printed to a decimal place without an exponent, in at most _DIGITS digits."""
    largest = max(map(abs, values))
    whole = max(0, _magnitude(largest, 2)) + 1
    return largest < _LARGEST and whole + max(0, decimals) <= _DIGITS


def _within(digits: int) -> int:
    return min(max(digits, 2), _DIGITS)


def _magnitude(value: float, digits: int) -> int:
    """Return the power of ten of the first digit, once rounded to so many: for two, 0 of 9.94 and 1 of 9.96."""
    return int(f"{value:.{digits - 1}e}".partition("e")[2])


def _to_place(value: float, decimals: int) -> str:
    """Return a number to a decimal place, never as -0; a negative place rounds to tens, hundreds and so on."""
    return f"{value:z.{decimals}f}" if decimals >= 0 else f"{round(value, decimals):z.0f}"


# Everything else -----------------------------------------------------------------------------------------------------


def count(value: int | None) -> str:
    """Return a whole number with commas between thousands."""
    return MISSING if value is None else f"{value:,}"


def ranks(low: int | None, high: int | None) -> str:
    """Return a range of ranks as `1`, `1-2`, or `-` for none."""
    if low is None or high is None:
        return MISSING
    return str(low) if low == high else f"{low}-{high}"


def seeds(done: int | None, planned: int | None) -> str:
    """Return `2/3`: training seeds with a score, of those asked for."""
    return MISSING if done is None or planned is None else f"{done}/{planned}"


def seconds(value: float | None) -> str:
    """Return a duration in seconds as `4 s`, `1 min 20 s`, `2 h 5 min` or `3 d 4 h`."""
    if value is None or not math.isfinite(value):
        return MISSING
    if (whole := max(0, round(value))) < 60:
        return f"{whole} s"
    if whole < 3600:
        return _in_units(whole, 60, "min", "s")
    if (minutes := round(value / 60)) < 24 * 60:
        return _in_units(minutes, 60, "h", "min")
    return _in_units(round(value / 3600), 24, "d", "h")


def image_words(shape: tuple[int, int, int], sizes: Mapping[str, int]) -> str:
    """Return `8x8 grey: 1,000 train, 297 valid, 500 test` for images (C, H, W) and their numbers by split."""
    channels, height, width = shape
    colour = {1: "grey", 3: "colour"}.get(channels, f"with {channels} channels")
    return f"{height}x{width} {colour}: " + ", ".join(f"{count:,} {split}" for split, count in sizes.items())


def _in_units(count: int, per: int, large: str, small: str) -> str:
    whole, rest = divmod(count, per)
    return f"{whole} {large} {rest} {small}" if rest else f"{whole} {large}"
