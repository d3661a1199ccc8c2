"""The Gaussian energy against torch's Gaussian, and what it learns against the inverse covariance."""

import math

import pytest
import torch
from models import CPU, check_samples, data_of, drawn, fitted
from torch.distributions import MultivariateNormal, kl_divergence

from genbench.api import Space
from genbench_plugins.models.gaussian_energy import GaussianEnergy, Quadratic


def quadratic(values: int = 4) -> Quadratic:
    """Return an energy far from the identity's."""
    energy = Quadratic(values)
    g = torch.Generator().manual_seed(1)
    for p in energy.parameters():
        p.data = torch.randn(p.shape, generator=g) / 2
    return energy


def gaussian(energy: Quadratic) -> MultivariateNormal:
    root = energy.root().detach()
    return MultivariateNormal(energy.mean.detach(), precision_matrix=root @ root.T)


def test_energy_normaliser_and_score_against_torch() -> None:
    energy, x = quadratic(), torch.randn(6, 4, requires_grad=True)
    log_p = gaussian(energy).log_prob(x)
    torch.testing.assert_close(-energy(x) - energy.log_normaliser(), log_p)
    torch.testing.assert_close(energy.score(x), torch.autograd.grad(log_p.sum(), x)[0])


def test_the_implicit_objective_has_the_divergence_of_the_score() -> None:
    model = GaussianEnergy(noise=0.0)
    model.build(Space((1, 1, 4)), CPU)
    model.energy_ = quadratic()
    x = torch.randn(5, 4)
    jacobian = torch.autograd.functional.jacobian(model.energy_.score, x)  # (5, 4, 5, 4)
    divergence = torch.einsum("ndnd->n", jacobian)
    expected = (model.energy_.score(x).square().sum(1) / 2 + divergence).mean()
    torch.testing.assert_close(model.loss(x, torch.Generator()), expected)


@pytest.mark.parametrize("objective", ["implicit", "denoising"])
@pytest.mark.parametrize("noise", [0.1, 0.3])
def test_the_precision_learned_is_the_inverse_covariance(objective: str, noise: float) -> None:
    """Of the training images with noise: entry by entry, and by the divergence of their Gaussian from the model."""
    data = data_of((1, 2, 2), n=200)
    model = fitted(GaussianEnergy(objective=objective, noise=noise, epochs=200, batch=200, lr=0.1), data)  # type: ignore[arg-type]
    x = data.train.images.flatten(1)
    covariance = x.T.cov(correction=0) + noise**2 * torch.eye(4)
    precision = torch.linalg.inv(covariance)
    learned = gaussian(model.energy_)
    torch.testing.assert_close(learned.precision_matrix, precision, atol=0.05 * precision.max().item(), rtol=0)
    assert kl_divergence(MultivariateNormal(x.mean(0), covariance), learned) < 0.02
    assert (precision - precision.diag().diag()).abs().max() > 0.2 * precision.max()


def test_the_density_is_of_pixel_values_and_samples_come_from_it() -> None:
    model = GaussianEnergy()
    model.build(Space((1, 2, 2), None, (-50.0, 70.0)), CPU)
    model.energy_ = quadratic()
    model.energy_.mean.data.fill_(0.4)
    model.energy_.log_diagonal.data.fill_(math.log(20))
    low = gaussian(model.energy_)
    x = torch.linspace(-20, 20, 12).view(3, 1, 2, 2)
    expected = low.log_prob((x.flatten(1) + 50) / 120) - 4 * math.log(120)
    torch.testing.assert_close(model.log_prob(x), expected)
    torch.testing.assert_close(model.energy(x) - model.energy(x)[0], expected[0] - expected, atol=1e-4, rtol=1e-5)
    drawings = drawn(model, 50_000).flatten(1)
    covariance = 120**2 * low.covariance_matrix
    torch.testing.assert_close(drawings.T.cov(), covariance, atol=0.03 * covariance.max().item(), rtol=0)


@pytest.mark.parametrize("shape", [(1, 8, 8), (2, 5, 7)])
def test_samples(shape: tuple[int, int, int]) -> None:
    data = data_of(shape)
    check_samples(fitted(GaussianEnergy(epochs=2), data), data.space)


def test_denoising_without_noise_is_refused() -> None:
    with pytest.raises(ValueError, match="noise is 0: expected more for the denoising objective"):
        GaussianEnergy(objective="denoising", noise=0.0)
