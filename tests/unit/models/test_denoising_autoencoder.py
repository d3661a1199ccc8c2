"""The denoising autoencoder against distributions taken from torch and chains whose states are all counted."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from models import CPU, SHAPES, check_samples, data_of, drawn, fitted
from torch.distributions import Bernoulli, Normal

import genbench
from genbench.api import Space, Split, TrainingData
from genbench_plugins.models.denoising_autoencoder import DenoisingAutoencoder

SMALL = {"hidden": (16,), "epochs": 2, "batch": 25, "chains": 5, "burn_in": 3, "thin": 2}


def built(space: Space, **options: object) -> DenoisingAutoencoder:
    torch.manual_seed(0)
    model = DenoisingAutoencoder(**options)  # type: ignore[arg-type]
    model.build(space, CPU)
    return model


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("corruption", ["gaussian", "masking", "salt-and-pepper"])
@pytest.mark.parametrize(
    ("likelihood", "sample_as", "samples_are"),
    [
        ("gaussian", "means", "means"),
        ("gaussian", "draws", "clipped"),
        ("bernoulli", "means", "means"),
        ("bernoulli", "draws", "draws"),
    ],
)
def test_samples(
    shape: tuple[int, int, int], corruption: str, likelihood: str, sample_as: str, samples_are: str
) -> None:
    data = data_of(shape, bounds=(-1.0, 1.0))
    options = {"corruption": corruption, "likelihood": likelihood, "sample_as": sample_as, "walkback": 0.5}
    model = fitted(DenoisingAutoencoder(**SMALL, **options), data)
    check_samples(model, data.space)
    assert model.samples_are == samples_are
    if samples_are == "draws":
        assert set(drawn(model, 5).unique().tolist()) == {-1.0, 1.0}


def test_corruption() -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.full((1000, 100), 0.25)
    space = Space((1, 10, 10))
    noisy = built(space, corruption="gaussian", noise=0.3).corrupt(x, g)
    assert noisy.mean().item() == pytest.approx(0.25, abs=0.005)
    assert noisy.std().item() == pytest.approx(0.3, rel=0.01)
    for corruption, ones in (("masking", 0.0), ("salt-and-pepper", 0.2)):
        changed = built(space, corruption=corruption, corrupted=0.4).corrupt(x, g)
        shares = [(changed == value).double().mean().item() for value in (0.25, 0.0, 1.0)]
        assert shares == pytest.approx([0.6, 0.4 - ones, ones], abs=0.005)
    assert (x == 0.25).all()


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_likelihood_against_torch(likelihood: str) -> None:
    model = DenoisingAutoencoder(likelihood=likelihood, sigma=0.3)  # type: ignore[arg-type]
    x, a = torch.rand(5, 6).round(), torch.randn(5, 6)
    distribution = Bernoulli(logits=a) if likelihood == "bernoulli" else Normal(a.sigmoid(), 0.3)
    torch.testing.assert_close(model._nll(a, x), -distribution.log_prob(x).sum(1))


def test_without_walkback_every_image_makes_one_pair() -> None:
    x = torch.rand(50, 16)
    clean, corrupted = built(Space((1, 4, 4)), noise=0.01).pairs(x, torch.Generator().manual_seed(0))
    assert torch.equal(clean, x)
    torch.testing.assert_close(corrupted, x, atol=0.06, rtol=0)


def test_walkback_leads_back_from_what_the_model_makes() -> None:
    """A model that always answers 1/2 strays there at once, and is taught the way back to each image."""
    model = built(Space((1, 4, 4)), walkback=0.75, noise=0.001, sigma=0.001)
    for parameter in model.decoder_.parameters():
        parameter.data.zero_()
    x = torch.rand(4000, 16) / 4
    clean, walked = model.pairs(x, torch.Generator().manual_seed(0))
    assert len(clean) / len(x) == pytest.approx(1 / (1 - 0.75), rel=0.05)
    torch.testing.assert_close(walked[:4000], x, atol=0.01, rtol=0)
    torch.testing.assert_close(walked[4000:], torch.full_like(walked[4000:], 0.5), atol=0.01, rtol=0)
    rows = {tuple(row) for row in x.tolist()}
    assert all(tuple(row) in rows for row in clean[4000:].tolist())


def test_the_chains_stationary_distribution_by_counting_states() -> None:
    """Two binary pixels: the chain's transitions are a 4x4 matrix, its stationary distribution an eigenvector."""
    options = {"corruption": "salt-and-pepper", "corrupted": 0.6, "likelihood": "bernoulli", "sample_as": "draws"}
    model = built(Space((1, 1, 2)), **options, hidden=(8,), chains=20_000, burn_in=40, thin=1)
    for parameter in model.decoder_.parameters():
        parameter.data.mul_(4)
    states = torch.tensor(list(itertools.product((0.0, 1.0), repeat=2)))
    flip = 0.3  # corrupted half of the time to the other value
    c = np.array(
        [[np.prod([flip if a != b else 1 - flip for a, b in zip(x, y, strict=True)]) for y in states] for x in states]
    )
    p = model._mean(states).detach().double().numpy()  # (4, 2)
    back = np.array([[np.prod(np.where(y.numpy() == 1, row, 1 - row)) for y in states] for row in p])
    values, vectors = np.linalg.eig((c @ back).T)
    stationary = np.real(vectors[:, np.argmax(values.real)])
    x = drawn(model, 20_000).flatten(1)
    counted = [(x == state).all(1).double().mean().item() for state in states]
    assert np.ptp(stationary / stationary.sum()) > 0.1
    np.testing.assert_allclose(counted, stationary / stationary.sum(), atol=0.015)


def test_trained_on_one_pixel_the_chain_has_the_datas_distribution() -> None:
    """One binary pixel: P(X|X~) can be exact, and then the chain's distribution is the data's (theorem 1)."""
    split = Split((torch.arange(1000) % 10 < 7).float().view(-1, 1, 1, 1))
    options = {"corruption": "salt-and-pepper", "likelihood": "bernoulli", "sample_as": "draws", "lr": 0.01}
    model = DenoisingAutoencoder(**options, hidden=(16,), epochs=100, chains=20_000, burn_in=20, thin=1)  # type: ignore[arg-type]
    fitted(model, TrainingData(split, split, Space((1, 1, 1))))
    assert drawn(model, 20_000).mean().item() == pytest.approx(0.7, abs=0.03)


def test_it_undoes_noise() -> None:
    data = data_of((1, 8, 8))
    model = fitted(DenoisingAutoencoder(**{**SMALL, "epochs": 150}), data)
    x = data.valid.images
    noisy = x + 0.3 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    assert (model.reconstruct(noisy) - x).square().mean() < (noisy - x).square().mean() / 3
    assert model.encode(x).shape == model.features(x).shape == (20, 16)


@pytest.mark.slow
def test_the_defaults_beat_the_gaussian_on_every_seed(tmp_path: Path) -> None:
    report = genbench.run(
        models="denoising-autoencoder",
        metrics="parzen",
        reference="gaussian",
        target="valid",
        seeds=3,
        results=tmp_path,
    )
    scores = {row.model: [score.value for score in row.scores] for row in report.boards[0].rows}
    assert all(
        ours > theirs for ours, theirs in zip(scores["denoising-autoencoder"], scores["gaussian"], strict=True)
    ), scores
