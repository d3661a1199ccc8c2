"""The Parzen metric follows the paper's protocol, and gives the published value for real MNIST images."""

import dataclasses
import math
from pathlib import Path
from types import SimpleNamespace
from typing import get_type_hints

import numpy as np
import pytest
import torch
from torch import Tensor

import genbench
from genbench.numerics.parzen import PAPER_SIGMAS, choose_sigma, log_likelihoods
from genbench_plugins.metrics.parzen import Parzen


def images(n: int, seed: int, scale: float = 1.0) -> Tensor:
    return scale * torch.rand(n, 1, 4, 4, generator=torch.Generator().manual_seed(seed))


def evaluation(samples: Tensor, valid: Tensor, target: Tensor) -> genbench.Evaluation:
    """Return what the metric asks for, and nothing else."""
    return SimpleNamespace(  # type: ignore[return-value]
        samples=lambda n: samples[:n], valid=genbench.Split(valid), target=genbench.Split(target)
    )


def test_the_protocol_is_in_the_options() -> None:
    identity = {f.name: f.default for f in dataclasses.fields(Parzen) if f.metadata.get("identity", True)}
    assert identity == {"samples": 10_000, "grid": "refined", "valid": 1_000}
    assert Parzen.presets == {"paper": {"grid": "paper"}}
    assert set(get_type_hints(Parzen, include_extras=True)) >= {"samples", "grid", "valid", "memory_mib"}


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (Parzen(), "10,000 samples; sigma by the first 1,000 validation images, refined to 1 %"),
        (
            Parzen(samples=500, valid=20, grid="paper"),
            "500 samples; sigma by the first 20 validation images, out of the paper's ten values",
        ),
    ],
)
def test_the_protocol_in_words(metric: Parzen, words: str) -> None:
    assert metric.describe() == words


@pytest.mark.parametrize(("grid", "sigmas"), [("paper", PAPER_SIGMAS), ("refined", None)])
def test_the_score_is_the_mean_over_the_target(grid: str, sigmas: tuple[float, ...] | None) -> None:
    samples, valid, target = images(90, 0), images(40, 1), images(25, 2)
    score = Parzen(samples=80, valid=30, grid=grid).evaluate(evaluation(samples, valid, target))  # type: ignore[arg-type]
    sigma = choose_sigma(samples[:80], valid[:30], sigmas).sigma
    expected = log_likelihoods(samples[:80], target, [sigma])[0]
    assert score.per_example is not None
    assert torch.equal(score.per_example, expected)
    assert score.value == pytest.approx(expected.mean().item(), rel=1e-12)
    assert score.stderr == pytest.approx(np.std(expected.numpy()) / math.sqrt(25), rel=1e-12)
    assert score.extras == {"sigma": sigma}


def test_fewer_validation_images_than_asked_for_are_all_used() -> None:
    given = evaluation(images(90, 0), images(40, 1), images(25, 2))
    assert Parzen(valid=40).evaluate(given).value == Parzen(valid=1000).evaluate(given).value


@pytest.mark.parametrize(("grid", "scale", "sigma"), [("paper", 0.01, 0.1), ("paper", 100, 1.0), ("refined", 0, 1e-3)])
def test_a_sigma_at_the_edge_is_told(grid: str, scale: float, sigma: float) -> None:
    given = evaluation(images(90, 0, scale), images(40, 1, scale), images(25, 2, scale))
    extras = Parzen(grid=grid).evaluate(given).extras  # type: ignore[arg-type]
    assert extras == {"sigma": pytest.approx(sigma), "sigma_at_edge": 1.0}


def test_samples_that_are_not_finite_are_refused() -> None:
    samples = images(90, 0)
    samples[3, 0, 1, 2] = math.nan
    with pytest.raises(ValueError, match="samples hold NaN, infinity or values too large"):
        Parzen().evaluate(evaluation(samples, images(40, 1), images(25, 2)))


def mnist(path: Path) -> Tensor:
    pixels = np.fromfile(path, np.uint8, offset=16).reshape(-1, 1, 28, 28)
    return torch.from_numpy(pixels).float() / 255


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_real_mnist_images_score_as_published(real_data: Path, seed: int) -> None:
    """Sohl-Dickstein et al. 2015, Table 2: 10,000 training images as samples score 241.9 ± 2.3 nats."""
    train = mnist(real_data / "MNIST/raw/train-images-idx3-ubyte")
    test = mnist(real_data / "MNIST/raw/t10k-images-idx3-ubyte")
    chosen = torch.randperm(50_000, generator=torch.Generator().manual_seed(seed))[:10_000]
    score = Parzen(grid="paper").evaluate(evaluation(train[chosen], train[50_000:], test))
    assert 238 < score.value < 246
    assert score.stderr == pytest.approx(2.1, abs=0.2)
    assert score.extras == {"sigma": pytest.approx(10 ** (-7 / 9))}
