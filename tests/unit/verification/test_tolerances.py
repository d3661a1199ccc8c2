"""How far a score may lie from itself elsewhere: it takes in the rounding that another machine has, and little else."""

import math

import pytest
import torch

from genbench.numerics.frechet import frechet_distance_of_features
from genbench.numerics.parzen import log_likelihoods
from genbench.verification.tolerances import PART, tolerance


def test_rounding_grows_with_the_root_of_what_is_summed() -> None:
    assert tolerance(100.0, 0.0, None, 10_000) == pytest.approx(100 * 100 * 2**-23, rel=1e-12)
    assert tolerance(-100.0, 0.0, None, 0) == pytest.approx(100 * 2**-23, rel=1e-12)


def test_a_tenth_of_the_standard_error_is_allowed() -> None:
    assert tolerance(100.0, 3.0, None, 100) == pytest.approx(0.3)


def test_a_share_may_change_by_a_tenth_of_its_greatest_standard_error() -> None:
    greatest = math.sqrt(0.5 * 0.5 / 400)
    assert tolerance(0.4, None, (0.0, 1.0), 400) == pytest.approx(PART * greatest)


def perturbed(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return images of which each value is another by as much as float32 rounds."""
    signs = torch.randint(0, 2, images.shape, generator=generator) * 2 - 1
    return images * (1 + signs * 2.0**-23)


@pytest.mark.parametrize("seed", range(3))
def test_scores_of_images_that_were_rounded_otherwise_are_within_it(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    samples, test = torch.rand(500, 20, generator=generator), torch.rand(300, 20, generator=generator)
    other = perturbed(samples, generator)
    value, again = (log_likelihoods(x, test, [0.2])[0] for x in (samples, other))
    stderr = float(value.std() / math.sqrt(len(value)))
    assert 0 < abs(float(value.mean() - again.mean())) < tolerance(float(value.mean()), stderr, None, 500)
    fid, fid_again = (frechet_distance_of_features(test, x) for x in (samples, other))
    assert abs(fid - fid_again) < tolerance(fid, None, None, 500)
    moved = frechet_distance_of_features(test, samples + 0.01)
    assert abs(moved - fid) > tolerance(fid, None, None, 500), "what is no rounding is not within it"
