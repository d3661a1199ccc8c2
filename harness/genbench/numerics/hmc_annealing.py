"""Annealed importance sampling of a decoder's codes by Hamiltonian moves (Neal 2001; Wu et al. 2017).

Codes move from the prior to the posterior of given images, along log p(z) + β log p(x|z) with β from 0 to 1: weights
have the mean p(x). Backwards, from exact draws of the posterior, they have the mean 1/p(x). So the logarithm of an
average of the one kind lies below log p(x) in expectation, that of the other kind, its sign turned, above (Grosse et
al. 2015): simulated images, whose codes are known, tell how far the estimate can be off.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

LogJoint = Callable[[Tensor], Tensor]
"""From codes (m, d), those of all chains of one image after another's chain, to (log p(z), log p(x|z)), (2, m)."""

ACCEPTANCE = 0.65
"""The share of moves that step sizes are to have accepted: near the best for many dimensions (Neal 2011)."""

FIRST_STEP, LEAST_STEP, GREATEST_STEP = 0.5, 1e-5, 1.0
"""Step sizes, for a prior of deviations about 1."""

SHORTEST = 0.5
"""The least share of a step size that a path is made of: sizes are drawn for each, so that few paths are whole turns.

Of one size, all paths along a Gaussian of some width would end near where they began (Neal 2011)."""

GAIN = 0.2
"""How fast the logarithm of a step size follows the acceptance, per temperature."""


def sigmoid_schedule(temperatures: int, rad: float = 4.0) -> Tensor:
    """Return β at 0..temperatures, (temperatures + 1,) float64: sigmoids of even steps in [-rad, rad], from 0 to 1.

    Raises ValueError for no temperatures.
    """
    if temperatures < 1:
        raise ValueError(f"temperatures is {temperatures}: expected at least 1")
    s = torch.linspace(-rad, rad, temperatures + 1, dtype=torch.float64).sigmoid()
    return (s - s[0]) / (s[-1] - s[0])


@dataclass(frozen=True)
class Moves:
    """How codes move at each β: by `leapfrog` steps of at most a size for each image, steps (temperatures + 1, n)."""

    betas: Tensor
    steps: Tensor
    leapfrog: int

    @property
    def reversed(self) -> Moves:
        """Return the moves from the posterior to the prior."""
        return Moves(self.betas.flip(0), self.steps.flip(0), self.leapfrog)


def tuned(log_joint: LogJoint, z: Tensor, betas: Tensor, leapfrog: int, generator: torch.Generator) -> Moves:
    """Return moves whose step sizes were adapted, for each image and β, to an acceptance of .65.

    z (chains, n, d) are draws from the prior, of chains of their own: weights of chains that had tuned their own steps
    would no longer have the mean p(x). Where chains are few, sizes scatter, which costs precision and nothing else.
    """
    log_step = torch.full((z.shape[1],), math.log(FIRST_STEP), dtype=torch.float64, device=z.device)  # (n,)
    steps = log_step.exp().repeat(len(betas), 1)  # those at the ends are not used
    state = State.of(log_joint, z)
    for t, beta in enumerate(betas[1:-1].tolist(), start=1):
        steps[t] = log_step.exp()
        state, accepted = state.moved(log_joint, beta, steps[t], leapfrog, generator)
        log_step = log_step + GAIN * (accepted.mean(0) - ACCEPTANCE)
        log_step = log_step.clamp(math.log(LEAST_STEP), math.log(GREATEST_STEP))
    return Moves(betas, steps, leapfrog)


def anneal(log_joint: LogJoint, z: Tensor, moves: Moves, generator: torch.Generator) -> Tensor:
    """Return the log weights of chains that start at codes z (chains, n, d), (chains, n) float64.

    By moves from the prior, where z are draws from it, each weight has the expectation p(x); by reversed moves, where
    z are draws from the posterior (of one image all chains may start at the same), 1/p(x). Moves must not depend on
    these chains.
    """
    state = State.of(log_joint, z)
    log_w = torch.zeros(z.shape[:2], dtype=torch.float64, device=z.device)
    betas = moves.betas.tolist()
    for t in range(1, len(betas)):
        log_w += (betas[t] - betas[t - 1]) * state.log_likelihood
        if t < len(betas) - 1:
            state, _ = state.moved(log_joint, betas[t], moves.steps[t], moves.leapfrog, generator)
    return log_w


# Hamiltonian moves ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class State:
    """Codes (chains, n, d), and log p(z) and log p(x|z) there, (chains, n) float64."""

    z: Tensor
    log_prior: Tensor
    log_likelihood: Tensor

    @staticmethod
    def of(log_joint: LogJoint, z: Tensor) -> State:
        """Return the state of codes."""
        return _evaluated(log_joint, z.detach(), 0.0)[0]

    def log_density(self, beta: float) -> Tensor:
        """Return log p(z) + β log p(x|z), (chains, n)."""
        return self.log_prior + beta * self.log_likelihood

    def moved(
        self, log_joint: LogJoint, beta: float, step: Tensor, leapfrog: int, generator: torch.Generator
    ) -> tuple[State, Tensor]:
        """Return the state after one move of each chain that leaves the density at β as it is, and how probably each
        was accepted, (chains, n)."""
        shares = torch.rand(self.log_prior.shape, generator=generator, device=self.z.device, dtype=self.z.dtype)
        size = (step.to(self.z.dtype) * (SHORTEST + (1 - SHORTEST) * shares))[..., None]  # (chains, n, 1)
        momentum = torch.randn(self.z.shape, generator=generator, device=self.z.device, dtype=self.z.dtype)
        end, final = _leapfrog(log_joint, self.z, momentum, beta, size, leapfrog)
        energies = [s.log_density(beta) - p.double().square().sum(2) / 2 for s, p in ((self, momentum), (end, final))]
        probability = (
            (energies[1] - energies[0]).exp().clamp(max=1).nan_to_num(0.0)
        )  # a proposal that is NaN is rejected
        draws = torch.rand(probability.shape, generator=generator, device=self.z.device, dtype=torch.float64)
        is_taken = draws < probability
        return self._where(is_taken, end), probability

    def _where(self, is_taken: Tensor, other: State) -> State:
        return State(
            torch.where(is_taken[..., None], other.z, self.z),
            torch.where(is_taken, other.log_prior, self.log_prior),
            torch.where(is_taken, other.log_likelihood, self.log_likelihood),
        )


def _leapfrog(
    log_joint: LogJoint, z: Tensor, momentum: Tensor, beta: float, size: Tensor, count: int
) -> tuple[State, Tensor]:
    """Return where `count` steps of Hamilton's equations lead, and the momentum there."""
    state, slope = _evaluated(log_joint, z, beta)
    p = momentum + size / 2 * slope
    for i in range(count):
        state, slope = _evaluated(log_joint, state.z + size * p, beta)
        p = p + (size if i < count - 1 else size / 2) * slope
    return state, p


@torch.enable_grad()
def _evaluated(log_joint: LogJoint, z: Tensor, beta: float) -> tuple[State, Tensor]:
    """Return the state of codes, and the gradient of the density at β there, (chains, n, d)."""
    codes = z.flatten(0, 1).detach().requires_grad_()
    log_prior, log_likelihood = log_joint(codes)
    (slope,) = torch.autograd.grad((log_prior + beta * log_likelihood).sum(), codes)
    parts = (part.detach().double().view(z.shape[:2]) for part in (log_prior, log_likelihood))
    return State(z, *parts), slope.view_as(z)
