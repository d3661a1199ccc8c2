"""Annealing of codes by Hamiltonian moves, against decoders whose evidence and posterior are known in closed form."""

import numpy as np
import pytest
import torch
from linear_gaussian import LinearGaussian
from torch import Tensor

from genbench.numerics.hmc_annealing import ACCEPTANCE, Moves, State, anneal, sigmoid_schedule, tuned
from genbench.numerics.importance import summary


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def of_codes(decoder: LinearGaussian, images: Tensor, chains: int):
    repeated = images.repeat(chains, 1, 1, 1)
    return lambda z: decoder.log_joint(repeated, z)


def prior(chains: int, n: int, seed: int, latent: int = 2) -> Tensor:
    return torch.randn(chains, n, latent, generator=generator(seed), dtype=torch.float64)


def posterior(decoder: LinearGaussian, x: Tensor, chains: int, seed: int) -> Tensor:
    """Return draws of p(z|x) by numpy, (chains, n, d)."""
    W, random = decoder.W_.numpy(), np.random.RandomState(seed)
    covariance = np.linalg.inv(np.eye(W.shape[1]) + W.T @ W / decoder.sigma**2)
    means = (x.flatten(1).numpy() - decoder.b_.numpy()) @ W @ covariance / decoder.sigma**2
    eps = random.normal(size=(chains, *means.shape))
    return torch.from_numpy(means + eps @ np.linalg.cholesky(covariance).T)


def test_the_schedule_is_that_of_wu_et_al() -> None:
    """Their formula in numpy: sigmoids of even steps in [-4, 4], moved to [0, 1]."""
    t = 1 / (1 + np.exp(-np.linspace(-4, 4, 11)))
    np.testing.assert_allclose(sigmoid_schedule(10).numpy(), (t - t[0]) / (t[-1] - t[0]), rtol=1e-12)
    assert sigmoid_schedule(1).tolist() == [0, 1]
    with pytest.raises(ValueError, match="temperatures is 0: expected at least 1"):
        sigmoid_schedule(0)


@pytest.fixture(scope="module")
def decoder() -> LinearGaussian:
    return LinearGaussian(sigma=2.0)


@pytest.fixture(scope="module")
def images(decoder: LinearGaussian) -> Tensor:
    return decoder.sample(4, generator(5))


def moves_for(decoder: LinearGaussian, images: Tensor, temperatures: int, pilots: int = 20) -> Moves:
    log_joint = of_codes(decoder, images, pilots)
    return tuned(log_joint, prior(pilots, len(images), 1), sigmoid_schedule(temperatures), 5, generator(2))


@pytest.mark.parametrize("backwards", [False, True])
def test_weights_have_the_evidence_as_their_mean_however_few_temperatures(backwards: bool) -> None:
    """At three temperatures weights scatter widely, and their mean is p(x) all the same; backwards it is 1/p(x)."""
    chains, decoder = 4_000, LinearGaussian(sigma=3.0)
    images = decoder.sample(4, generator(5))
    moves = moves_for(decoder, images, 3)
    start = posterior(decoder, images, chains, 3) if backwards else prior(chains, 4, 3)
    log_joint = of_codes(decoder, images, chains)
    log_w = anneal(log_joint, start, moves.reversed if backwards else moves, generator(4))
    known = torch.from_numpy(decoder.evidence(images)) * (-1 if backwards else 1)
    ratio = (log_w - known).exp()  # (chains, n)
    error = ratio.std(0) / chains**0.5
    assert (error < 0.05).all()
    assert ((ratio.mean(0) - 1).abs() < 4 * error).all(), (ratio.mean(0), error)
    assert (log_w.std(0) > 0.3).all()  # else nothing was tested


def test_estimates_close_in_on_the_evidence_from_both_sides(decoder, images) -> None:
    """A hundred temperatures, 16 chains: within hundredths, below forwards and above backwards."""
    moves = moves_for(decoder, images, 100)
    log_joint = of_codes(decoder, images, 16)
    known = torch.from_numpy(decoder.evidence(images))
    lower = summary([anneal(log_joint, prior(16, 4, 3), moves, generator(4))]).log_mean
    upper = -summary([anneal(log_joint, posterior(decoder, images, 16, 3), moves.reversed, generator(4))]).log_mean
    assert (lower - known).abs().max().item() < 0.15
    assert (upper - known).abs().max().item() < 0.15


def test_steps_are_tuned_to_their_acceptance(decoder, images) -> None:
    """Of moves of tuned sizes .65 are accepted near the end, where the posterior is narrower than the prior."""
    narrow = LinearGaussian(sigma=0.3)
    moves = moves_for(narrow, images, 100, pilots=20)
    log_joint = of_codes(narrow, images, 50)
    state = State.of(log_joint, posterior(narrow, images, 50, 3))
    accepted = [state.moved(log_joint, 1.0, moves.steps[t], 5, generator(t))[1].mean().item() for t in range(90, 100)]
    assert np.mean(accepted) == pytest.approx(ACCEPTANCE, abs=0.12)
    assert moves.steps[95].max() < 0.4  # it began at .5


def test_moves_leave_the_posterior_as_it_is(decoder, images) -> None:
    chains = 4_000
    log_joint = of_codes(decoder, images, chains)
    state = State.of(log_joint, posterior(decoder, images, chains, 3))
    for t in range(5):
        state, accepted = state.moved(log_joint, 1.0, torch.full((4,), 0.8), 5, generator(t))
    assert 0.3 < accepted.mean().item() < 0.97
    other = posterior(decoder, images, chains, 9)
    spread = other.std(0)
    assert ((state.z.mean(0) - other.mean(0)).abs() < 5 * spread * (2 / chains) ** 0.5).all()
    torch.testing.assert_close(state.z.std(0), spread, rtol=0.06, atol=0)
    torch.testing.assert_close(
        torch.stack([state.log_prior, state.log_likelihood]).flatten(1), log_joint(state.z.flatten(0, 1))
    )


def test_a_path_that_leaves_the_numbers_is_not_taken() -> None:
    def log_joint(z: Tensor) -> Tensor:
        return torch.stack([-z.square().sum(1) / 2, -(z**8).sum(1) * 1e30])

    moves = Moves(sigmoid_schedule(5), torch.ones(6, 2, dtype=torch.float64), 3)
    start = prior(4, 2, 0) * 0.01
    log_w = anneal(log_joint, start, moves, generator())
    assert not log_w.isnan().any()


def test_the_generator_decides(decoder, images) -> None:
    moves = moves_for(decoder, images, 10)
    log_joint = of_codes(decoder, images, 3)
    torch.manual_seed(0)
    first = anneal(log_joint, prior(3, 4, 0), moves, generator())
    torch.manual_seed(1)
    assert torch.equal(first, anneal(log_joint, prior(3, 4, 0), moves, generator()))
    assert not torch.equal(first, anneal(log_joint, prior(3, 4, 0), moves, generator(1)))
