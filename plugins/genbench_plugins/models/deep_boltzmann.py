"""The deep Boltzmann machine: its mean field, its Gibbs steps and its bound, and what models made of it share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, MinLen
from torch import Tensor, nn

import genbench
from genbench.numerics import annealing
from genbench_plugins.models.boltzmann import Width
from genbench_plugins.models.markov_chains import from_chains
from genbench_plugins.models.noise import bernoulli
from genbench_plugins.scaling import to_images, to_unit

SWEEPS, TOLERANCE = 200, 1e-5
"""Inference ends when no mean has moved farther than that in a sweep, or after so many."""


class DeepMachine(nn.Module):
    """p(h_0, ..., h_L) in proportion to exp(-E), E = -Σ b_i'h_i - Σ h_i'W_i h_i-1: binary layers, h_0 the visible one.

    States and means are lists of layers, visible first, (n, d_i) each. Layers of even number are independent of each
    other given those of odd number, and the other way round, so that each of both groups is updated at once.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.sizes = list(sizes)
        self.W = nn.ParameterList(0.01 * torch.randn(above, below) for below, above in pairwise(sizes))
        self.b = nn.ParameterList(torch.zeros(size) for size in sizes)

    def layers(self, state: Tensor) -> list[Tensor]:
        """Return the layers of states in which they stand side by side, (n, d_0 + ... + d_L)."""
        return list(torch.split(state, self.sizes, 1))

    def inputs(self, h: Sequence[Tensor], i: int) -> Tensor:
        """Return the inputs of layer i from the layers beside it, (n, d_i): the logits of its units."""
        a: Tensor = self.b[i]
        if i > 0:
            a = torch.addmm(a, h[i - 1], self.W[i - 1].T)
        if i < len(self.W):
            a = torch.addmm(a, h[i + 1], self.W[i])
        return a

    def sweep(self, h: list[Tensor], move: Callable[[Tensor], Tensor], visible: bool = True) -> None:
        """Replace odd layers, then even ones, by what `move` makes of their inputs."""
        for i in (*range(1, len(h), 2), *range(0 if visible else 2, len(h), 2)):
            h[i] = move(self.inputs(h, i))

    def gibbs(self, h: list[Tensor], generator: torch.Generator) -> None:
        """Move a state by a step of block Gibbs sampling."""
        self.sweep(h, lambda a: bernoulli(a.sigmoid(), generator))

    def pass_up(self, v: Tensor) -> list[Tensor]:
        """Return v and means of a pass upwards: weights count twice where input from above is still to come."""
        h = [v]
        for i, W in enumerate(self.W, start=1):
            h.append(torch.addmm(self.b[i], h[-1], W.T, alpha=1 if i == len(self.W) else 2).sigmoid())
        return h

    def mean_field(self, v: Tensor, sweeps: int, tolerance: float = 0, known: Tensor | None = None) -> list[Tensor]:
        """Return v and the means of a factorial q(h|v), starting from an upward pass: no update raises `energy_bound`.

        Where `known` (n, d_0) is false, pixels are hidden: they start from their biases alone, and are inferred too.
        Ends after so many sweeps; or, for a tolerance above 0, as soon as no mean has moved farther than that in one,
        for which the host waits for a GPU.
        """
        mu = self.pass_up(v if known is None else torch.where(known, v, self.b[0].sigmoid()))
        for _ in range(sweeps):
            before = list(mu)
            self.sweep(mu, torch.sigmoid, visible=known is not None)
            if known is not None:
                mu[0] = torch.where(known, v, mu[0])
            if tolerance and max((a - b).abs().max() for a, b in zip(mu, before, strict=True)) < tolerance:
                break
        return mu

    def energy(self, h: Sequence[Tensor]) -> Tensor:
        """Return E of states, or E's expectation where all units are independent with these means, (n,)."""
        energy = torch.cat(list(h), 1) @ -torch.cat(list(self.b))
        for (below, above), W in zip(pairwise(h), self.W, strict=True):
            energy = energy - (torch.mm(above, W) * below).sum(1)
        return energy

    def energy_bound(self, mu: Sequence[Tensor]) -> Tensor:
        """Return E_q[E] - H(q), (n,), for v and the means of a factorial q: above -log Σ_h exp(-E) whatever q is."""
        q = torch.cat(list(mu[1:]), 1)
        entropy: Tensor = (torch.special.entr(q) + torch.special.entr(1 - q)).sum(1)
        return self.energy(mu) - entropy

    @torch.no_grad()
    def two_groups(self) -> annealing.Machine:
        """Return what annealed importance sampling takes: chains of odd layers, with even ones summed out."""
        odd, even = list(self.b)[1::2], list(self.b)[::2]
        W = self.b[0].new_zeros(sum(map(len, even)), sum(map(len, odd)))
        blocks = [rows.split([len(b) for b in odd], 1) for rows in W.split([len(b) for b in even])]
        for i, w in enumerate(self.W):  # between layers i and i + 1
            blocks[(i + 1) // 2][i // 2].copy_(w if i % 2 else w.T)
        return annealing.Machine(W, torch.cat(odd), torch.cat(even))


@dataclass(eq=False)
class DeepBoltzmannModel(genbench.Model):
    """What models made of a deep Boltzmann machine share: sizes, samples of a chain, and what mean field infers."""

    family: ClassVar[Literal["chain"]] = "chain"
    sample_batch: ClassVar[int] = 10_000  # the chains burn in anew for each

    hidden: Annotated[tuple[Width, ...], MinLen(2)] = (256, 64)  # from the pixels up
    max_norm: Annotated[float, Ge(0)] = 0.0  # of the weights of a unit from the layer below; 0 for no bound
    inputs: Literal["means", "draws"] = "draws"  # values in [0, 1] are seen as they are, or drawn anew in each batch
    # Samples
    chains: Width = 100  # run side by side
    burn_in: Annotated[int, Ge(0)] = 500  # steps of each before the first that is kept
    thin: Annotated[int, Ge(1)] = 10  # steps between two that are kept
    sample_as: Literal["means", "draws"] = "means"

    def __post_init__(self) -> None:
        self.samples_are = self.sample_as
        self.observations = "binary"

    def build(self, space: genbench.Space, device: torch.device) -> None:
        """Make the machine; its optimiser is the model's own to make."""
        self.space = space
        self.machine_ = DeepMachine([space.dim, *self.hidden]).to(device)

    def _observed(self, x: Tensor, run: genbench.Run) -> Tensor:
        """Return a batch of values in [0, 1] as training sees it."""
        return bernoulli(x, run.generator) if self.inputs == "draws" else x

    @torch.no_grad()
    def _bound_norms(self) -> None:
        for W in self.machine_.W if self.max_norm else ():
            W.copy_(torch.renorm(W, 2, 0, self.max_norm))

    def _inferred(self, x: Tensor) -> list[Tensor]:
        """Return visible values of images and the means of hidden layers, at the fixed point of their mean field."""
        return self.machine_.mean_field(to_unit(x, self.space), SWEEPS, TOLERANCE)

    # Abilities

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return means of p(v|h1), or draws from it, at the states of parallel Gibbs chains, (n, C, H, W)."""
        machine = self.machine_
        start = torch.full((self.chains, sum(machine.sizes)), 0.5, device=generator.device)

        def step(state: Tensor) -> Tensor:
            h = machine.layers(state)
            machine.gibbs(h, generator)
            return torch.cat(h, 1)

        def emit(state: Tensor) -> Tensor:
            p = machine.inputs(machine.layers(state), 0).sigmoid()
            return bernoulli(p, generator) if self.sample_as == "draws" else p

        x = from_chains(bernoulli(start, generator), step, emit, n, self.burn_in, self.thin)
        return to_images(x, self.space)

    @torch.no_grad()
    def energy_bound(self, x: Tensor) -> Tensor:
        """Return E_q[E(v, h)] - H(q) at the mean-field solution q(h|v), (n,): at least the free energy of v.

        Of grey images it is the same formula, which orders them; binary ones have a probability.
        """
        return self.machine_.energy_bound(self._inferred(x))

    def log_partition(self, chains: int, temperatures: int, generator: torch.Generator) -> Tensor:
        """Return log weights of annealed importance sampling, (chains,): Z is the mean of their exp."""
        return annealing.log_weights(self.machine_.two_groups(), chains, temperatures, generator)

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Return the means of the first hidden layer by mean field, (n, d_1)."""
        return self._inferred(x)[1]

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        """Return the means of p(v|h1) for a first hidden layer z, (n, C, H, W)."""
        p = torch.addmm(self.machine_.b[0], z, self.machine_.W[0]).sigmoid()
        return to_images(p, self.space)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return the means of p(v|h1) at the means of h1 given x, (n, C, H, W)."""
        return self.decode(self.encode(x))

    @torch.no_grad()
    def features(self, x: Tensor) -> Tensor:
        """Return the means of all hidden layers side by side, (n, d_1 + ... + d_L)."""
        return torch.cat(self._inferred(x)[1:], 1)
