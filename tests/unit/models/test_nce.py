"""Noise-contrastive estimation against known normalisers, of a Gaussian and of a mixture, and against densities."""

import math

import pytest
import torch
from models import CPU, check_samples, data_of, drawn, fitted
from torch import Tensor, nn
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal, Normal

from genbench.api import Space, Split, TrainingData
from genbench_plugins.models.langevin import adjusted_langevin_step
from genbench_plugins.models.nce import NCE, Tilted

SMALL = {"hidden": (16,), "epochs": 2, "batch": 25, "chains": 5, "burn_in": 3, "thin": 1}
MIXTURE = MixtureSameFamily(Categorical(torch.tensor([0.3, 0.7])), Normal(torch.tensor([-1.0, 0.8]), 0.4))
GAUSSIAN = Normal(torch.tensor(0.5), torch.tensor(0.7))
LOG_Z = 1.3


class Known(nn.Module):
    """The g that makes a density on the line of q = N(0, 1), but for a constant."""

    def __init__(self, density: MixtureSameFamily | Normal) -> None:
        super().__init__()
        self.density = density

    def forward(self, z: Tensor) -> Tensor:
        return self.density.log_prob(z) - Normal(0.0, 1.0).log_prob(z) + LOG_Z


def known(density: MixtureSameFamily | Normal, **options: object) -> NCE:
    """Return a model of one pixel whose coordinate z has a density, its log Z not yet learned."""
    model = NCE(noise=1e-6, **options)  # type: ignore[arg-type]
    model.build(Space((1, 1, 1), None, (0.0, 1.0)), CPU)
    for tilted in (model.tilted_, model.averaged_):
        tilted.network = Known(density)  # type: ignore[assignment]
    return model


@pytest.fixture
def g() -> torch.Generator:
    return torch.Generator().manual_seed(0)


# The normaliser ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("density", [GAUSSIAN, MIXTURE], ids=["gaussian", "mixture"])
@pytest.mark.parametrize("nu", [1, 10])
def test_log_z_is_learned(density: MixtureSameFamily | Normal, nu: int, g: torch.Generator) -> None:
    model = known(density, nu=nu)
    torch.manual_seed(0)
    x = density.sample((4000, 1))
    optimiser = torch.optim.Adam([model.tilted_.log_z], 0.1)
    for step in range(150):
        optimiser.param_groups[0]["lr"] = 0.1 * (1 - step / 150)
        optimiser.zero_grad()
        model.loss(x, g).backward()
        optimiser.step()
    assert model.tilted_.log_z.item() == pytest.approx(LOG_Z, abs=0.05)


@pytest.mark.parametrize("density", [GAUSSIAN, MIXTURE], ids=["gaussian", "mixture"])
def test_log_z_by_annealing(density: MixtureSameFamily | Normal, g: torch.Generator) -> None:
    weights = known(density, step=0.5).log_partition(5000, 20, g)
    assert weights.shape == (5000,)
    assert (weights.logsumexp(0) - math.log(5000)).item() == pytest.approx(LOG_Z, abs=0.03)
    one_step = known(density).log_partition(5000, 1, g)
    assert weights.std() < 0.7 * one_step.std()


def test_the_objective_by_its_definition(g: torch.Generator) -> None:
    """Of the logistic probabilities that each image is one, and each draw of q is none."""
    model = known(GAUSSIAN, nu=3)
    x = torch.randn(4, 1)
    state = g.get_state()
    found = model.loss(x, g)
    g.set_state(state)
    seen, noise = x + 1e-6 * torch.randn(4, 1, generator=g), torch.randn(12, 1, generator=g)
    ratio = [(GAUSSIAN.log_prob(z) - Normal(0.0, 1.0).log_prob(z) + LOG_Z).exp() for z in (seen, noise)]
    expected = -(ratio[0] / (ratio[0] + 3)).log().sum() - (3 / (ratio[1] + 3)).log().sum()
    torch.testing.assert_close(found, expected / 4)


# The density and its chains ------------------------------------------------------------------------------------------


def test_the_noise_is_the_gaussian_of_the_images() -> None:
    tilted, x = Tilted(4, (8,), "silu"), torch.rand(50, 4)
    tilted.measure(x, 0.2)
    q = MultivariateNormal(x.mean(0), x.T.cov(correction=0) + 0.04 * torch.eye(4))
    torch.testing.assert_close(tilted.log_noise(tilted.to_z(x)), q.log_prob(x), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(tilted.to_x(tilted.to_z(x)), x)


def test_chains_leave_the_density_as_it_is_and_find_it(g: torch.Generator) -> None:
    model = known(MIXTURE)
    torch.manual_seed(0)
    for start in (MIXTURE.sample((20_000, 1)), torch.randn(20_000, 1)):
        z = start
        for _ in range(100):
            z = adjusted_langevin_step(z, model.averaged_.tilt, 0.8, g)
        assert z.mean().item() == pytest.approx(MIXTURE.mean.item(), abs=0.03)
        assert z.std().item() == pytest.approx(MIXTURE.stddev.item(), abs=0.02)
        assert (z > 0).float().mean().item() == pytest.approx(
            (MIXTURE.sample((100_000,)) > 0).float().mean().item(), abs=0.02
        )
    assert 0.3 < (z != adjusted_langevin_step(z, model.averaged_.tilt, 0.8, g)).float().mean() < 0.95


@pytest.fixture(scope="module")
def moons() -> tuple[NCE, MixtureSameFamily]:
    """Return a model trained on two pixels, from two round clusters within [0, 10], and their density with noise."""
    torch.manual_seed(0)
    centres, std = torch.tensor([[3.0, 3.0], [7.0, 6.0]]), math.hypot(0.8, 0.5)
    clusters = MixtureSameFamily(
        Categorical(torch.tensor([0.5, 0.5])), MultivariateNormal(centres, std**2 * torch.eye(2))
    )
    x = centres[torch.randint(2, (4000,))] + 0.8 * torch.randn(4000, 2)
    split = Split(x.view(-1, 1, 1, 2))
    options = {"noise": 0.05, "hidden": (32, 32), "batch": 200, "epochs": 20, "lr": 0.01, "burn_in": 100, "thin": 5}
    model = NCE(**options, chains=500, sample_as="draws")  # type: ignore[arg-type]
    return fitted(model, TrainingData(split, split, Space((1, 1, 2), None, (0.0, 10.0)))), clusters


def test_the_learned_density_is_normalised_and_that_of_the_images(moons: tuple[NCE, MixtureSameFamily]) -> None:
    model, clusters = moons
    line = torch.linspace(-3, 13, 321)
    log_p = model.log_prob(torch.cartesian_prod(line, line).view(-1, 1, 1, 2))
    assert (log_p.exp().sum() * 0.05**2).item() == pytest.approx(1, abs=0.05)
    torch.manual_seed(1)
    x = clusters.sample((5000,))
    gap = clusters.log_prob(x) - model.log_prob(x.view(-1, 1, 1, 2))
    assert gap.mean().item() == pytest.approx(0, abs=0.05)
    assert (
        model.averaged_.log_noise(model.averaged_.to_z(x / 10)).mean() - math.log(100)
        < clusters.log_prob(x).mean() - 0.2
    )
    torch.testing.assert_close(
        model.energy(x.view(-1, 1, 1, 2)) + model.averaged_.log_z, -model.log_prob(x.view(-1, 1, 1, 2))
    )


def test_samples_come_from_both_clusters(moons: tuple[NCE, MixtureSameFamily]) -> None:
    model, clusters = moons
    x = drawn(model, 5000).flatten(1)
    assert (x.sum(1) > 9.5).float().mean().item() == pytest.approx(0.5, abs=0.06)
    torch.testing.assert_close(x.mean(0), clusters.mean, atol=0.25, rtol=0)
    torch.testing.assert_close(x.var(0), clusters.variance, atol=0.5, rtol=0)


def test_means_are_states_less_the_noise() -> None:
    """Of a Gaussian of variance v with noise s² they are x - s²/v (x - mean)."""
    data = data_of((1, 2, 2))
    model = fitted(NCE(**{**SMALL, "epochs": 1}, noise=0.3), data)
    model.averaged_.load_state_dict({**model.averaged_.state_dict(), "network.2.weight": torch.zeros(1, 16)})
    covariance = model.averaged_.root @ model.averaged_.root.T
    x = torch.rand(6, 4)
    expected = x - 0.09 * (x - model.averaged_.mean) @ torch.linalg.inv(covariance)
    torch.testing.assert_close(model._cleaned(model.averaged_.to_z(x)), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("shape", [(1, 8, 8), (2, 5, 7)])
@pytest.mark.parametrize(("sample_as", "declared"), [("means", "means"), ("draws", "clipped")])
def test_samples(shape: tuple[int, int, int], sample_as: str, declared: str) -> None:
    data = data_of(shape)
    model = fitted(NCE(**SMALL, sample_as=sample_as), data)
    check_samples(model, data.space)
    assert model.samples_are == declared
