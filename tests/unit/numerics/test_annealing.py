"""Annealed importance sampling of Boltzmann machines against partition functions by enumeration."""

import math

import pytest
import torch
from models import binary_states
from torch import Tensor

from genbench.numerics.annealing import Machine, log_weights

D, H = 5, 4


def machine_of(gaussian: bool = False, scale: float = 2.0) -> Machine:
    """Return a machine whose units depend strongly on each other."""
    g = torch.Generator().manual_seed(1)
    W = scale * torch.randn(H, D, generator=g)
    b = torch.randn(D, generator=g) - (0 if gaussian else W.sum(0) / 2)
    return Machine(W / 4 if gaussian else W, b, torch.randn(H, generator=g) - W.sum(1) / 2, gaussian)


def log_partition(m: Machine) -> Tensor:
    """Return log Z, all states summed; Gaussian units are integrated in closed form, h by h."""
    h = binary_states(H).double()
    alone = h @ m.c.double()
    if m.gaussian:
        mean = m.b + h @ m.W.double()
        return (alone + (mean.square() - m.b.square()).sum(1) / 2).logsumexp(0) + D / 2 * math.log(2 * math.pi)
    v = binary_states(D).double()
    return (alone[:, None] + v @ m.b.double() + h @ m.W.double() @ v.T).flatten().logsumexp(0)


def weights(m: Machine, chains: int, temperatures: int) -> Tensor:
    """Return weights over Z."""
    return (log_weights(m, chains, temperatures, torch.Generator().manual_seed(0)) - log_partition(m)).exp()


@pytest.mark.parametrize("gaussian", [False, True])
@pytest.mark.parametrize("temperatures", [1, 2, 7, 30])
def test_weights_have_the_partition_function_as_their_mean(gaussian: bool, temperatures: int) -> None:
    """At any number of temperatures, also where they vary much: within four standard errors."""
    w = weights(machine_of(gaussian), 20_000, temperatures)
    assert w.mean().item() == pytest.approx(1, abs=4 * w.std().item() / 20_000**0.5)
    assert w.std() / 20_000**0.5 < 0.2


@pytest.mark.parametrize("gaussian", [False, True])
def test_many_temperatures_make_every_weight_the_partition_function(gaussian: bool) -> None:
    """The deviation falls with the root of their number."""
    few, many = (weights(machine_of(gaussian), 200, t).log() for t in (100, 2000))
    assert many.std() < 0.1
    assert many.std() < few.std() / 3
    assert many.mean().abs() < 0.03


def test_without_weights_a_step_is_exact() -> None:
    m = machine_of()
    alone = Machine(torch.zeros(H, D), m.b, m.c)
    torch.testing.assert_close(weights(alone, 3, 1), torch.ones(3, dtype=torch.float64))


def test_weights_that_agree_may_all_lie_below() -> None:
    """Of two modes the wider one is all that chains see on their way, and the other holds all but e^-25 of Z."""
    m = Machine(torch.full((1, 50), 8.0), torch.zeros(50), torch.tensor([-340.0]))
    log_w = log_weights(m, 100, 200, torch.Generator().manual_seed(0))
    assert log_w.std() < 1e-3
    torch.testing.assert_close(log_w.mean().item(), 50 * math.log(2), atol=1e-3, rtol=0)
    log_z = -340 + 50 * math.log1p(math.exp(8))
    assert log_z - log_w.max() > 25


def test_huge_weights_do_not_overflow() -> None:
    """One step to inputs of thousands: each weight is that of its own chain's state, all of it finite."""
    m = machine_of(scale=1000.0)
    g = torch.Generator().manual_seed(0)
    v = (torch.rand(50, D, generator=g) < m.b.sigmoid()).float()
    exact = (m.c + v @ m.W.T).double().clamp_min(0).sum(1) + m.b.double().clamp_min(0).sum()
    torch.testing.assert_close(log_weights(m, 50, 1, torch.Generator().manual_seed(0)), exact, rtol=1e-5, atol=1.0)


@pytest.mark.parametrize(("chains", "temperatures"), [(0, 5), (5, 0)])
def test_nothing_to_anneal_is_refused(chains: int, temperatures: int) -> None:
    with pytest.raises(
        ValueError, match=f"^{chains} chains, {temperatures} temperatures: expected at least one of each"
    ):
        log_weights(machine_of(), chains, temperatures, torch.Generator())
