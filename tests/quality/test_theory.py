"""The paper's theory (Goodfellow et al. 2014, section 4): exact on few outcomes, by quadrature on the line.

Expected values are by hand, numpy or scipy: nothing here shares code with what it tests.
"""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm
from torch import Tensor

import genbench
from genbench.numerics.game import (
    game_value,
    jensen_shannon,
    optimal_discriminator,
    optimal_value,
    optimality_gap,
)
from genbench_plugins.datasets.synthetic import Gaussian1D, Mixture1D
from genbench_plugins.metrics.discriminator_gap import DiscriminatorGap
from genbench_plugins.metrics.jsd import JensenShannon

LOG_4 = math.log(4)


def masses(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def random_masses(seed: int, n: int = 6) -> Tensor:
    return torch.from_numpy(np.random.RandomState(seed).dirichlet(np.ones(n)))


def kl(p: np.ndarray, q: np.ndarray) -> float:
    """Return KL(p ‖ q) as it is written in the paper, over the outcomes that p has."""
    return sum(float(a * np.log(a / b)) for a, b in zip(p, q, strict=True) if a > 0)


# Proposition 1: the optimal discriminator ----------------------------------------------------------------------------


def test_by_hand() -> None:
    """p_data = (1/2, 1/2, 0), p_g = (1/4, 0, 3/4): D* = (2/3, 1, 0), V = 1/2 log 2/3 + 1/4 log 1/3."""
    p_data, p_g = masses(0.5, 0.5, 0), masses(0.25, 0, 0.75)
    best = optimal_discriminator(p_data, p_g)
    assert best.tolist() == pytest.approx([2 / 3, 1, 0])
    value = math.log(2 / 3) / 2 + math.log(1 / 3) / 4
    assert game_value(p_data, p_g, best).item() == pytest.approx(value, abs=1e-15)
    assert optimal_value(p_data, p_g).item() == pytest.approx(value, abs=1e-15)


@pytest.mark.parametrize("seed", range(5))
def test_at_the_optimum_the_gradient_is_zero_and_any_other_discriminator_is_worse(seed: int) -> None:
    p_data, p_g = random_masses(seed), random_masses(seed + 100)
    best = optimal_discriminator(p_data, p_g)
    np.testing.assert_allclose(best.numpy(), p_data.numpy() / (p_data.numpy() + p_g.numpy()), rtol=1e-15)
    d = best.clone().requires_grad_()
    value = game_value(p_data, p_g, d)
    value.backward()
    torch.testing.assert_close(d.grad, torch.zeros(6).double(), rtol=0, atol=1e-12)
    others = torch.rand(200, 6, generator=torch.Generator().manual_seed(seed)).double()
    near = (best + 0.01 * (others - 0.5)).clamp(1e-9, 1 - 1e-9)
    assert all(game_value(p_data, p_g, other) < value for other in (*others, *near))


def test_off_the_union_of_supports_the_discriminator_does_not_matter() -> None:
    p_data, p_g = masses(0.5, 0.5, 0), masses(0.2, 0.8, 0)
    assert optimal_discriminator(p_data, p_g)[2] == 0.5
    values = {game_value(p_data, p_g, masses(0.6, 0.4, d)).item() for d in (0.0, 0.3, 1.0)}
    assert len(values) == 1
    assert len({optimality_gap(p_data, p_g, masses(0.6, 0.4, d)).item() for d in (0.0, 0.3, 1.0)}) == 1


def test_a_certain_and_wrong_discriminator_loses_everything() -> None:
    assert game_value(masses(0.5, 0.5), masses(0.5, 0.5), masses(1, 0.5)) == -math.inf


def test_the_gap_by_hand() -> None:
    """D* = (3/4, 1/4) under m = (1/2, 1/2); D = (1, 1/2) is off by 1/4 everywhere."""
    p_data, p_g = masses(0.75, 0.25), masses(0.25, 0.75)
    assert optimality_gap(p_data, p_g, masses(1, 0.5)).item() == pytest.approx(0.25)
    assert optimality_gap(p_data, p_g, masses(0.75, 0.25)).item() == 0


# Theorem 1: the global minimum ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_where_the_generator_is_right_the_game_is_worth_minus_log_4(seed: int) -> None:
    p = random_masses(seed)
    best = optimal_discriminator(p, p)
    assert torch.equal(best, torch.full((6,), 0.5).double())
    assert game_value(p, p, best).item() == pytest.approx(-LOG_4, abs=1e-14)
    assert optimal_value(p, p).item() == pytest.approx(-1.386294361119891, abs=1e-14)


def test_disjoint_supports_are_told_apart_without_error() -> None:
    p_data, p_g = masses(0.3, 0.7, 0, 0), masses(0, 0, 0.9, 0.1)
    assert jensen_shannon(p_data, p_g).item() == pytest.approx(math.log(2), abs=1e-15)
    assert optimal_value(p_data, p_g).item() == pytest.approx(0, abs=1e-15)
    assert game_value(p_data, p_g, optimal_discriminator(p_data, p_g)).item() == 0


@pytest.mark.parametrize("seed", range(5))
def test_the_best_value_is_minus_log_4_and_twice_the_divergence(seed: int) -> None:
    p_data, p_g = random_masses(seed), random_masses(seed + 100)
    p, q = p_data.numpy(), p_g.numpy()
    m = (p + q) / 2
    divergence = (kl(p, m) + kl(q, m)) / 2
    assert jensen_shannon(p_data, p_g).item() == pytest.approx(divergence, rel=1e-12)
    reached = game_value(p_data, p_g, optimal_discriminator(p_data, p_g)).item()
    assert reached == pytest.approx(-LOG_4 + kl(p, m) + kl(q, m), rel=1e-12)  # eq. 5
    assert reached == pytest.approx(optimal_value(p_data, p_g).item(), rel=1e-12)  # eq. 6
    assert reached > -LOG_4


def test_the_divergence_is_symmetric_and_never_below_0() -> None:
    p, q = random_masses(1), random_masses(2)
    assert jensen_shannon(p, q).item() == pytest.approx(jensen_shannon(q, p).item(), rel=1e-14)
    assert jensen_shannon(p, p * (1 + 1e-16)) == 0
    assert all(jensen_shannon(p, (p + 1e-9 * q) / (1 + 1e-9)) >= 0 for q in map(random_masses, range(20)))


# Proposition 2: convergence ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_steps_in_the_space_of_distributions_with_the_best_discriminator_converge(seed: int) -> None:
    """Gradient steps on p_g (softmax of logits), D being optimal and held fixed while p_g moves."""
    p_data = (random_masses(seed) + 1 / 6) / 2  # none so rare that its logit crawls
    logits = torch.from_numpy(np.random.RandomState(seed + 100).normal(size=6)).requires_grad_()
    values = []
    for _ in range(3000):
        p_g = logits.softmax(0)
        best = optimal_discriminator(p_data, p_g).detach()
        value = game_value(p_data, p_g, best)
        values.append(value.item())
        (gradient,) = torch.autograd.grad(value, logits)
        logits = (logits - 4 * gradient).detach().requires_grad_()
    assert all(later <= earlier + 1e-12 for earlier, later in itertools.pairwise(values))
    assert values[-1] == pytest.approx(-LOG_4, abs=1e-6)
    np.testing.assert_allclose(logits.softmax(0).detach().numpy(), p_data.numpy(), atol=1e-3)


# On the line: the metrics --------------------------------------------------------------------------------------------


class Judge(genbench.Model):
    """Says what it is told to say of numbers."""

    def __init__(self, judgement) -> None:
        self.judgement = judgement

    def build(self, space, device) -> None: ...

    def fit(self, data, run) -> None: ...

    def sample(self, n, generator): ...

    def discriminate(self, x: Tensor) -> Tensor:
        return torch.from_numpy(self.judgement(x.flatten().double().numpy())).float()


class Given:
    """What the metrics ask for, and nothing else."""

    device = torch.device("cpu")

    def __init__(self, dataset, samples: np.ndarray, judgement=None) -> None:
        self.space = genbench.Space((1, 1, 1), None, dataset.bounds)
        self.density = dataset
        self.drawn = torch.from_numpy(samples.astype(np.float32)).view(-1, 1, 1, 1)
        self.model = Judge(judgement)

    def samples(self, n: int) -> Tensor:
        return self.drawn[:n]


def normal(mean: float, std: float, n: int = 1_000_000, seed: int = 7) -> np.ndarray:
    return np.random.RandomState(seed).normal(mean, std, n)


def by_quadrature(p, q) -> float:
    """Return the Jensen-Shannon divergence of two densities on [-6, 6] by scipy."""

    def term(x: float) -> float:
        a, b = p(x), q(x)
        return (a * math.log(2 * a / (a + b)) + b * math.log(2 * b / (a + b))) / 2

    return quad(term, -6, 6, limit=200, epsabs=1e-10)[0]


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (0.5, 1.0), (0.0, 0.6), (1.5, 0.5), (-1.0, 1.3)])
def test_jsd_agrees_with_quadrature(mean: float, std: float) -> None:
    samples = normal(mean, std)
    samples = samples[abs(samples) < 6]
    expected = by_quadrature(norm.pdf, norm(mean, std).pdf)
    value = JensenShannon().evaluate(Given(Gaussian1D(), samples)).value
    assert value == pytest.approx(expected, abs=1e-3)


def test_jsd_of_samples_that_are_all_one_number_is_near_log_2() -> None:
    value = JensenShannon().evaluate(Given(Gaussian1D(), np.full(1000, 0.3))).value
    assert math.log(2) - 0.05 < value < math.log(2)


@pytest.mark.parametrize("dataset", [Gaussian1D(), Mixture1D()])
def test_the_bias_of_true_samples_is_as_documented(dataset) -> None:
    random = np.random.RandomState(3)
    values = [JensenShannon().evaluate(Given(dataset, dataset._mixed(random, 1_000_000))).value for _ in range(3)]
    assert all(4e-5 < value < 7e-5 for value in values), values


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (0.5, 0.8)])
def test_a_discriminator_that_is_optimal_has_no_gap(mean: float, std: float) -> None:
    def best(x: np.ndarray) -> np.ndarray:
        return norm.pdf(x) / (norm.pdf(x) + norm.pdf(x, mean, std))

    score = DiscriminatorGap().evaluate(Given(Gaussian1D(), normal(mean, std), best))
    expected = 2 * by_quadrature(norm.pdf, norm(mean, std).pdf) - LOG_4
    assert score.value < 0.01
    assert score.extras["C"] == pytest.approx(expected, abs=1e-3)
    assert score.extras["V"] == pytest.approx(expected, abs=1e-3)
    assert score.extras["V"] <= score.extras["C"]


def test_the_gap_is_the_distance_from_the_optimum() -> None:
    """Where p_g is p_data, D* is 1/2; D = .7 is off by .2, and V = log .7 + log .3."""
    given = Given(Gaussian1D(), normal(0, 1), lambda x: np.full(len(x), 0.7))
    score = DiscriminatorGap().evaluate(given)
    assert score.value == pytest.approx(0.2, abs=1e-3)
    assert score.extras["V"] == pytest.approx(math.log(0.7) + math.log(0.3), abs=1e-6)


def test_a_discriminator_that_rounds_to_certainty_still_has_a_value() -> None:
    given = Given(Gaussian1D(), normal(0, 1), lambda x: (x > 0).astype(float))
    score = DiscriminatorGap().evaluate(given)
    assert all(math.isfinite(number) for number in score.extras.values())
    assert score.value == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(
    ("judgement", "message"),
    [
        (lambda x: np.full(len(x), 1.5), "500 values in .1.5, 1.5.; expected 500 probabilities"),
        (lambda x: np.full(len(x), math.nan), "500 values in .nan, nan.; expected 500 probabilities"),
        (lambda x: x[:3] * 0, "3 values in .*; expected 500 probabilities"),
    ],
)
def test_what_is_no_probability_is_refused(judgement, message: str) -> None:
    with pytest.raises(ValueError, match=f"discriminate gave {message}"):
        DiscriminatorGap().evaluate(Given(Gaussian1D(), normal(0, 1, 1000), judgement))


def test_a_density_that_is_none_is_refused() -> None:
    class Twice(Gaussian1D):
        def log_prob(self, x: Tensor) -> Tensor:
            return super().log_prob(x) + math.log(2)

    with pytest.raises(ValueError, match="log_prob integrates to 2 within the bounds; expected 1"):
        JensenShannon().evaluate(Given(Twice(), normal(0, 1, 1000)))


@pytest.mark.parametrize("metric", [JensenShannon(), DiscriminatorGap()])
def test_why_nothing_can_be_said(metric: genbench.Metric) -> None:
    given = Given(Gaussian1D(), normal(0, 1, 10))
    assert metric.skip(given) is None
    given.space = genbench.Space((1, 1, 2))
    assert metric.skip(given) == "images are 1x1x2, and bins are for images of one value, 1x1x1"
    given.density = None
    assert metric.skip(given) == "the dataset's true density is not known: it has no log_prob"


def test_a_model_without_a_discriminator_is_skipped() -> None:
    given = Given(Gaussian1D(), normal(0, 1, 10))
    given.model = object()
    assert DiscriminatorGap().skip(given) == "the model has no discriminator: no discriminate(x)"
    assert JensenShannon().skip(given) is None
