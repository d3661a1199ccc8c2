"""The deep generative stochastic network: a noisy walk between layers that learns to walk back (Bengio et al. 2014)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Le, Lt, MinLen
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

import genbench
from genbench_plugins.models.markov_chains import from_chains
from genbench_plugins.models.noise import bernoulli, salt_and_pepper
from genbench_plugins.scaling import to_images, to_unit

Width = Annotated[int, Gt(0)]

BENGIO_2014_MNIST: Mapping[str, object] = {
    "hidden": (1500, 1500),
    "walkback": 4,
    "corruption": 0.4,
    "noise": 2.0,
    "noisy": "top",
    "optimiser": "momentum",
    "lr": 0.25,
    "lr_decay": 0.995,
    "batch": 100,
    "epochs": 1000,
    "chains": 100,
    "burn_in": 1000,
    "thin": 10,
}
LEGACY_SAMPLER: Mapping[str, object] = {
    "sample_as": "means",
    "start": "training-images",
    "chains": 1,
    "burn_in": 0,
    "thin": 1,
}


@dataclass(eq=False)
class GSN(genbench.Model):
    """Deep generative stochastic network: tied weights, tanh hidden layers, sigmoid visible layer; walkback training.

    One step of its chain updates the odd layers given the even ones, then the even ones, visible included, given the
    odd. The chain starts at a corrupted image with hidden layers at 0, and in each of `walkback` steps p(x|h) is to be
    near the clean image. Grey pixels are taken as probabilities.

    Sampling runs many chains from random pixels, drawn by their means, with burn-in and thinning. The defaults were
    chosen by the validation images of `digits`: among those whose chains mix, not the best. With less noise each chain
    keeps to one mode, and Parzen rewards that (25 nats for noise 1, 22 for 1.5); with the published corruption of .4
    either is worse (17 and 10). The preset `paper` is the recipe of the published code for MNIST, with this sampling.
    Two things differ: that code trains on the validation images too, and keeps one order of the images for all epochs.
    The start of the optimiser's average at 0 is an assumption.

    The preset `legacy` also samples as the published code does, flaws included: one chain without burn-in or thinning,
    so that neighbours are much alike; means of p(x|h), which Parzen windows reward over draws; and the image it starts
    at is itself the first sample. There that is the first test image. No model here sees those: a training image it is.
    """

    version: ClassVar[int] = 1
    family: ClassVar[Literal["chain"]] = "chain"
    sample_batch: ClassVar[int] = 10_000  # burn-in is paid for in each

    # The network
    hidden: Annotated[tuple[Width, ...], MinLen(1)] = (300, 300)
    # Its noise
    corruption: Annotated[float, Ge(0), Le(1)] = 0.1  # of visible units replaced by 0 or 1, at even odds
    noise: Annotated[float, Ge(0)] = 1.5  # standard deviation of what is added to hidden units, before tanh and after:
    noisy: Literal["top", "hidden"] = "top"  # to the top layer, or to all hidden layers
    walkback: Width = 3  # steps of the chain, with as many reconstructions in the loss
    # Optimisation
    optimiser: Literal["adam", "momentum"] = "adam"
    lr: Annotated[float, Gt(0)] = 3e-3
    lr_decay: Annotated[float, Gt(0), Le(1)] = 0.99  # lr is multiplied by it after each epoch
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.5  # of momentum: m <- momentum·m + (1 - momentum)·g
    batch: Width = 100
    epochs: Width = 180
    # Sampling
    sample_as: Literal["means", "draws"] = "means"
    start: Literal["noise", "training-images"] = "noise"  # of chains; training images are collected as samples too
    chains: Width = 100
    burn_in: Annotated[int, Ge(0)] = 300
    thin: Width = 80

    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "paper": BENGIO_2014_MNIST,
        "legacy": {**BENGIO_2014_MNIST, **LEGACY_SAMPLER},
    }
    search: ClassVar[genbench.Search] = {
        "hidden": ((150, 150), (300, 300), (600, 600), (1000, 1000)),
        "corruption": genbench.Range(0.02, 0.5, log=True),
        "noise": genbench.Range(0.3, 3.0, log=True),
        "noisy": ("top", "hidden"),
        "walkback": genbench.Range(1, 6),
        "lr": genbench.Range(3e-4, 3e-2, log=True),
        "lr_decay": (0.97, 0.98, 0.99, 1.0),
    }

    def __post_init__(self) -> None:
        self.samples_are = self.sample_as

    def build(self, space: genbench.Space, device: torch.device) -> None:
        """Make the weights between each two layers, biases, and their optimiser."""
        self.space = space
        self.sizes = [space.dim, *self.hidden]  # d_0 .. d_K
        shapes = zip(self.sizes[:-1], self.sizes[1:], strict=True)
        self.W_ = nn.ParameterList([nn.init.xavier_uniform_(torch.empty(i, j)) for i, j in shapes]).to(device)
        self.b_ = nn.ParameterList([torch.zeros(d) for d in self.sizes]).to(device)
        self.starts_ = torch.full((self.chains, space.dim), 0.5, device=device)  # pixels' probabilities
        self.optimiser_ = self._optimiser([*self.W_, *self.b_])

    def _optimiser(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        if self.optimiser == "adam":
            return torch.optim.Adam(parameters, self.lr, fused=True)
        sgd = torch.optim.SGD(parameters, self.lr, self.momentum, dampening=self.momentum)
        for p in parameters:  # else torch sets m to the first g, not to its share of it
            sgd.state[p]["momentum_buffer"] = torch.zeros_like(p)
        return sgd

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        """Minimise the cross-entropy between the clean image and each reconstruction of the walk."""
        images = to_unit(data.train.images, self.space)  # (n, D) in [0, 1]
        if self.start == "training-images":
            self.starts_ = images[torch.arange(self.chains, device=images.device) % len(images)]
        else:
            self.starts_ = images.mean(0).repeat(self.chains, 1)  # from even odds some chains never find the data
        for x in run.batches(images, self.batch, self.epochs, select=True):
            for group in self.optimiser_.param_groups:
                group["lr"] = self.lr * self.lr_decay ** (run.epoch - 1)
            losses = [binary_cross_entropy_with_logits(a, x) for a in self._walk(x, run.generator)]
            self.optimiser_.zero_grad()
            torch.autograd.backward(torch.stack(losses).sum())
            self.optimiser_.step()
            run.log(first=losses[0], last=losses[-1])

    def _walk(self, x: Tensor, generator: torch.Generator) -> list[Tensor]:
        """Return the logits of p(x|h) after each step of a chain from the clean images, `walkback` times (n, D)."""
        h = self._state(salt_and_pepper(x, self.corruption, generator))
        logits: list[Tensor] = []
        for step in range(self.walkback):
            if step:
                self._update_even(h, logits[-1], generator)
            self._update_odd(h, generator)
            logits.append(self._input(h, 0))
        return logits

    # The chain: h is a list of the layers, visible first, (n, d_i) each

    def _state(self, x: Tensor) -> list[Tensor]:
        return [x, *(x.new_zeros(len(x), d) for d in self.hidden)]

    def _update_odd(self, h: list[Tensor], generator: torch.Generator) -> None:
        for i in range(1, len(h), 2):
            h[i] = self._hidden(h, i, generator)

    def _update_even(self, h: list[Tensor], logits: Tensor, generator: torch.Generator) -> None:
        """Update even hidden layers; draw the visible one from p(x|h) of these logits, and corrupt it."""
        for i in range(2, len(h), 2):
            h[i] = self._hidden(h, i, generator)
        x = bernoulli(logits.detach().sigmoid(), generator)
        h[0] = salt_and_pepper(x, self.corruption, generator)

    def _hidden(self, h: list[Tensor], i: int, generator: torch.Generator) -> Tensor:
        a = self._input(h, i)
        if self.noise == 0 or (self.noisy == "top" and i < len(self.hidden)):
            return a.tanh()
        e = self.noise * torch.randn(2, *a.shape, generator=generator, device=a.device)
        return (a + e[0]).tanh() + e[1]

    def _input(self, h: list[Tensor], i: int) -> Tensor:
        """Return the input of layer i from the layers beside it, (n, d_i)."""
        a: Tensor = self.b_[i]
        if i > 0:
            a = torch.addmm(a, h[i - 1], self.W_[i - 1])
        if i < len(self.hidden):
            a = torch.addmm(a, h[i + 1], self.W_[i].T)
        return a

    # Abilities

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return means of p(x|h), or draws from it, for h of parallel chains, (n, C, H, W)."""
        start = self.starts_ if self.start == "training-images" else bernoulli(self.starts_, generator)
        layers = self._state(salt_and_pepper(start, self.corruption, generator))

        def step(state: Tensor) -> Tensor:
            h = list(torch.split(state, self.sizes, 1))
            self._update_odd(h, generator)
            self._update_even(h, self._input(h, 0), generator)
            return torch.cat(h, 1)

        def emit(state: Tensor) -> Tensor:
            p = self._input(list(torch.split(state, self.sizes, 1)), 0).sigmoid()
            return bernoulli(p, generator) if self.sample_as == "draws" else p

        x = from_chains(torch.cat(layers, 1), step, emit, n, self.burn_in, self.thin)
        if self.start == "training-images":
            x = torch.cat([start, x])[:n]
        return to_images(x, self.space)

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Return the first hidden layer of clean images, (n, d_1): no noise, nothing from above."""
        return torch.addmm(self.b_[1], to_unit(x, self.space), self.W_[0]).tanh()

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        """Return the means of p(x|h) for a first hidden layer z, (n, C, H, W)."""
        return to_images(torch.addmm(self.b_[0], z, self.W_[0].T).sigmoid(), self.space)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return the means of p(x|h) for the first hidden layer of clean images, (n, C, H, W)."""
        return self.decode(self.encode(x))

    @torch.no_grad()
    def features(self, x: Tensor) -> Tensor:
        """Return the hidden layers of a pass upwards without noise, side by side, (n, d_1 + ... + d_K)."""
        layers = [self.encode(x)]
        for W, b in zip(list(self.W_)[1:], list(self.b_)[2:], strict=True):
            layers.append(torch.addmm(b, layers[-1], W).tanh())
        return torch.cat(layers, 1)
