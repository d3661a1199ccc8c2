"""Random convolutions: the same everywhere, of images of any shape, and well enough spread to compute with."""

import pytest
import torch

from genbench import Space, TrainingData
from genbench.testing.made_images import made
from genbench_plugins.extractors.random_convolutions import RandomConvolutions


def ready(space: Space) -> RandomConvolutions:
    extractor = RandomConvolutions()
    extractor.bind(space, "digest")
    extractor.prepare(TrainingData(made(space, 3), made(space, 3), space), None, None)
    return extractor


@pytest.mark.parametrize(
    ("shape", "width"),
    [((1, 8, 8), 256), ((2, 5, 7), 256), ((3, 32, 32), 256), ((1, 1, 1), 64), ((1, 1, 2), 128), ((4, 1, 9), 128)],
)
def test_any_shape_has_a_few_hundred_finite_features(shape: tuple[int, int, int], width: int) -> None:
    space = Space(shape, bounds=(-3.0, 2.0))
    found = ready(space).features(made(space, 9).images)
    assert found.shape == (9, width)
    assert found.isfinite().all()
    assert found.std(0).max() > 1e-3  # and they tell images apart


def test_weights_are_those_of_the_recipe_whatever_random_state_is_about() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    extractor = ready(Space((1, 8, 8)))
    assert torch.equal(torch.get_rng_state(), before)
    (w, b), *_, (last, _) = extractor.layers_
    # written down once: another machine, or a change that is not told by the digest, would show here
    torch.testing.assert_close(w[0, 0, 0], torch.tensor([0.0330, 0.0604, -1.0343]), atol=1e-4, rtol=0)
    torch.testing.assert_close(last.mean((1, 2, 3)), torch.zeros(64), atol=1e-7, rtol=0)
    torch.testing.assert_close(last.square().sum((1, 2, 3)), torch.full((64,), 2.0))
    assert b.abs().max() <= 0.5


def test_bounds_are_no_part_of_the_features() -> None:
    grey, signed = Space((1, 6, 6)), Space((1, 6, 6), bounds=(-1.0, 1.0))
    images = made(grey, 20).images
    torch.testing.assert_close(ready(grey).features(images), ready(signed).features(2 * images - 1))
