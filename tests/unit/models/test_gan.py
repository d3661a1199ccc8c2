"""Adversarial nets: the paper's recipe to the letter, and the game's arithmetic."""

import copy
import math

import pytest
import torch
from models import CPU, SHAPES, check_samples, data_of, drawn, fitted
from torch.nn.functional import binary_cross_entropy_with_logits

from genbench.api import Space
from genbench.registry.options import construct
from genbench_plugins.models.adversarial_game import discriminator_loss, generator_loss
from genbench_plugins.models.classical_momentum import Momentum
from genbench_plugins.models.gan import GAN
from genbench_plugins.networks import linears

SMALL = {"g_hidden": (16,), "d_hidden": (8,), "latent": 3, "epochs": 2, "batch": 25}
MNIST = Space((1, 28, 28))


def paper(**options: object) -> GAN:
    return construct(GAN, {**GAN.presets["paper"], **options})  # type: ignore[no-any-return]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("options", [{}, {"average": 0.0}, {"updates": "alternating", "k": 2}])
def test_samples(shape: tuple[int, int, int], options: dict[str, object]) -> None:
    data = data_of(shape)
    check_samples(fitted(GAN(**{**SMALL, **options}), data), data.space)


def test_bounds_other_than_the_unit_interval() -> None:
    data = data_of((1, 8, 8), bounds=(-1.0, 1.0))
    model = fitted(GAN(**SMALL), data)
    check_samples(model, data.space)
    assert drawn(model, 50).min() < 0


@pytest.mark.parametrize(
    "options",
    [
        {"noise": "uniform"}, {"noise": "unit-uniform"}, {"loss": "minimax"}, {"optimiser": "momentum", "lr": 0.01},
        {"g_dropout": 0.5}, {"g_noise": 0.3}, {"dropout": 0.5, "dropout_in": 0.2}, {"marginals": False},
        {"g_activations": ("relu", "sigmoid"), "g_hidden": (8, 8)}, {"pieces": 1}, {"g_irange": 0.05, "d_irange": 0.005},
    ],
    ids=str,
)  # fmt: skip
def test_every_option_trains(options: dict[str, object]) -> None:
    data = data_of((1, 8, 8))
    check_samples(fitted(GAN(**{**SMALL, **options}), data), data.space)


def test_features_are_what_the_logit_of_d_is_a_linear_map_of() -> None:
    data = data_of((1, 8, 8))
    model = fitted(GAN(**{**SMALL, "d_hidden": (8, 6), "dropout": 0.5}), data)
    units, last = model.features(data.valid.images), linears(model.D_)[-1]
    assert units.shape == (20, 6)
    assert not units.requires_grad
    torch.testing.assert_close(
        (units @ last.weight.T + last.bias)[:, 0].sigmoid(), model.discriminate(data.valid.images)
    )


# The paper's recipe


def test_the_papers_networks_have_the_papers_sizes() -> None:
    model = paper()
    model.build(MNIST, CPU)
    assert sum(p.numel() for p in model.G_.parameters()) == 2_503_984
    assert sum(p.numel() for p in model.D_.parameters()) == 1_231_441
    assert model.averaged_ is None


def test_the_papers_initial_weights() -> None:
    model = paper()
    model.build(MNIST, CPU)
    for network, irange in ((model.G_, 0.05), (model.D_, 0.005)):
        for layer in linears(network):
            assert irange * 0.98 < layer.weight.abs().max() <= irange
            assert layer.weight.std().item() == pytest.approx(irange / math.sqrt(3), rel=0.05)
            assert not layer.bias.any()


def test_the_output_bias_is_the_logit_of_the_marginals() -> None:
    data = data_of((1, 8, 8))
    data.train.images[:, 0, 0, 0] = 0
    model = fitted(paper(g_hidden=(4,), d_hidden=(4,), epochs=1, lr=1e-30, lr_floor=0.0), data)
    p = data.train.images.flatten(1).mean(0).clamp(1e-7, 1 - 1e-7)
    torch.testing.assert_close(linears(model.G_)[-1].bias.detach(), p.logit(), rtol=1e-4, atol=1e-4)
    assert linears(model.G_)[-1].bias[0].item() == pytest.approx(-16.1, abs=0.05)


@pytest.mark.parametrize(("epoch", "momentum"), [(1, 0.5), (125, 0.5 + 0.2 * 124 / 249), (250, 0.7), (1000, 0.7)])
def test_the_papers_momentum(epoch: int, momentum: float) -> None:
    assert paper().momentum_at(epoch) == pytest.approx(momentum)


@pytest.mark.parametrize(
    ("epochs", "lr"),
    [(0, 0.1), (50, 0.0905), (100, 0.0819), (250, 0.0607), (500, 0.0368), (1000, 0.0135), (9000, 1e-6)],
)
def test_the_papers_learning_rate(epochs: int, lr: float) -> None:
    assert paper().lr_at(epochs * 500 + 1) == pytest.approx(lr, abs=5e-5 if lr > 1e-4 else 1e-12)


def test_the_papers_noise_is_uniform_of_unit_variance() -> None:
    z = paper().latents(20_000, torch.Generator().manual_seed(0))
    assert z.shape == (20_000, 100)
    assert z.abs().max() <= math.sqrt(3)
    assert z.var().item() == pytest.approx(1, abs=0.005)
    assert z.mean().item() == pytest.approx(0, abs=0.005)


@pytest.mark.parametrize(("noise", "variance"), [("uniform", 1 / 3), ("gaussian", 1.0)])
def test_other_noise(noise: str, variance: float) -> None:
    z = GAN(noise=noise).latents(100_000, torch.Generator().manual_seed(0))  # type: ignore[arg-type]
    assert z.var().item() == pytest.approx(variance, abs=0.01)


# The game


def test_losses_against_cross_entropy() -> None:
    real, fake = torch.randn(50) * 5, torch.randn(50) * 5
    ones, zeros = torch.ones(50), torch.zeros(50)
    expected = (binary_cross_entropy_with_logits(real, ones) + binary_cross_entropy_with_logits(fake, zeros)) / 2
    torch.testing.assert_close(discriminator_loss(real, fake), expected)
    torch.testing.assert_close(generator_loss(fake, "non-saturating"), binary_cross_entropy_with_logits(fake, ones))
    torch.testing.assert_close(generator_loss(fake, "minimax"), -binary_cross_entropy_with_logits(fake, zeros))
    for loss in ("non-saturating", "minimax"):
        assert generator_loss(torch.tensor([-1000.0, 1000.0]), loss).isfinite()  # type: ignore[arg-type]


def test_a_discriminator_that_knows_nothing_loses_log_two() -> None:
    assert discriminator_loss(torch.zeros(3), torch.zeros(3)).item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("loss", ["non-saturating", "minimax"])
def test_a_simultaneous_step_is_two_optimisers_at_the_same_parameters(loss: str) -> None:
    """Both gradients are taken at the old parameters, with the same G(z) and the same masks in D."""
    torch.manual_seed(0)
    model = paper(g_hidden=(8, 8), d_hidden=(6, 6), latent=4, loss=loss)
    model.build(Space((1, 4, 4)), CPU)
    model.G_.train()
    model.D_.train()
    x, z = torch.rand(10, 1, 4, 4), model.latents(10, torch.Generator().manual_seed(1))
    G, D = copy.deepcopy(model.G_), copy.deepcopy(model.D_)
    optimise_G = torch.optim.SGD(G.parameters(), lr=0.1, momentum=0.5)
    optimise_D = torch.optim.SGD(D.parameters(), lr=0.1, momentum=0.5)
    torch.manual_seed(3)
    logits = D(torch.cat([x, G(z)]))
    ones, zeros = torch.ones(10), torch.zeros(10)
    d = (binary_cross_entropy_with_logits(logits[:10], ones) + binary_cross_entropy_with_logits(logits[10:], zeros)) / 2
    g = binary_cross_entropy_with_logits(logits[10:], ones)
    if loss == "minimax":
        g = -binary_cross_entropy_with_logits(logits[10:], zeros)
    d_gradients = torch.autograd.grad(d, list(D.parameters()), retain_graph=True)
    g_gradients = torch.autograd.grad(g, list(G.parameters()))
    for network, gradients in ((D, d_gradients), (G, g_gradients)):
        for p, gradient in zip(network.parameters(), gradients, strict=True):
            p.grad = gradient
    optimise_D.step()
    optimise_G.step()
    torch.manual_seed(3)
    model._game().update_both(x, (), z)
    for ours, theirs in ((model.G_, G), (model.D_, D)):
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


def test_an_alternating_step_updates_g_through_the_new_d() -> None:
    def after(updates: str) -> GAN:
        data = data_of((1, 8, 8))
        return fitted(GAN(**{**SMALL, "updates": updates, "epochs": 1, "lr": 0.05}), data)

    first, second = after("simultaneous"), after("alternating")
    assert not torch.equal(linears(first.G_)[0].weight, linears(second.G_)[0].weight)


@pytest.mark.parametrize("updates", ["simultaneous", "alternating"])
@pytest.mark.parametrize("k", [1, 3])
def test_k_updates_of_d_for_each_of_g(updates: str, k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = GAN(**{**SMALL, "updates": updates, "k": k})
    counts = {"D": 0, "G": 0}
    step = torch.optim.Adam.step

    def counting(self: torch.optim.Adam, closure: None = None) -> None:
        counts["D" if self is model.optimise_D_ else "G"] += 1
        step(self, closure)

    monkeypatch.setattr(torch.optim.Adam, "step", counting)
    fitted(model, data_of((1, 8, 8), n=75))
    assert counts == {"D": 6 * k, "G": 6}


def test_classical_momentum_against_its_definition() -> None:
    p = torch.nn.Parameter(torch.tensor([1.0]))
    optimiser = Momentum([p], lr=0.1, momentum=0.5)
    v, theta = 0.0, 1.0
    for step in range(1, 6):
        for group in optimiser.param_groups:
            group["lr"] = 0.1 / step
        p.grad = 2 * p.detach()
        optimiser.step()
        v = 0.5 * v - 0.1 / step * 2 * theta
        theta += v
        assert p.item() == pytest.approx(theta, rel=1e-6)


def test_discriminate_is_a_probability_without_dropout() -> None:
    data = data_of((1, 8, 8))
    model = fitted(GAN(**{**SMALL, "dropout": 0.5, "epochs": 60, "d_lr_ratio": 5.0}), data)
    real, noise = model.discriminate(data.train.images), model.discriminate(torch.rand(60, 1, 8, 8))
    assert torch.equal(real, model.discriminate(data.train.images))
    assert real.min() >= 0
    assert real.max() <= 1
    assert real.mean() > noise.mean()
