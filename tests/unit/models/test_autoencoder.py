"""The autoencoder against principal components, and its codes' density against their moments."""

from pathlib import Path

import numpy as np
import pytest
import torch
from models import CPU, SHAPES, check_samples, data_of, drawn, fitted
from torch.nn.functional import binary_cross_entropy

import genbench
from genbench.api import Space, Split, TrainingData
from genbench_plugins.models.autoencoder import Autoencoder
from genbench_plugins.models.autoencoding import optimiser_of, reconstruction_error, set_lr

SMALL = {"hidden": (16,), "latent": 3, "epochs": 2, "batch": 25, "components": 2}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("loss", ["mse", "bce"])
def test_samples(shape: tuple[int, int, int], loss: str) -> None:
    data = data_of(shape)
    check_samples(fitted(Autoencoder(**SMALL, loss=loss), data), data.space)


def test_errors_against_torch() -> None:
    a, x = torch.randn(5, 6), torch.rand(5, 6)
    cross_entropy = binary_cross_entropy(a.sigmoid(), x, reduction="none").sum(1)
    torch.testing.assert_close(reconstruction_error(a, x, "bce"), cross_entropy)
    squared = ((1 / (1 + np.exp(-a.numpy())) - x.numpy()) ** 2).sum(1)
    np.testing.assert_allclose(reconstruction_error(a, x, "mse").numpy(), squared, rtol=1e-5)


@pytest.mark.parametrize(("name", "lr"), [("adam", 3e-3), ("rmsprop", 1e-3), ("adadelta", 1.0)])
def test_every_optimiser_learns(name: str, lr: float) -> None:
    data = data_of((1, 8, 8))
    model = fitted(Autoencoder(**{**SMALL, "epochs": 150}, optimiser=name, lr=lr), data)
    assert type(model.optimiser_).__name__.lower() == name
    x = data.valid.images
    assert (model.reconstruct(x) - x).square().mean() < (data.train.images.mean(0) - x).square().mean() / 2


def test_the_learning_rate_falls_linearly_by_epochs() -> None:
    optimiser = optimiser_of("sgd", [torch.nn.Parameter(torch.zeros(1))], 0.1)
    rates = []
    for epoch in (1, 6, 11):
        set_lr(optimiser, 0.1, 0.1, epoch, 11)
        rates.append(optimiser.param_groups[0]["lr"])
    assert rates == pytest.approx([0.1, 0.055, 0.01])
    set_lr(optimiser, 0.1, 0.1, 1, 1)
    assert optimiser.param_groups[0]["lr"] == 0.1


def test_without_hidden_layers_it_finds_the_principal_plane() -> None:
    """Near .5 a sigmoid is straight: what two linear codes cannot keep is what two principal components cannot."""
    g = torch.Generator().manual_seed(0)
    scales = torch.tensor([1.0, 0.7, 0.2, 0.1, 0.1, 0.05])
    basis = torch.linalg.qr(torch.randn(6, 6, generator=g)).Q
    x = 0.5 + 0.1 * (torch.randn(400, 6, generator=g) * scales) @ basis.T
    split = Split(x.view(-1, 1, 2, 3))
    model = fitted(
        Autoencoder(hidden=(), latent=2, epochs=1500, batch=400, lr=0.05, lr_end=0.01),
        TrainingData(split, split, Space((1, 2, 3))),
    )
    error = (model.reconstruct(split.images) - split.images).square().sum(dim=(1, 2, 3)).mean().item()
    values = np.linalg.eigvalsh(np.cov(x.numpy().T, bias=True))
    assert values[:4].sum() * 0.95 < error < values[:4].sum() * 1.1


def test_one_gaussian_has_the_codes_moments() -> None:
    data = data_of((1, 8, 8))
    model = fitted(Autoencoder(**{**SMALL, "components": 1}), data)
    codes = model.encode(data.train.images).numpy().astype(float)
    z = model.latents(400_000, torch.Generator().manual_seed(0)).numpy()
    scale = codes.std()
    np.testing.assert_allclose(z.mean(0), codes.mean(0), atol=0.01 * scale)
    np.testing.assert_allclose(np.cov(z.T), np.cov(codes.T, bias=True), atol=0.02 * scale**2)


def test_a_mixture_finds_groups_of_unequal_size() -> None:
    model = Autoencoder(latent=2, components=2)
    model.build(Space((1, 4, 4)), CPU)
    g = torch.Generator().manual_seed(0)
    codes = torch.cat([torch.randn(300, 2, generator=g) - 10, 0.1 * torch.randn(100, 2, generator=g) + 10])
    model._fit_mixture(codes, seed=0)
    z = model.latents(100_000, g)
    high = z[:, 0] > 0
    assert high.double().mean().item() == pytest.approx(0.25, abs=0.01)
    assert z[high].std().item() == pytest.approx(codes[300:].std().item(), rel=0.02)
    assert z[~high].std().item() == pytest.approx(codes[:300].std().item(), rel=0.02)


def test_more_components_than_images() -> None:
    data = data_of((1, 4, 4), n=6)
    model = fitted(Autoencoder(**{**SMALL, "components": 50}), data)
    assert len(model.means_) == 6
    check_samples(model, data.space)


def test_codes_that_are_all_the_same() -> None:
    data = data_of((1, 4, 4))
    data.train.images[:] = 0.25
    model = fitted(Autoencoder(**SMALL), data)
    assert drawn(model, 50).flatten(1).std(0).max() < 1e-3


def test_codes_that_left_the_numbers() -> None:
    model = Autoencoder(latent=2)
    model.build(Space((1, 4, 4)), CPU)
    with pytest.raises(genbench.Diverged, match="codes of the training images are not finite"):
        model._fit_mixture(torch.tensor([[0.0, 1.0], [float("nan"), 0.0]]), seed=0)


@pytest.mark.slow
def test_the_defaults_beat_the_gaussian_on_every_seed(tmp_path: Path) -> None:
    report = genbench.run(
        models="autoencoder", metrics="parzen", reference="gaussian", target="valid", seeds=3, results=tmp_path
    )
    scores = {row.model: [score.value for score in row.scores] for row in report.boards[0].rows}
    assert all(ours > theirs for ours, theirs in zip(scores["autoencoder"], scores["gaussian"], strict=True)), scores
