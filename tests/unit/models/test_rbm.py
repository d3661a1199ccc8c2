"""The restricted Boltzmann machine against its joint distribution enumerated, and against integrals."""

import math

import pytest
import torch
from models import CPU, binary_states, check_first_samples, data_of, drawn, fitted
from torch import Tensor

from genbench.api import Space
from genbench_plugins.models.boltzmann import Layer
from genbench_plugins.models.noise import bernoulli
from genbench_plugins.models.rbm import RBM

D, H = 5, 3


def layer_of(units: str = "bernoulli", particles: int = 0, visible: int = D) -> Layer:
    """Return a machine whose units depend strongly on each other; binary ones are on about half the time."""
    layer = Layer(visible, H, units, particles)  # type: ignore[arg-type]
    g = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in (layer.W, layer.b, layer.c):
            p.copy_(torch.randn(p.shape, generator=g))
        if units == "bernoulli":
            layer.W *= 3
            layer.b -= layer.W.sum(0) / 2
            layer.c -= layer.W.sum(1) / 2
    return layer


def energies(layer: Layer, v: Tensor) -> Tensor:
    """Return E(v, h) of every row of v and every hidden state, (n, 2^H), term by term."""
    h = binary_states(H)
    interaction = torch.einsum("nd,jd,mj->nm", v, layer.W, h)
    alone = -(v * layer.b).sum(1) if layer.units == "bernoulli" else ((v - layer.b) ** 2).sum(1) / 2
    return alone[:, None] - (h * layer.c).sum(1) - interaction


def joint(layer: Layer) -> Tensor:
    """Return p(v, h) of a machine of binary units, (2^D, 2^H)."""
    e = energies(layer, binary_states(D))
    return (-e.flatten()).softmax(0).view_as(e)


def gradient_of_likelihood(layer: Layer, v0: Tensor) -> list[Tensor]:
    """Return the gradients of the mean -log p(v0), whose normaliser is a sum over all states, by autograd."""
    log_z = (-energies(layer, binary_states(D))).flatten().logsumexp(0)
    log_p = (-energies(layer, v0)).logsumexp(1) - log_z
    return list(torch.autograd.grad(-log_p.mean(), list(layer.parameters())))


def gradients(layer: Layer) -> list[Tensor]:
    return [p.grad for p in layer.parameters() if p.grad is not None]


@pytest.fixture
def g() -> torch.Generator:
    return torch.Generator().manual_seed(0)


# Energy --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("units", ["bernoulli", "gaussian"])
def test_the_free_energy_and_its_gradients_sum_the_hidden_states_out(units: str) -> None:
    layer = layer_of(units)
    v = binary_states(D) if units == "bernoulli" else torch.randn(20, D)
    expected = -(-energies(layer, v)).logsumexp(1)
    torch.testing.assert_close(layer.free_energy(v), expected)
    parameters = list(layer.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(layer.free_energy(v).mean(), parameters), torch.autograd.grad(expected.mean(), parameters)
    )


def test_conditionals_are_those_of_the_joint() -> None:
    layer, p = layer_of(), joint(layer_of())
    torch.testing.assert_close(layer.up(binary_states(D)), p @ binary_states(H) / p.sum(1, keepdim=True))
    torch.testing.assert_close(layer.down(binary_states(H)), p.T @ binary_states(D) / p.sum(0)[:, None])


def test_the_gaussian_machine_is_a_mixture_by_quadrature() -> None:
    """Over a plane of v, exp(-F) integrates to Z; its mean given h is `down`, and p(h) that of the mixture's weights."""
    layer = layer_of("gaussian", visible=2)
    line = torch.linspace(-12, 12, 601)
    v = torch.cartesian_prod(line, line)
    cell = (line[1] - line[0]) ** 2
    weights = (-energies(layer, v)).double().exp() * cell  # (N, 2^H)
    log_z = (-layer.free_energy(v).double()).logsumexp(0) + cell.log()
    means = layer.b + binary_states(H) @ layer.W
    closed = (binary_states(H) @ layer.c + (means.square() - layer.b.square()).sum(1) / 2).double() + math.log(
        2 * math.pi
    )
    torch.testing.assert_close(weights.sum(0).log(), closed, atol=1e-5, rtol=0)
    torch.testing.assert_close(log_z, closed.logsumexp(0), atol=1e-5, rtol=0)
    centres = (weights / weights.sum(0)).T @ v.double()
    torch.testing.assert_close(layer.down(binary_states(H)).double(), centres, atol=1e-5, rtol=0)


def test_energies_of_images_differ_as_log_densities_of_pixels_do() -> None:
    """A Gaussian machine without weights has the density N(b sigma, sigma²) of pixels scaled to [0, 1]."""
    model = RBM(visible="gaussian", sigma=0.3, hidden=4)
    model.build(Space((1, 2, 3), None, (-1.0, 1.0)), CPU)
    with torch.no_grad():
        model.layer_.W.zero_()
        model.layer_.b.copy_(torch.linspace(0, 2, 6))
    x = torch.rand(5, 1, 2, 3) * 2 - 1
    pixels = torch.distributions.Normal(0.3 * torch.linspace(0, 2, 6), 0.3)
    log_p = pixels.log_prob((x.flatten(1) + 1) / 2).sum(1)
    torch.testing.assert_close(model.energy(x) - model.energy(x)[0], log_p[0] - log_p)


@pytest.mark.parametrize("visible", ["bernoulli", "gaussian"])
def test_energy_and_partition_make_a_density(visible: str) -> None:
    """Summed over all binary images, or integrated over a plane of pixels, it is 1: within AIS's three errors."""
    pixels = 5 if visible == "bernoulli" else 2
    model = RBM(visible=visible, sigma=0.3, hidden=H)  # type: ignore[arg-type]
    model.build(Space((1, 1, pixels), None, (-1.0, 1.0)), CPU)
    model.layer_.load_state_dict(layer_of(visible, len(model.layer_.particles), pixels).state_dict())
    line = torch.tensor([-1.0, 1.0]) if visible == "bernoulli" else torch.linspace(-8, 8, 401)
    x = torch.cartesian_prod(*[line] * pixels)
    cell = 1.0 if visible == "bernoulli" else float(line[1] - line[0]) ** 2
    log_z = (-model.energy(x[:, None, None]).double()).logsumexp(0) + math.log(cell)
    weights = (model.log_partition(2000, 100, torch.Generator().manual_seed(0)) - log_z).exp()
    assert weights.mean().item() == pytest.approx(1, abs=3 * weights.std().item() / 2000**0.5)
    assert weights.std() < 0.5
    assert model.observations == ("binary" if visible == "bernoulli" else "real")


# Training ------------------------------------------------------------------------------------------------------------


def test_pcd_at_equilibrium_is_the_gradient_of_the_likelihood(g: torch.Generator) -> None:
    layer = layer_of(particles=100_000)
    p = joint(layer)
    rows = torch.multinomial(p.sum(0), 100_000, replacement=True, generator=g)
    layer.particles.copy_(binary_states(H)[rows])
    v0 = binary_states(D)[[3, 7, 7, 20]]
    expected = gradient_of_likelihood(layer, v0)
    layer.contrast(v0, 1, g)
    for found, exact in zip(gradients(layer), expected, strict=True):
        torch.testing.assert_close(found, exact, atol=0.01, rtol=0)
    assert max(exact.abs().max() for exact in expected) > 0.3


def test_pcd_gets_to_the_equilibrium_by_itself(g: torch.Generator) -> None:
    layer = layer_of(particles=50_000)
    v0 = binary_states(D)[[3, 7, 7, 20]]
    for _ in range(60):
        layer.contrast(v0, 1, g)
    for found, exact in zip(gradients(layer), gradient_of_likelihood(layer, v0), strict=True):
        torch.testing.assert_close(found, exact, atol=0.015, rtol=0)


@pytest.mark.parametrize(("k", "bias"), [(1, (0.03, 1.0)), (100, (0.0, 0.015))])
def test_cd_is_biased_by_few_steps_and_exact_with_many(k: int, bias: tuple[float, float], g: torch.Generator) -> None:
    layer = layer_of()
    v0 = binary_states(D)[[3, 7, 7, 20]].repeat(25_000, 1)
    layer.contrast(v0, k, g)
    gaps = [
        (found - exact).abs().max().item()
        for found, exact in zip(gradients(layer), gradient_of_likelihood(layer, v0[:4]), strict=True)
    ]
    assert bias[0] <= max(gaps) <= bias[1]


def test_cd_1_by_enumeration(g: torch.Generator) -> None:
    """The expected visible units after one step from v0, summed over h and v by hand, give CD-1's gradient of b."""
    layer = layer_of()
    v0 = binary_states(D)[[6]]
    p = joint(layer)
    h_given_v0 = p[6] / p[6].sum()
    v_given_h = (p / p.sum(0)).T  # (2^H, 2^D)
    expected = h_given_v0 @ v_given_h @ binary_states(D) - v0[0]
    scalars = layer.contrast(v0.repeat(100_000, 1), 1, g)
    torch.testing.assert_close(gradients(layer)[1], expected, atol=0.01, rtol=0)
    error = ((v_given_h @ binary_states(D) - v0).square().sum(1) * h_given_v0).sum()
    torch.testing.assert_close(scalars["error"], error, atol=0.01, rtol=0)


def test_pcd_goes_on_where_it_was_and_cd_does_not(g: torch.Generator) -> None:
    layer = layer_of(particles=7)
    before = layer.particles.clone()
    layer.contrast(binary_states(D), 1, g)
    assert not torch.equal(layer.particles, before)
    assert set(layer.particles.unique().tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize("algorithm", ["cd", "pcd"])
@pytest.mark.parametrize("inputs", ["means", "draws"])
def test_training_raises_the_exact_likelihood(algorithm: str, inputs: str) -> None:
    """Binary images of six pixels, so that the likelihood can be summed exactly."""
    data = data_of((1, 2, 3), n=200)
    x = data.train.images.round().flatten(1)
    data.train.images.copy_(data.train.images.round())
    log_p = []
    for epochs in (1, 100):
        model = fitted(RBM(hidden=4, epochs=epochs, algorithm=algorithm, inputs=inputs, batch=20, lr=0.4), data)  # type: ignore[arg-type]
        log_z = (-model.layer_.free_energy(binary_states(6))).logsumexp(0)
        log_p.append((-model.layer_.free_energy(x) - log_z).mean().item())
    assert log_p[1] > log_p[0] + 0.3
    counts = torch.unique(x, dim=0, return_counts=True)[1] / len(x)
    best = (counts * counts.log()).sum().item()  # no model can have more
    assert best - 0.4 < log_p[1] <= best


@pytest.mark.parametrize("units", ["bernoulli", "gaussian"])
def test_it_starts_with_the_means_of_the_data(units: str) -> None:
    layer = Layer(D, H, units, 0)  # type: ignore[arg-type]
    v = torch.rand(50, D)
    v[:, 0] = 0
    with torch.no_grad():
        layer.W.zero_()
    layer.start_at_marginals(v)
    torch.testing.assert_close(layer.down(torch.ones(1, H))[0], v.mean(0), atol=1e-6, rtol=1e-5)


def test_the_learning_rate_falls_linearly_by_epochs() -> None:
    data = data_of((1, 2, 3), n=40)
    model = fitted(RBM(hidden=4, epochs=5, lr=0.1, lr_end=0.2, batch=20), data)
    assert [group["lr"] for group in model.optimiser_.param_groups] == pytest.approx([0.02, 0.02])


def test_weights_decay_and_biases_do_not() -> None:
    model = RBM(hidden=4, weight_decay=0.5)
    model.build(Space((1, 2, 3)), CPU)
    decays = {id(p): group["weight_decay"] for group in model.optimiser_.param_groups for p in group["params"]}
    assert [decays[id(p)] for p in model.layer_.parameters()] == [0.5, 0.0, 0.0]


# Samples -------------------------------------------------------------------------------------------------------------


def frequencies(v: Tensor) -> Tensor:
    """Return how often each binary state occurs, (2^D,)."""
    numbers = (v * 2 ** torch.arange(D - 1, -1, -1)).sum(1).long()
    return torch.bincount(numbers, minlength=2**D) / len(v)


def tiny(**options: object) -> RBM:
    """Return a model of five pixels whose machine is that of `layer_of`."""
    model = RBM(hidden=H, **options)  # type: ignore[arg-type]
    model.build(Space((1, 1, D)), CPU)
    model.layer_.load_state_dict(layer_of(particles=len(model.layer_.particles)).state_dict())
    return model


def test_samples_are_distributed_as_the_enumerated_machine() -> None:
    model = tiny(algorithm="cd", chains=1000, burn_in=100, thin=5, sample_as="draws")
    expected = joint(model.layer_).sum(1)
    found = frequencies(drawn(model, 100_000).flatten(1))
    torch.testing.assert_close(found, expected, atol=0.006, rtol=0)
    assert expected.max() > 0.1


def test_a_chain_that_thins_by_many_steps_has_independent_samples() -> None:
    """Sample i belongs to chain i % chains: neighbours in a chain are alike with thin 1, and not with thin 50."""
    chains, kept = 500, 20

    def correlation(thin: int) -> float:
        x = drawn(tiny(algorithm="cd", chains=chains, burn_in=100, thin=thin), chains * kept).view(kept, chains, D)
        a, b = x[:-1].flatten(0, 1) - x.mean((0, 1)), x[1:].flatten(0, 1) - x.mean((0, 1))
        return float((a * b).sum() / a.square().sum())

    assert correlation(1) > 0.1
    assert abs(correlation(50)) < 0.05


@pytest.mark.parametrize("sample_as", ["means", "draws"])
def test_the_first_samples_do_not_depend_on_how_many_are_drawn(sample_as: str) -> None:
    check_first_samples(tiny(chains=10, burn_in=3, thin=2, sample_as=sample_as))


@pytest.mark.parametrize(
    ("visible", "sample_as", "declared"),
    [
        ("bernoulli", "means", "means"),
        ("bernoulli", "draws", "draws"),
        ("gaussian", "means", "means"),
        ("gaussian", "draws", "clipped"),
    ],
)
def test_samples_are_what_they_are_declared_to_be(visible: str, sample_as: str, declared: str) -> None:
    data = data_of((2, 3, 4), bounds=(-1.0, 3.0))
    model = fitted(RBM(hidden=8, epochs=3, visible=visible, sample_as=sample_as, lr=0.001), data)  # type: ignore[arg-type]
    assert model.samples_are == declared
    x = drawn(model, 200)
    if declared == "draws":
        assert set(x.unique().tolist()) == {-1.0, 3.0}
    else:
        assert -0.5 < x.mean() < 2.5
        assert x.unique().numel() > 100


def test_bernoulli_draws_are_certain_at_0_and_1(g: torch.Generator) -> None:
    p = torch.tensor([0.0, 1.0, 0.3]).repeat(100_000, 1)
    x = bernoulli(p, g)
    assert x[:, 0].sum() == 0
    assert x[:, 1].sum() == 100_000
    assert x[:, 2].mean() == pytest.approx(0.3, abs=0.01)


def test_codes_are_hidden_probabilities() -> None:
    model = tiny()
    x = torch.rand(4, 1, 1, D)
    torch.testing.assert_close(model.encode(x), model.layer_.up(x.flatten(1)))
    torch.testing.assert_close(model.features(x), model.encode(x))
    torch.testing.assert_close(model.reconstruct(x).flatten(1), model.layer_.down(model.encode(x)))
