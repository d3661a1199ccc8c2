"""Images of the wrong scale come into doubt, with what was meant; no honest images do, whichever of the data they are."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from image_sets import cifar10, digits, image_sets
from torch import Tensor

from genbench.numerics.scale import doubt, doubt_of_data, scale

UNIT = (0.0, 1.0)


def told(images: Tensor, data: Tensor) -> str:
    return doubt(scale([images], UNIT), scale([data], UNIT), UNIT)


def test_values_are_numpys_whatever_the_parts() -> None:
    x = np.random.default_rng(0).random((2500, 3, 4, 4), np.float32).round(1)
    found = scale([torch.from_numpy(x[:7]), torch.from_numpy(x[7:])], UNIT)
    means = x.reshape(2500, -1).mean(1, dtype=np.float64)
    assert (found.count, found.least, found.greatest) == (2500, 0.0, 1.0)
    expected = (means.mean(), means.min(), means.max(), (x == 0).mean(), (x == 1).mean(), (x <= 0.5).mean())
    seen = (found.mean, found.darkest, found.lightest, found.at_low, found.at_high, found.in_lower_half)
    assert seen == pytest.approx(expected, rel=1e-12)


def test_no_images_are_refused() -> None:
    with pytest.raises(ValueError, match="no images: expected some, to tell their scale"):
        scale([], UNIT)


# Doubts


WRONG: list[tuple[str, Callable[[Tensor], Tensor], str]] = [
    ("0/1 as uint8", lambda x: (x > 0.5) / 255, "greatest value is 0.00392 .1 of 255., .* are they 0/1 .* by 255$"),
    ("cast to uint8", lambda x: x.to(torch.uint8) / 255, "are they 0/1 images as uint8, .* Multiply by 255$"),
    ("divided twice", lambda x: x / 255, "or floats divided by 255 twice. Multiply by 255$"),
    ("of 16 levels", lambda x: x * 16 / 255, "greatest value is 0.0627 .16 of 255., .* Multiply by 15.9$"),
    ("black", lambda x: x * 0, "every value is 0: are these the images that were meant"),
    ("white", lambda x: x * 0 + 1, "every value is 1: are these the images that were meant"),
    (
        "mapped twice",
        lambda x: (x + 1) / 2,
        "least value is 0.5, that of the data 0: were 0 to 1 taken for -1 to 1.* 2x - 1",
    ),
]


@pytest.mark.parametrize(("change", "match"), [pytest.param(*case, id=name) for name, *case in WRONG])
@pytest.mark.parametrize("name", ["digits", "mnist", "cifar10"])
def test_images_of_another_scale_come_into_doubt(
    name: str, change: Callable[[Tensor], Tensor], match: str, request: pytest.FixtureRequest
) -> None:
    data, images, _ = image_sets(name, request)
    assert re.search(match, told(change(images), data))


def test_dark_and_light_exchanged() -> None:
    data, images, _ = digits()
    assert "no image of the data has one outside 0.232 to 0.423: are dark and light exchanged? Give 1 - x" in told(
        1 - images, data
    )


def test_an_output_of_tanh_clipped_at_0(real_data: Path) -> None:
    for data, images, _ in (digits(), cifar10(real_data)):
        assert "in the lower half: was -1 to 1 clipped at 0? Map it to 0 to 1" in told(
            (2 * images - 1).clamp(0, 1), data
        )


def test_values_to_255_clipped_at_1(real_data: Path) -> None:
    for data, images, _ in (digits(), cifar10(real_data)):
        assert "are they of another scale, or unlike the data?" in told((images * 255).clamp(0, 1), data)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits", "mnist", "cifar10"])
def test_honest_images_do_not(name: str, request: pytest.FixtureRequest) -> None:
    data, images, labels = image_sets(name, request)
    by_mean = images[images.flatten(1).mean(1).argsort()]
    honest = {
        "fresh": images,
        "of two values": (images > 0.5).float(),
        "drawn of two values": torch.bernoulli(images, generator=torch.Generator().manual_seed(0)),
        "the darkest": by_mean[:50],
        "the lightest": by_mean[-50:],
        "means of ten": images[: len(images) // 10 * 10].unflatten(0, (-1, 10)).mean(1),
        "noisy": (images + 0.05 * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1),
        "one": images[:1],
        **{f"of class {label}": images[labels == label] for label in labels.unique().tolist()},
    }
    assert {words: told(x, data) for words, x in honest.items() if told(x, data)} == {}
    assert doubt_of_data(scale([data], UNIT), UNIT) == ""


def test_data_come_into_doubt_by_their_bounds() -> None:
    data = digits()[0]
    assert "greatest value is 0.00392 (1 of 255), that of the bounds 1" in doubt_of_data(
        scale([data / 255], UNIT), UNIT
    )
    assert "every value is 0" in doubt_of_data(scale([data * 0], UNIT), UNIT)


def test_other_bounds_speak_of_themselves() -> None:
    bounds = (-1.0, 1.0)
    data, images, _ = (2 * x - 1 for x in digits())
    assert doubt(scale([images], bounds), scale([data], bounds), bounds) == ""
    darker = (images + 1) / 100 - 1
    words = "the greatest value is -0.98, that of the data 1: are they of another scale? Multiply by 100"
    assert doubt(scale([darker], bounds), scale([data], bounds), bounds) == words
