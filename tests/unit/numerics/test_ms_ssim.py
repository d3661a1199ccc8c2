"""MS-SSIM is torchmetrics' at every size that both take, and its scales fit every size."""

import math
import warnings

import pytest
import torch
from torch import Tensor

from genbench.numerics import ms_ssim as module
from genbench.numerics.ms_ssim import BETAS, Scales, fitted_scales, ms_ssim


def uniform(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def pairs(n: int, channels: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return images that are smooth, and the same with noise: from hardly any to much."""
    small = uniform(n, channels, 3, 3)
    images = torch.nn.functional.interpolate(small, (height, width), mode="bilinear", align_corners=True)
    noise = torch.linspace(0.01, 0.9, n)[:, None, None, None]
    return images, ((1 - noise) * images + noise * uniform(n, channels, height, width, seed=1)).clamp(0, 1)


def as_torchmetrics(first: Tensor, second: Tensor, scales: Scales) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as peer

    # Its window follows from sigma; kernel_size only decides which images it refuses.
    options = {"betas": scales.betas, "sigma": scales.sigma, "kernel_size": 1, "data_range": 1.0}
    return peer(first.double(), second.double(), reduction="none", **options)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(8, 8), (11, 13), (28, 28), (32, 32), (37, 64), (64, 64), (100, 90), (176, 200)])
def test_agrees_with_torchmetrics(size: tuple[int, int], channels: int) -> None:
    first, second = pairs(6, channels, *size)
    expected = as_torchmetrics(first, second, fitted_scales(*size))
    torch.testing.assert_close(ms_ssim(first, second), expected, rtol=1e-6, atol=1e-9)  # its exponents are float32


@pytest.mark.parametrize("scales", [Scales(1, 11), Scales(2, 5), Scales(3, 3), Scales(2, 11)])
def test_agrees_with_torchmetrics_at_other_scales(scales: Scales) -> None:
    first, second = pairs(4, 2, 32, 40)
    expected = as_torchmetrics(first, second, scales)
    torch.testing.assert_close(
        ms_ssim(first, second, scales), expected, rtol=1e-6, atol=1e-9
    )  # its exponents are float32


def test_opposite_images_are_at_zero_as_in_torchmetrics() -> None:
    first = pairs(4, 1, 64, 64)[0]
    second = 1 - first
    torch.testing.assert_close(ms_ssim(first, second), as_torchmetrics(first, second, fitted_scales(64, 64)))
    assert ms_ssim(first, second).min() == 0


def test_one_scale_of_a_constant_pair_has_a_closed_form() -> None:
    first, second = torch.full((1, 1, 8, 8), 0.25), torch.full((1, 1, 8, 8), 0.75)
    expected = (2 * 0.25 * 0.75 + 1e-4) / (0.25**2 + 0.75**2 + 1e-4)
    assert ms_ssim(first, second).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("size", [3, 8, 28, 32, 176])
def test_equal_images_are_at_one(size: int) -> None:
    images = uniform(3, 3, size, size)
    torch.testing.assert_close(ms_ssim(images, images), torch.ones(3).double(), rtol=1e-12, atol=0)


def test_more_noise_is_less_similar_and_order_does_not_matter() -> None:
    first, second = pairs(12, 3, 32, 32)
    found = ms_ssim(first, second)
    assert (found.diff() < 0).all()
    torch.testing.assert_close(ms_ssim(second, first), found, rtol=1e-12, atol=0)
    torch.testing.assert_close(ms_ssim(first.flip(3), second.flip(3)), found, rtol=1e-12, atol=0)
    torch.testing.assert_close(ms_ssim(first.mT, second.mT), found, rtol=1e-12, atol=0)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = pairs(9, 3, 32, 32)
    expected = ms_ssim(first, second)
    monkeypatch.setattr(module, "_MEBIBYTES", 1e-9)
    torch.testing.assert_close(ms_ssim(first, second), expected, rtol=1e-12, atol=0)


# Scales --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("height", "width", "scales", "window"),
    [
        (3, 3, 1, 3),
        (8, 8, 1, 7),
        (9, 9, 1, 9),
        (10, 10, 2, 5),
        (19, 40, 2, 9),
        (20, 20, 3, 5),
        (28, 28, 3, 7),
        (32, 32, 3, 7),
        (48, 48, 3, 11),
        (87, 87, 3, 11),
        (88, 300, 4, 11),
        (175, 175, 4, 11),
        (176, 176, 5, 11),
        (2000, 1000, 5, 11),
    ],
)
def test_scales_fit_the_size(height: int, width: int, scales: int, window: int) -> None:
    assert fitted_scales(height, width) == fitted_scales(width, height) == Scales(scales, window)


def test_every_scale_holds_the_window() -> None:
    for side in range(3, 400):
        found = fitted_scales(side, side)
        assert found.window % 2 == 1, side
        assert 3 <= found.window <= min(11, side >> (found.scales - 1)), side
        assert sum(found.betas) == pytest.approx(1), side
        assert int(3.5 * found.sigma + 0.5) * 2 + 1 == found.window, side  # torchmetrics takes this window for sigma


def test_five_scales_are_the_published_ones() -> None:
    found = fitted_scales(256, 256)
    assert found.sigma == 1.5
    assert found.betas == pytest.approx(BETAS, abs=1e-4)
    assert str(found) == "5 scales, window 11"


# Refusals ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [-0.01, 1.01, 255.0, math.nan, math.inf])
@pytest.mark.parametrize("which", [0, 1])
def test_values_outside_the_range_are_refused(value: float, which: int) -> None:
    images = [uniform(2, 1, 8, 8), uniform(2, 1, 8, 8)]
    images[which][1, 0, 3, 3] = value
    with pytest.raises(ValueError, match=rf"{('first', 'second')[which]} images from .*: expected values in \[0, 1\]"):
        ms_ssim(*images)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ((2, 1, 8, 8), (2, 1, 8, 9), "expected two equal"),
        ((2, 8, 8), (2, 8, 8), r"expected two equal \(n, C, H, W\)"),
        ((0, 1, 8, 8), (0, 1, 8, 8), "expected two equal"),
        ((2, 1, 2, 8), (2, 1, 2, 8), "images of 2 x 8 pixels: expected at least 3 x 3"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(first: tuple[int, ...], second: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ms_ssim(torch.zeros(first), torch.zeros(second))


def test_images_too_small_for_the_scales_are_refused() -> None:
    with pytest.raises(ValueError, match="images of 28 x 28 pixels: too small for 3 scales, window 11"):
        ms_ssim(uniform(2, 1, 28, 28), uniform(2, 1, 28, 28), Scales(3, 11))
