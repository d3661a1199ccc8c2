"""The restricted Boltzmann machine: its energy, its Gibbs steps, its update, and the options of models made of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor, nn
from torch.nn.functional import softplus

import genbench
from genbench.numerics.annealing import Machine
from genbench_plugins.models.autoencoding import set_lr
from genbench_plugins.models.markov_chains import from_chains
from genbench_plugins.models.noise import bernoulli
from genbench_plugins.scaling import to_images, to_unit

Width = Annotated[int, Gt(0)]
Units = Literal["bernoulli", "gaussian"]


class Layer(nn.Module):
    """A restricted Boltzmann machine with D visible and H binary hidden units.

    Bernoulli visible units: E(v, h) = -b'v - c'h - h'Wv. Gaussian ones, of variance 1: |v - b|²/2 in place of -b'v.
    `particles` are the hidden states of the persistent chains; with none of them, chains start at the data.
    """

    particles: Tensor  # (m, H)

    def __init__(self, visible: int, hidden: int, units: Units, particles: int) -> None:
        super().__init__()
        self.units = units
        self.W = nn.Parameter(0.01 * torch.randn(hidden, visible))  # (H, D)
        self.b = nn.Parameter(torch.zeros(visible))
        self.c = nn.Parameter(torch.zeros(hidden))
        self.register_buffer("particles", torch.zeros(particles, hidden))

    def up(self, v: Tensor) -> Tensor:
        """Return p(h = 1|v), (n, D) -> (n, H)."""
        return self._up(v).sigmoid()

    def down(self, h: Tensor) -> Tensor:
        """Return the means of p(v|h), (n, H) -> (n, D)."""
        a = torch.addmm(self.b, h, self.W)
        return a.sigmoid() if self.units == "bernoulli" else a

    def draw_visible(self, mean: Tensor, generator: torch.Generator) -> Tensor:
        """Return v drawn around its means, (n, D)."""
        if self.units == "bernoulli":
            return bernoulli(mean, generator)
        return mean + torch.randn(mean.shape, generator=generator, device=mean.device)

    def gibbs(self, h: Tensor, generator: torch.Generator) -> Tensor:
        """Return h after a step of block Gibbs sampling: v ~ p(v|h), h ~ p(h|v), (n, H)."""
        return bernoulli(self.up(self.draw_visible(self.down(h), generator)), generator)

    def log_prob(self, v: Tensor, h: Tensor) -> Tensor:
        """Return log p(v|h), (n,), for visible values (n, D) and hidden ones (n, H)."""
        a = torch.addmm(self.b, h, self.W)
        if self.units == "bernoulli":
            return (v * a - softplus(a)).sum(1)
        return -((v - a).square() + math.log(2 * math.pi)).sum(1) / 2

    def free_energy(self, v: Tensor) -> Tensor:
        """Return F(v) = -log Σ_h exp(-E(v, h)), (n,)."""
        return self._free_energy(v, self._up(v))

    def machine(self) -> Machine:
        """Return what annealed importance sampling takes: chains of v, with h summed out."""
        return Machine(self.W, self.b, self.c, self.units == "gaussian")

    def _up(self, v: Tensor) -> Tensor:
        return torch.addmm(self.c, v, self.W.T)

    def _free_energy(self, v: Tensor, a: Tensor) -> Tensor:
        """Return F(v), given the hidden pre-activations of v."""
        alone = -v @ self.b if self.units == "bernoulli" else (v - self.b).square().sum(1) / 2
        return alone - softplus(a).sum(1)

    @torch.no_grad()
    def start_at_marginals(self, v: Tensor) -> None:
        """Set the visible biases so that the machine, its weights still small, has the means of v (Hinton 2010)."""
        mean = v.double().mean(0)  # (D,)
        self.b.copy_(mean.logit(eps=1e-7) if self.units == "bernoulli" else mean)

    def can_turn(self, below: Layer) -> bool:
        """Return whether `start_turned` can be used: all units are binary, and there are hidden ones enough."""
        return below.units == "bernoulli" and len(self.c) >= len(below.b)

    @torch.no_grad()
    def start_turned(self, below: Layer) -> None:
        """Start as the machine below turned round: its hidden units are visible here; further units have small weights.

        A deep belief net of the two then has the distribution of the machine below if both have as many units, else
        nearly; maximum likelihood could then only improve the bound (Hinton, Osindero & Teh 2006, section 4).
        """
        units = len(below.b)
        self.W[:units] = below.W.T
        self.c[:units] = below.b
        self.b.copy_(below.c)

    @torch.no_grad()
    def start_particles(self, v: Tensor, generator: torch.Generator) -> None:
        """Start the persistent chains at data, (m, D)."""
        self.particles.copy_(bernoulli(self.up(v), generator))

    @torch.no_grad()
    def contrast(self, v0: Tensor, k: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Set the gradients of F(v0) - F(vk), each a mean, where v0 are data and vk end k Gibbs steps; return scalars.

        Chains start at h ~ p(h|v0): contrastive divergence (Hinton 2002); or go on from the particles: persistent
        contrastive divergence, or stochastic maximum likelihood (Tieleman 2008).
        """
        a0 = self._up(v0)  # (n, H)
        p0 = a0.sigmoid()
        persistent = len(self.particles) > 0
        h = self.particles if persistent else bernoulli(p0, generator)  # (m, H)
        for _ in range(k):
            mean = self.down(h)
            vk = self.draw_visible(mean, generator)  # (m, D)
            ak = self._up(vk)
            pk = ak.sigmoid()  # (m, H)
            h = bernoulli(pk, generator)
        self.W.grad = pk.T @ vk / len(vk) - p0.T @ v0 / len(v0)
        self.b.grad = vk.mean(0) - v0.mean(0)
        self.c.grad = pk.mean(0) - p0.mean(0)
        scalars = {"data": self._free_energy(v0, a0).mean(), "fantasy": self._free_energy(vk, ak).mean()}
        if persistent:
            self.particles.copy_(h)
            return scalars
        return {**scalars, "error": (mean - v0).square().sum(1).mean()}


@dataclass(eq=False)
class BoltzmannModel(genbench.Model):
    """What models made of restricted Boltzmann machines share: options, training of one machine, samples of a chain."""

    family: ClassVar[Literal["chain"]] = "chain"
    sample_batch: ClassVar[int] = 10_000  # the chains burn in anew for each
    search: ClassVar[genbench.Search] = {
        "algorithm": ("cd", "pcd"),
        "k": genbench.Range(1, 15, log=True),
        "inputs": ("means", "draws"),
        "lr": genbench.Range(1e-3, 1.0, log=True),
        "momentum": genbench.Range(0.0, 0.9),
        "weight_decay": (0.0, 1e-5, 1e-4, 1e-3),
    }

    # The machine at the bottom
    visible: Units = "bernoulli"
    sigma: Annotated[float, Gt(0)] = 0.2  # standard deviation of Gaussian visible units, in units of pixel values
    # Training
    algorithm: Literal["cd", "pcd"] = "pcd"
    k: Width = 1  # Gibbs steps for each update
    particles: Width = 100  # persistent chains of pcd
    inputs: Literal["means", "draws"] = "draws"  # values in [0, 1] are seen as they are, or drawn anew in each batch
    lr: Annotated[float, Gt(0)] = 0.3  # falling linearly, epoch by epoch, to
    lr_end: Annotated[float, Gt(0), Le(1)] = 0.1  # this share of it
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.5
    weight_decay: Annotated[float, Ge(0)] = 0.0  # of W
    batch: Width = 100
    epochs: Width = 300
    # Samples
    chains: Width = 100  # run side by side
    burn_in: Annotated[int, Ge(0)] = 500  # steps of each before the first that is kept
    thin: Annotated[int, Ge(1)] = 10  # steps between two that are kept
    sample_as: Literal["means", "draws"] = "means"

    def __post_init__(self) -> None:
        clipped = self.visible == "gaussian" and self.sample_as == "draws"
        self.samples_are = "clipped" if clipped else self.sample_as
        self.observations = "binary" if self.visible == "bernoulli" else "real"

    def build(self, space: genbench.Space, device: torch.device) -> None:
        """Keep the space; the machines are the model's own to make."""
        self.space = space

    def _layer(self, visible: int, hidden: int, units: Units, device: torch.device) -> Layer:
        return Layer(visible, hidden, units, self.particles if self.algorithm == "pcd" else 0).to(device)

    def _optimiser(self, layer: Layer) -> torch.optim.SGD:
        groups: list[dict[str, Any]] = [
            {"params": [layer.W], "weight_decay": self.weight_decay},
            {"params": [layer.b, layer.c]},
        ]
        return torch.optim.SGD(groups, self.lr, self.momentum)

    def _train(self, layer: Layer, optimiser: torch.optim.SGD, data: Tensor, run: genbench.Run, lr: float) -> None:
        """Train one machine, whose biases are set, on the rows of data, (n, D)."""
        layer.start_particles(run.draw(data, len(layer.particles)), run.generator)
        drawn = self.inputs == "draws" and layer.units == "bernoulli"
        for v in run.batches(data, self.batch, self.epochs):
            set_lr(optimiser, lr, self.lr_end, run.epoch, self.epochs)
            v0 = bernoulli(v, run.generator) if drawn else v
            run.log(**layer.contrast(v0, self.k, run.generator))
            optimiser.step()

    @torch.no_grad()
    def _sample(self, layers: Sequence[Layer], n: int, generator: torch.Generator) -> Tensor:
        """Return images passed down through layers, bottom first, from chains in the last, (n, C, H, W)."""
        top = layers[-1]
        even = torch.full((self.chains, len(top.c)), 0.5, device=generator.device)

        def pass_down(h: Tensor) -> Tensor:
            for layer in reversed(layers[1:]):
                h = layer.draw_visible(layer.down(h), generator)
            v = layers[0].down(h)  # (chains, D)
            return layers[0].draw_visible(v, generator) if self.sample_as == "draws" else v

        def step(h: Tensor) -> Tensor:
            return top.gibbs(h, generator)

        return self._images(from_chains(bernoulli(even, generator), step, pass_down, n, self.burn_in, self.thin))

    def _scaled(self, images: Tensor) -> Tensor:
        """Return visible values of images: in [0, 1], or in units of sigma, (n, C, H, W) -> (n, D)."""
        x = to_unit(images, self.space)
        return x if self.visible == "bernoulli" else x / self.sigma

    def _log_volume(self) -> float:
        """Return the log of a volume of pixel values over that of their visible values: 0 for binary images."""
        low, high = self.space.bounds
        return 0.0 if self.visible == "bernoulli" else self.space.dim * math.log(self.sigma * (high - low))

    def _images(self, v: Tensor) -> Tensor:
        """Return images within the bounds of visible values, (n, D) -> (n, C, H, W)."""
        return to_images(v if self.visible == "bernoulli" else v * self.sigma, self.space)
