"""The variational autoencoder against densities integrated and distributions taken from torch."""

import math

import pytest
import torch
from models import CPU, SHAPES, check_samples, data_of, drawn, fitted
from torch import Tensor
from torch.distributions import Bernoulli, Normal, kl_divergence

from genbench.api import Space
from genbench_plugins.models.vae import VAE, kl_from_prior

SMALL = {"hidden": (16,), "latent": 3, "epochs": 2, "batch": 25}


def integrated(model: VAE, x: Tensor, reach: float = 8) -> Tensor:
    """Return log p(x), (n,), by quadrature of the joint over a code of one dimension."""
    z = torch.linspace(-reach, reach, 4001)
    with torch.no_grad():
        joint = torch.stack([model.log_joint(x, torch.full((len(x), 1), float(each))).sum(0) for each in z])
    return joint.logsumexp(0) + math.log(2 * reach / 4000)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("decoder", ["gaussian", "bernoulli"])
@pytest.mark.parametrize("sample_as", ["means", "draws"])
def test_samples(shape: tuple[int, int, int], decoder: str, sample_as: str) -> None:
    data = data_of(shape)
    model = fitted(VAE(**SMALL, decoder=decoder, sample_as=sample_as), data)
    check_samples(model, data.space)
    assert model.samples_are == ("clipped" if (decoder, sample_as) == ("gaussian", "draws") else sample_as)
    if (decoder, sample_as) == ("bernoulli", "draws"):
        assert set(drawn(model, 5).unique().tolist()) == {0.0, 1.0}


def test_bounds_other_than_the_unit_interval() -> None:
    data = data_of((1, 8, 8), bounds=(-1.0, 1.0))
    model = fitted(VAE(**{**SMALL, "epochs": 30}), data)
    check_samples(model, data.space)
    assert drawn(model, 50).min() < 0


def test_kl_against_torch() -> None:
    mu, log_var = torch.randn(7, 4), torch.randn(7, 4)
    expected = kl_divergence(Normal(mu, (log_var / 2).exp()), Normal(torch.tensor(0.0), torch.tensor(1.0))).sum(1)
    torch.testing.assert_close(kl_from_prior(mu, log_var), expected)


@pytest.mark.parametrize("decoder", ["gaussian", "bernoulli"])
def test_log_likelihood_against_torch(decoder: str) -> None:
    model = VAE(decoder=decoder, sigma=0.3)  # type: ignore[arg-type]
    x, a = torch.rand(5, 6).round(), torch.randn(5, 6)
    distribution = Bernoulli(logits=a) if decoder == "bernoulli" else Normal(a.sigmoid(), 0.3)
    torch.testing.assert_close(model._log_likelihood(x, a), distribution.log_prob(x).sum(1))


@pytest.mark.parametrize("decoder", ["gaussian", "bernoulli"])
def test_the_bound_lies_below_the_integrated_likelihood_and_reaches_it(decoder: str) -> None:
    """One latent: p(x) by quadrature over z. The ELBO lies below it, and with many weights the bound meets it."""
    torch.manual_seed(0)
    data = data_of((1, 3, 3))
    model = fitted(VAE(decoder=decoder, sigma=0.5, hidden=(8,), latent=1, epochs=30, batch=20), data)  # type: ignore[arg-type]
    x = data.valid.images.round() if decoder == "bernoulli" else data.valid.images
    log_p = integrated(model, x)
    elbo = torch.stack([model.bound(x) for _ in range(400)]).mean(0)
    assert (elbo <= log_p + 0.05).all()
    assert (log_p - elbo).max() > 0.003
    model.importance = 4000
    torch.testing.assert_close(model.bound(x), log_p, atol=0.1, rtol=0)


@pytest.mark.parametrize("decoder", ["gaussian", "bernoulli"])
def test_weights_average_to_the_integrated_likelihood(decoder: str) -> None:
    data = data_of((1, 3, 3), bounds=(-1.0, 3.0))
    options = {"decoder": decoder, "sigma": 0.5, "hidden": (8,), "latent": 1, "epochs": 30, "batch": 20}
    model = fitted(VAE(**options), data)
    x = data.valid.images if decoder == "gaussian" else 4 * (data.valid.images > 1).float() - 1
    weights = model.log_weights(x, 4000, torch.Generator().manual_seed(0))
    assert weights.shape == (4000, 20)
    torch.testing.assert_close(weights.logsumexp(0) - math.log(4000), integrated(model, x), atol=0.1, rtol=0)
    assert torch.equal(weights[:3], model.log_weights(x, 3, torch.Generator().manual_seed(0)))


@pytest.mark.parametrize(("decoder", "of"), [("gaussian", "real"), ("bernoulli", "binary")])
def test_the_density_is_of_what_it_is_declared_to_be(decoder: str, of: str) -> None:
    """One pixel within [-1, 3]: the Gaussian's density integrates to 1 over its values, the others' sums to 1."""
    data = data_of((1, 1, 1), bounds=(-1.0, 3.0))
    model = fitted(VAE(decoder=decoder, hidden=(8,), latent=1, epochs=5, batch=20), data)  # type: ignore[arg-type]
    assert model.observations == of
    x = torch.linspace(-5, 7, 1201) if of == "real" else torch.tensor([-1.0, 3.0])
    p = integrated(model, x.view(-1, 1, 1, 1)).exp()
    assert (p.sum() * (0.01 if of == "real" else 1)).item() == pytest.approx(1, abs=0.01)


def test_the_joint_against_torch_and_its_gradients() -> None:
    data = data_of((1, 3, 3))
    model = fitted(VAE(**SMALL, sigma=0.3), data)
    z = torch.randn(20, 3, requires_grad=True)
    joint = model.log_joint(data.valid.images, z)
    torch.testing.assert_close(joint[0], Normal(0.0, 1.0).log_prob(z).sum(1))
    pixels = Normal(model.decoder_(z).sigmoid(), 0.3)
    torch.testing.assert_close(joint[1], pixels.log_prob(data.valid.images.flatten(1)).sum(1))
    (gradient,) = torch.autograd.grad(joint[0].sum(), z)
    torch.testing.assert_close(gradient, -z)


def test_training_raises_the_bound_and_the_log_holds_both_parts() -> None:
    data = data_of((1, 8, 8))
    before, after = (fitted(VAE(**{**SMALL, "epochs": epochs}), data) for epochs in (1, 60))
    assert after.bound(data.valid.images).mean() > before.bound(data.valid.images).mean() + 1


def test_codes() -> None:
    data = data_of((1, 8, 8))
    model = fitted(VAE(**{**SMALL, "epochs": 100}), data)
    x = data.valid.images
    assert model.encode(x).shape == (20, 3)
    assert model.decode(model.latents(4, torch.Generator())).shape == (4, 1, 8, 8)
    error = (model.reconstruct(x) - x).square().mean()
    assert error < (data.train.images.mean(0) - x).square().mean() / 2


def test_the_learning_rate_falls_linearly() -> None:
    model = VAE(lr=0.1, lr_end=0.1)
    model.build(Space((1, 4, 4)), CPU)
    rates = []
    for share in (0.0, 0.5, 1.0):
        model._set_lr(share)
        rates.append(model.optimiser_.param_groups[0]["lr"])
    assert rates == pytest.approx([0.1, 0.055, 0.01])
