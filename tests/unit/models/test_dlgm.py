"""The deep latent Gaussian model against the linear one, whose evidence and best bound are known in closed form."""

import math

import pytest
import torch
from models import CPU, SHAPES, check_samples, data_of, fitted
from torch import Tensor
from torch.distributions import MultivariateNormal, kl_divergence

from genbench.api import Space
from genbench_plugins.models.dlgm import DLGM, Cascade

SMALL = {"hidden": (16,), "latent": 3, "layers": (4, 5), "between": (6,), "epochs": 2, "batch": 25}
SIGMA = 0.02


def test_the_cascade_is_that_of_the_paper() -> None:
    net = Cascade((2, 3, 4), (5,), (6,), 7, "tanh")
    for G in net.G:
        G.data = torch.randn(G.shape)
    xi = torch.randn(10, 9)
    h = xi[:, :2] @ net.G[0].T
    h = net.T[0](h) + xi[:, 2:5] @ net.G[1].T
    h = net.T[1](h) + xi[:, 5:] @ net.G[2].T
    torch.testing.assert_close(net(xi), net.pixels(h))


# The linear model ----------------------------------------------------------------------------------------------------


def linear(spread: float = 1.0, shift: float = 0.0) -> tuple[DLGM, MultivariateNormal, Tensor]:
    """Return a model of linear maps, the density of its four pixels, and the precision of ξ given them, (4, 4).

    Pre-activations are so small that the sigmoid is 1/2 + a/4. Its q has the posterior's mean, plus a shift, and the
    best variances of a diagonal one, 1 over the precision's diagonal, times a spread.
    """
    model = DLGM(latent=2, layers=(2,), between=(), hidden=(), sigma=SIGMA)
    model.build(Space((1, 2, 2)), CPU)
    torch.manual_seed(1)
    with torch.no_grad():
        for p in model.decoder_.parameters():
            p.copy_(0.4 * torch.randn(p.shape))
        a = model.decoder_(torch.cat([torch.zeros(1, 4), torch.eye(4)]))
        scale = 0.1 / (a[1:] - a[0]).abs().max()
        for p in model.decoder_.pixels.parameters():
            p.mul_(scale)
        a = model.decoder_(torch.cat([torch.zeros(1, 4), torch.eye(4)])) / 4
        mean, B = 0.5 + a[0], (a[1:] - a[0]).T  # x = mean + B ξ + noise
        precision = torch.eye(4) + B.T @ B / SIGMA**2
        to_mean = torch.linalg.inv(precision) @ B.T / SIGMA**2
        (q,) = model.encoder_
        q.weight.copy_(torch.cat([to_mean, torch.zeros(4, 4)]))
        q.bias.copy_(torch.cat([shift - to_mean @ mean, (spread / precision.diagonal()).log()]))
    return model, MultivariateNormal(mean, B @ B.T + SIGMA**2 * torch.eye(4)), precision


def bounds(model: DLGM, x: Tensor, k: int, repeats: int) -> Tensor:
    """Return the mean of the bound by k weights over draws, (n,)."""
    w = model.log_weights(x, k * repeats, torch.Generator().manual_seed(0)).view(repeats, k, len(x))
    return (w.logsumexp(1) - math.log(k)).mean(0)


@pytest.fixture
def x() -> Tensor:
    torch.manual_seed(0)
    return linear()[1].sample((5,)).view(5, 1, 2, 2)


def test_the_bound_is_the_evidence_less_the_divergence_of_q(x: Tensor) -> None:
    model, evidence, precision = linear()
    posterior = MultivariateNormal(torch.zeros(4), precision_matrix=precision)
    gap = kl_divergence(MultivariateNormal(torch.zeros(4), (1 / precision.diagonal()).diag()), posterior)
    assert gap > 0.2
    torch.testing.assert_close(bounds(model, x, 1, 1000), evidence.log_prob(x.flatten(1)) - gap, atol=0.1, rtol=0)


@pytest.mark.parametrize("worse", [{"spread": 1.6}, {"spread": 0.6}, {"shift": 0.3}])
def test_no_other_diagonal_q_has_a_better_bound(worse: dict[str, float], x: Tensor) -> None:
    assert (bounds(linear(**worse)[0], x, 1, 1000) < bounds(linear()[0], x, 1, 1000)).all()


@pytest.mark.slow
def test_the_bound_rises_with_the_weights_to_the_evidence(x: Tensor) -> None:
    model, evidence, _ = linear()
    rising = [bounds(model, x, k, 4000 // k).mean() for k in (1, 4, 4000)]
    assert rising == sorted(rising)
    assert rising[1] > rising[0] + 0.1
    torch.testing.assert_close(bounds(model, x, 4000, 1), evidence.log_prob(x.flatten(1)), atol=0.1, rtol=0)


# Training, codes, samples --------------------------------------------------------------------------------------------


def test_training_raises_the_bound() -> None:
    data = data_of((1, 8, 8))
    before, after = (fitted(DLGM(**{**SMALL, "epochs": epochs}), data) for epochs in (1, 60))
    assert after.bound(data.valid.images).mean() > before.bound(data.valid.images).mean() + 1


def test_codes_are_the_noise_of_all_layers() -> None:
    data = data_of((1, 8, 8))
    model = fitted(DLGM(**{**SMALL, "epochs": 60}), data)
    x, z = data.valid.images, model.latents(4, torch.Generator())
    assert z.shape == (4, 12)
    assert model.encode(x).shape == (20, 12)
    assert model.decode(z).shape == (4, 1, 8, 8)
    for layer in (slice(0, 3), slice(3, 7), slice(7, 12)):  # the noise of each has a part in the image
        other = z.clone()
        other[:, layer] += 1
        assert not torch.equal(model.decode(other), model.decode(z))
    assert (model.reconstruct(x) - x).square().mean() < (data.train.images.mean(0) - x).square().mean() / 2


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("decoder", ["gaussian", "bernoulli"])
def test_samples(shape: tuple[int, int, int], decoder: str) -> None:
    data = data_of(shape, bounds=(-1.0, 1.0))
    model = fitted(DLGM(**SMALL, decoder=decoder), data)
    check_samples(model, data.space)
    assert model.observations == ("real" if decoder == "gaussian" else "binary")
