"""Numbers are rounded to what their error supports, and never printed as -0 or with a needless exponent."""

import math
import random

import pytest

from genbench.output import numbers


@pytest.mark.parametrize(
    ("mean", "error", "expected"),
    [
        (27.9312, 0.1234, "27.93 ± 0.12"),
        (225.27, 2.08, "225.3 ± 2.1"),
        (27.9312, None, "27.93"),
        (27.9312, math.nan, "27.93"),
        (None, None, "-"),
        (math.nan, 0.1, "-"),
        (math.inf, 0.1, "inf"),
        (-math.inf, None, "-inf"),
        (27.8, 0.0, "27.80 ± 0"),
        (0.0, 0.0, "0 ± 0"),
        (27.93, 0.0996, "27.93 ± 0.10"),
        (27.93, 0.996, "27.9 ± 1.0"),
        (27.93, 9.96, "28 ± 10"),
        (-256075.4, 0.0312, "-256075.400 ± 0.031"),
        (-256075.4, 123.4, "-256080 ± 120"),
        (-0.0004, 0.12, "0.00 ± 0.12"),
        (-3.0, 47.0, "-3 ± 47"),
        (-3.0, 470.0, "0 ± 470"),
        (0.00123, 0.00004, "0.001230 ± 0.000040"),
        (27.8, 1e-14, "27.80000000 ± 1.0e-14"),
        (1.234e-9, 1.2e-10, "1.23e-09 ± 1.2e-10"),
        (2.5e20, 1.25e18, "2.500e+20 ± 1.2e+18"),
        (1.0, 1e12, "1.0 ± 1.0e+12"),
    ],
)
def test_mean_and_error(mean: float | None, error: float | None, expected: str) -> None:
    assert numbers.mean_and_error(mean, error) == expected


def test_mean_and_error_is_within_half_of_its_last_place() -> None:
    draw = random.Random(0)
    for _ in range(2000):
        mean, error = draw.gauss(0, 10 ** draw.uniform(-2, 5)), 10 ** draw.uniform(-3, 4)
        shown_mean, shown_error = map(float, numbers.mean_and_error(mean, error).split(" ± "))
        place = 10.0 ** (int(f"{error:.1e}".partition("e")[2]) - 1)
        assert abs(shown_mean - mean) <= 0.5001 * place
        assert abs(shown_error - error) <= 0.5001 * place
        assert not numbers.mean_and_error(mean, error).startswith("-0 ")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (27.9312, "27.93"),
        (9.99996, "10.00"),
        (12345.6, "12346"),
        (-0.5, "-0.5000"),
        (0.00123456, "0.001235"),
        (0.0000123456, "1.235e-05"),
        (-0.0, "0"),
        (1e12, "1.000e+12"),
        (None, "-"),
        (math.nan, "-"),
    ],
)
def test_number(value: float | None, expected: str) -> None:
    assert numbers.number(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.14, "0.14"),
        (0.1427, "0.143"),
        (200.0, "200"),
        (1.0, "1"),
        (12345.6, "12346"),
        (1e-7, "1.00e-07"),
        (None, "-"),
    ],
)
def test_short(value: float | None, expected: str) -> None:
    assert numbers.short(value) == expected


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        (225, 2, "225 ± 2"),
        (225.0, 2.0, "225 ± 2"),
        (1.93, None, "1.93"),
        (-2057, 26, "-2057 ± 26"),
        (0.5, 0.25, "0.5 ± 0.25"),
    ],
)
def test_as_published_keeps_the_digits_of_the_source(value: float, error: float | None, expected: str) -> None:
    assert numbers.as_published(value, error) == expected


@pytest.mark.parametrize(
    ("low", "high", "error", "expected"),
    [
        (27.414, 28.447, 0.12, "27.4 .. 28.4"),
        (14.575, 19.825, 0.61, "14.6 .. 19.8"),
        (-0.04, 0.04, 0.12, "0.0 .. 0.0"),
        (27.8, 27.8, 0.0, "27.80 .. 27.80"),
        (-256080.0, -256070.0, 1.8, "-256080 .. -256070"),
        (1234.0, 4321.0, 290.0, "1200 .. 4300"),
        (27.8, 27.8, 1e-14, "27.80000000 .. 27.80000000"),
        (1.1e-9, 1.9e-9, 1e-10, "1.1e-09 .. 1.9e-09"),
        (None, None, None, "-"),
        (math.nan, 1.0, 0.1, "-"),
        (-math.inf, math.inf, 1.0, "-"),
    ],
)
def test_interval(low: float | None, high: float | None, error: float | None, expected: str) -> None:
    assert numbers.interval(low, high, error) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "0 s"),
        (3.6, "4 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (80.0, "1 min 20 s"),
        (3599.7, "1 h"),
        (7500.0, "2 h 5 min"),
        (86399.0, "1 d"),
        (273600.0, "3 d 4 h"),
        (-0.2, "0 s"),
        (None, "-"),
        (math.nan, "-"),
    ],
)
def test_seconds(value: float | None, expected: str) -> None:
    assert numbers.seconds(value) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(1, 1, "1"), (1, 2, "1-2"), (None, None, "-"), (None, 2, "-"), (12, 12, "12")]
)
def test_ranks(low: int | None, high: int | None, expected: str) -> None:
    assert numbers.ranks(low, high) == expected


@pytest.mark.parametrize(
    ("done", "planned", "expected"), [(3, 3, "3/3"), (0, 3, "0/3"), (None, 3, "-"), (3, None, "-")]
)
def test_seeds(done: int | None, planned: int | None, expected: str) -> None:
    assert numbers.seeds(done, planned) == expected


@pytest.mark.parametrize(("value", "expected"), [(1234567, "1,234,567"), (0, "0"), (None, "-")])
def test_count(value: int | None, expected: str) -> None:
    assert numbers.count(value) == expected


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, 8, 8), "8x8 grey: 1,000 train, 297 valid"),
        ((3, 32, 48), "32x48 colour: 1,000 train, 297 valid"),
        ((4, 8, 8), "8x8 with 4 channels: 1,000 train, 297 valid"),
    ],
)
def test_image_words(shape: tuple[int, int, int], expected: str) -> None:
    assert numbers.image_words(shape, {"train": 1000, "valid": 297}) == expected
