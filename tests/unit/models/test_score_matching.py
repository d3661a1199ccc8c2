"""Score matching against exact scores: of Gaussians and of a mixture, at every noise level."""

import math

import pytest
import torch
from models import CPU, SHAPES, check_samples, data_of, drawn, fitted
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, Normal

from genbench.api import Space, Split, TrainingData
from genbench_plugins.models.langevin import annealed_langevin, langevin_step
from genbench_plugins.models.score_matching import ScoreMatching, ScoreNetwork

SMALL = {"hidden": (16,), "levels": 3, "steps": 1, "epochs": 2, "batch": 25}
WEIGHTS, MEANS, DEVIATION = torch.tensor([0.3, 0.7]), torch.tensor([0.2, 0.8]), 0.05
SIGMAS = [0.5 * 0.2 ** (i / 9) for i in range(10)]  # down to .1


def mixture(sigma: float) -> MixtureSameFamily:
    """Return two Gaussians on a line, with noise."""
    return MixtureSameFamily(Categorical(WEIGHTS), Normal(MEANS, torch.tensor(math.hypot(DEVIATION, sigma))))


def exact(x: Tensor, sigma: float) -> Tensor:
    """Return the score of the mixture with noise, (n, 1), by autograd."""
    x = x.detach().requires_grad_()
    (score,) = torch.autograd.grad(mixture(sigma).log_prob(x).sum(), x)
    return score


@pytest.fixture
def g() -> torch.Generator:
    return torch.Generator().manual_seed(0)


# Langevin dynamics ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.1, 0.5])
def test_the_stationary_variance_of_a_gaussian_is_that_of_the_discrete_chain(alpha: float, g: torch.Generator) -> None:
    """x' = (1 - a/2v) x + √a e has the variance v/(1 - a/4v)."""
    v, x = 0.5, torch.zeros(100_000, 1)
    for _ in range(60):
        x = langevin_step(x, -x / v, alpha, g)
    assert x.var().item() == pytest.approx(v / (1 - alpha / (4 * v)), rel=0.02)


def test_with_exact_scores_annealed_dynamics_reach_the_mixture(g: torch.Generator) -> None:
    start = torch.rand(20_000, 1, generator=g)
    x = annealed_langevin(start, lambda x, i: exact(x, SIGMAS[i]), SIGMAS, 20, 0.2 * SIGMAS[-1] ** 2, g)
    high = x > 0.5
    noisy = mixture(SIGMAS[-1])
    at = torch.linspace(-1, 2, 3001)
    density = noisy.log_prob(at).exp() * 1e-3
    assert high.float().mean().item() == pytest.approx(density[at > 0.5].sum().item(), abs=0.02)
    assert x.mean().item() == pytest.approx(noisy.mean.item(), abs=0.015)
    assert x.std().item() == pytest.approx(noisy.stddev.item(), rel=0.03)


# The network and its objective ---------------------------------------------------------------------------------------


def gaussian_network(deviation: float) -> ScoreNetwork:
    """Return a network without correction, of data with this deviation and the mean .4."""
    network = ScoreNetwork(3, (8,), "silu", SIGMAS)
    for p in network.network[-1].parameters():
        p.data.zero_()
    network.mean.fill_(0.4)
    network.std.fill_(deviation)
    return network


def test_without_correction_the_score_is_that_of_a_gaussian_with_noise() -> None:
    network, x = gaussian_network(0.3), torch.randn(10, 3)
    noisy = Normal(0.4, torch.tensor(SIGMAS).square().add(0.09).sqrt().unsqueeze(1))
    x.requires_grad_()
    (expected,) = torch.autograd.grad(noisy.log_prob(x).sum(), x)
    torch.testing.assert_close(network(x, torch.arange(10)), expected)


def test_the_objective_of_the_exact_score_is_what_no_denoiser_can_know(g: torch.Generator) -> None:
    """For Gaussian data of variance v it is D/2 times the mean over levels of v/(v + sigma²)."""
    model = ScoreMatching(sigma_begin=SIGMAS[0], sigma_end=SIGMAS[-1])
    model.build(Space((1, 1, 3)), CPU)
    model.network_ = gaussian_network(0.3)
    assert model.sigmas == pytest.approx(SIGMAS)
    x = 0.4 + 0.3 * torch.randn(50_000, 3, generator=g)
    best = 1.5 * sum(0.09 / (0.09 + s**2) for s in SIGMAS) / 10
    with torch.no_grad():
        assert model.loss(x, g).item() == pytest.approx(best, rel=0.01)
        model.network_.std.fill_(0.5)
        assert model.loss(x, g).item() > 1.05 * best


@pytest.fixture(scope="module")
def trained() -> ScoreMatching:
    """Return a small network trained on 5,000 numbers of the mixture."""
    torch.manual_seed(0)
    x = mixture(0.0).sample((5000, 1, 1, 1))
    split = Split(x, None)
    model = ScoreMatching(sigma_begin=SIGMAS[0], sigma_end=SIGMAS[-1], hidden=(32, 32), batch=250, epochs=25, lr=0.01)
    return fitted(model, TrainingData(split, split, Space((1, 1, 1), None, (-3.0, 4.0))))  # type: ignore[no-any-return]


@pytest.mark.parametrize("level", range(10))
def test_the_learned_score_is_the_exact_one_at_each_level(level: int, trained: ScoreMatching) -> None:
    """The data are scaled to [0, 1] from a width of 7: so are scores, to the other side."""
    torch.manual_seed(1)
    sigma = 7 * SIGMAS[level]
    x = mixture(sigma).sample((5000, 1))
    with torch.no_grad():
        found = trained.score((x + 3) / 7, level) / 7
    error = (sigma * (found - exact(x, sigma))).square().mean()
    assert error < 0.01, error


def covariance_of_samples(model: ScoreMatching, S: Tensor) -> Tensor:
    """Return the covariance of samples by exact scores of Gaussian data of covariance S: each step is linear."""
    C = torch.eye(len(S)) / 12  # of the uniform start
    for sigma in model.sigmas:
        A = torch.linalg.inv(S + sigma**2 * torch.eye(len(S)))
        alpha = model.step * sigma**2
        for _ in range(model.steps):
            move = torch.eye(len(S)) - alpha / 2 * A
            C = move @ C @ move + alpha * torch.eye(len(S))
    last = torch.eye(len(S)) - model.sigma_end**2 * A
    return last @ C @ last if model.denoise else C


@pytest.mark.parametrize("denoise", [True, False])
def test_samples_are_those_of_exact_scores(denoise: bool) -> None:
    """Learned from a Gaussian of two pixels, they have the covariance that the linear dynamics have in closed form."""
    torch.manual_seed(0)
    root = torch.tensor([[0.1, 0.0], [0.06, 0.08]])
    x = (0.5 + torch.randn(5000, 2) @ root.T).view(-1, 1, 1, 2)
    data = TrainingData(Split(x), Split(x), Space((1, 1, 2), None, (0.0, 1.0)))
    options = {"sigma_begin": 0.5, "hidden": (32,), "batch": 250, "epochs": 20, "lr": 0.01, "denoise": denoise}
    model = fitted(ScoreMatching(**options), data)
    found = drawn(model, 20_000).flatten(1)
    expected = covariance_of_samples(model, root @ root.T)
    torch.testing.assert_close(found.mean(0), torch.full((2,), 0.5), atol=0.01, rtol=0)
    torch.testing.assert_close(found.T.cov(), expected, atol=0.06 * expected.max().item(), rtol=0)


# Options and samples -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_samples(shape: tuple[int, int, int]) -> None:
    data = data_of(shape, bounds=(-1.0, 1.0))
    check_samples(fitted(ScoreMatching(**SMALL), data), data.space)


def test_samples_are_means_where_the_last_noise_is_removed() -> None:
    data = data_of((1, 4, 4))
    noisy = fitted(ScoreMatching(**SMALL, denoise=False, sigma_end=0.2), data)
    clean = fitted(ScoreMatching(**SMALL, sigma_end=0.2), data)
    assert (noisy.samples_are, clean.samples_are) == ("clipped", "means")
    assert not torch.equal(drawn(noisy, 50), drawn(clean, 50))


def test_an_average_of_no_memory_is_the_network_itself() -> None:
    model = fitted(ScoreMatching(**SMALL, average=0.0), data_of((1, 4, 4)))
    for mean, p in zip(model.averaged_.parameters(), model.network_.parameters(), strict=True):
        torch.testing.assert_close(mean, p)


def test_noise_that_would_rise_is_refused() -> None:
    with pytest.raises(ValueError, match="sigma_end is 2.0: expected at most sigma_begin, 1.0"):
        ScoreMatching(sigma_end=2.0)


def test_a_single_level_is_the_one_that_samples_end_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one level the noise that is left is sigma_begin; scores of a Gaussian leave its mean when that is removed."""
    model = ScoreMatching(levels=1, sigma_begin=0.8, sigma_end=0.1, steps=1)
    model.build(Space((1, 1, 2)), CPU)
    monkeypatch.setattr(model, "score", lambda x, level: (0.5 - x) / 0.8**2)
    x = model.sample(50, torch.Generator().manual_seed(0))
    assert torch.allclose(x, torch.full_like(x, 0.5), atol=1e-6)
