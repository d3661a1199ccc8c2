"""The distance to the nearest sample against brute force, and against what it promises."""

from types import SimpleNamespace

import genbench
import pytest
import torch
from torch import Tensor

from genbench_mixture.metric import NearestReal, nearest


def images(n: int, seed: int) -> Tensor:
    return torch.rand(n, 2, 5, 7, generator=torch.Generator().manual_seed(seed))


def score(target: Tensor, samples: Tensor, asked: int = 10_000) -> genbench.Score:
    """Return the score, from all that the metric asks for."""
    given = SimpleNamespace(samples=lambda n: samples[:n], target=genbench.Split(target))
    return NearestReal(samples=asked).evaluate(given)  # type: ignore[arg-type]


@pytest.mark.parametrize(("n", "m"), [(30, 50), (1, 50), (30, 1)])
def test_it_is_what_brute_force_finds(n: int, m: int) -> None:
    target, samples = images(n, 0), images(m, 1)
    expected = torch.tensor(
        [min((one - other).double().square().mean().sqrt().item() for other in samples) for one in target]
    ).double()
    found = score(target, samples)
    assert found.per_example is not None
    torch.testing.assert_close(found.per_example, expected, rtol=0, atol=1e-6)
    assert found.value == pytest.approx(expected.mean().item(), abs=1e-6)
    assert found.stderr == pytest.approx(expected.std(correction=0).item() / n**0.5, abs=1e-6)


def test_samples_that_hold_the_target_come_to_nothing() -> None:
    target = images(20, 0)
    assert score(target, torch.cat([images(10, 1), target])).value == pytest.approx(0, abs=1e-3)


def test_the_order_of_samples_does_not_matter_and_the_first_are_taken() -> None:
    target, samples = images(20, 0), images(40, 1)
    assert score(target, samples.flip(0)).value == pytest.approx(score(target, samples).value, rel=1e-6)
    assert score(target, samples, 10).value == score(target, samples[:10]).value


def test_more_samples_are_never_farther_and_a_missing_mode_is_seen() -> None:
    target, samples = images(20, 0), images(40, 1)
    few, many = score(target, samples[:10]).per_example, score(target, samples).per_example
    assert few is not None
    assert many is not None
    assert (many <= few + 1e-6).all()
    modes = torch.cat([0.2 * images(20, 2), 0.8 + 0.2 * images(20, 3)])
    assert score(modes, 0.2 * images(40, 4)).value > 4 * score(modes, modes + 0.05).value


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused(value: float) -> None:
    samples = images(10, 1)
    samples[3, 0, 0, 0] = value
    with pytest.raises(ValueError, match="samples hold NaN, infinity"):
        nearest(images(5, 0), samples)


def test_the_protocol_in_words() -> None:
    assert NearestReal().describe() == "the nearest of 10,000 samples"
