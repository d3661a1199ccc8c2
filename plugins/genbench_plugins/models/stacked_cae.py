"""Stacked contractive autoencoders, sampled by a walk along the directions that their codes are sensitive to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Le, MinLen
from torch import Tensor, nn

import genbench
from genbench_plugins.models.autoencoding import descend, optimiser_of, reconstruction_error, set_lr
from genbench_plugins.models.markov_chains import from_chains
from genbench_plugins.scaling import to_images, to_unit

Width = Annotated[int, Gt(0)]

CAE_2_MNIST: Mapping[str, object] = {
    "hidden": (1000, 1000),
    "contraction": (0.1,),
    "init_scale": 4.0,
    "optimiser": "sgd",
    "lr": 0.01,
    "lr_end": 1.0,
    "batch": 10,
    "epochs": (20,),
    "sigma": 0.06,
    "chains": 100,
    "burn_in": 1000,
    "thin": 50,
}


class Layer(nn.Module):
    """A contractive autoencoder of D inputs in [0, 1] and H units: h = s(Wx + b), y = s(W'h + c), s the sigmoid."""

    def __init__(self, inputs: int, units: int, scale: float) -> None:
        super().__init__()
        irange = scale * math.sqrt(6 / (inputs + units))
        self.W = nn.Parameter(torch.empty(units, inputs).uniform_(-irange, irange))  # (H, D)
        self.b = nn.Parameter(torch.zeros(units))
        self.c = nn.Parameter(torch.zeros(inputs))

    def encode(self, x: Tensor) -> Tensor:
        """Return codes, (n, D) -> (n, H)."""
        return torch.addmm(self.b, x, self.W.T).sigmoid()

    def decode(self, h: Tensor) -> Tensor:
        """Return reconstructions, (n, H) -> (n, D)."""
        return self._decode(h).sigmoid()

    def _decode(self, h: Tensor) -> Tensor:
        return torch.addmm(self.c, h, self.W)

    def losses(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return cross-entropy and ||J(x)||² (Frobenius) of each example, (n,) each.

        J_ji = h_j (1 - h_j) W_ji, so that ||J||² = Σ_j (h_j (1 - h_j))² Σ_i W_ji².
        """
        h = self.encode(x)  # (n, H)
        squared = (h * (1 - h)).square() @ self.W.square().sum(1)  # (n,)
        return reconstruction_error(self._decode(h), x, "bce"), squared

    def along_tangents(self, h: Tensor, e: Tensor) -> Tensor:
        """Return J J'e at the inputs that have the codes h, (n, H): noise e, turned into moves along the manifold."""
        s = h * (1 - h)
        return s * (((s * e) @ self.W) @ self.W.T)


@dataclass(eq=False)
class StackedCAE(genbench.Model):
    """Contractive autoencoders (Rifai et al. 2011), stacked greedily: each learns from the codes of the one below.

    Tied weights, sigmoids, cross-entropy plus `contraction` times ||J||², J the Jacobian of the code. Samples by the
    process of Rifai et al. 2012 in the top layer: h = f(x), x <- g(h + J J'e) with e ~ N(0, sigma² I); decoded down to
    pixels by the layers below. They are outputs of decoders, so means.
    Chains start at uniform noise at the input of the top layer. Nothing in training looks at where a chain may stray:
    layers trained for longer reconstruct better, and their chains may end in one place far from all images.

    The defaults were chosen by the validation images of `digits`. The preset `paper` has the sizes that Bengio et al.
    2013 ("Better mixing") are remembered to use for MNIST, the training of LISA's published tutorial on contractive
    autoencoders, and the sigma of LISA's published code for the sampler. How the paper's row was made is not known:
    length and number of the chains were chosen here.
    """

    version: ClassVar[int] = 1
    family: ClassVar[Literal["chain"]] = "chain"
    sample_batch: ClassVar[int] = 10_000  # the chains burn in anew for each
    samples_are = "means"

    hidden: Annotated[tuple[Width, ...], MinLen(1)] = (200, 200)  # units of each layer
    # Of each layer; the last repeats for further ones
    contraction: Annotated[tuple[Annotated[float, Ge(0)], ...], MinLen(1)] = (0.3, 0.1)  # weight of ||J||²
    epochs: Annotated[tuple[Width, ...], MinLen(1)] = (40, 100)
    # Training
    init_scale: Annotated[float, Gt(0)] = 1.0  # weights start from U(-r, r), r = init_scale √(6 / (D + H))
    optimiser: Literal["adam", "sgd"] = "adam"
    lr: Annotated[float, Gt(0)] = 3e-3  # falling linearly, epoch by epoch, to
    lr_end: Annotated[float, Gt(0), Le(1)] = 0.1  # this share of it
    batch: Width = 100
    # Samples
    sigma: Annotated[float, Gt(0)] = 0.7  # standard deviation of the noise e in the top code
    chains: Width = 100  # run side by side
    burn_in: Annotated[int, Ge(0)] = 500  # steps of each before the first that is kept
    thin: Annotated[int, Ge(1)] = 10  # steps between two that are kept

    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {"paper": CAE_2_MNIST}
    search: ClassVar[genbench.Search] = {
        "hidden": ((200, 200), (500, 200), (500, 500), (1000, 1000)),
        "contraction": ((0.03, 0.01), (0.1, 0.03), (0.3, 0.1), (1.0, 0.3)),
        "init_scale": genbench.Range(0.3, 3.0, log=True),
        "lr": genbench.Range(3e-4, 1e-2, log=True),
        "sigma": genbench.Range(0.2, 2.0, log=True),
    }

    def build(self, space: genbench.Space, device: torch.device) -> None:
        """Make the layers and their optimisers."""
        self.space = space
        self.layers_ = [Layer(*sizes, self.init_scale).to(device) for sizes in pairwise((space.dim, *self.hidden))]
        self.optimisers_ = [optimiser_of(self.optimiser, layer.parameters(), self.lr) for layer in self.layers_]

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        """Train one layer after the other, each on the codes of the one below."""
        x = to_unit(data.train.images, self.space)  # (n, D)
        for i, layer in enumerate(self.layers_):
            self._train(i, x, run)
            with torch.no_grad():
                x = layer.encode(x)

    def _train(self, i: int, data: Tensor, run: genbench.Run) -> None:
        """Train the i-th layer on the rows of data, (n, D)."""
        layer, optimiser = self.layers_[i], self.optimisers_[i]
        epochs = self.epochs[min(i, len(self.epochs) - 1)]
        contraction = self.contraction[min(i, len(self.contraction) - 1)]
        for x in run.batches(data, self.batch, epochs):
            set_lr(optimiser, self.lr, self.lr_end, run.epoch, epochs)
            rec, penalty = (term.mean() for term in layer.losses(x))
            descend(optimiser, rec + contraction * penalty)
            run.log(rec=rec, penalty=penalty)

    # Abilities

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return what the layers decode along parallel chains in the top one, (n, C, H, W)."""
        top = self.layers_[-1]

        def step(x: Tensor) -> Tensor:
            h = top.encode(x)
            e = self.sigma * torch.randn(h.shape, generator=generator, device=h.device)
            return top.decode(h + top.along_tangents(h, e))

        start = torch.rand(self.chains, top.W.shape[1], generator=generator, device=generator.device)
        return to_images(from_chains(start, step, self._down, n, self.burn_in, self.thin), self.space)

    def _down(self, x: Tensor) -> Tensor:
        """Return pixels of values at the input of the top layer, (n, H) -> (n, D)."""
        for layer in reversed(self.layers_[:-1]):
            x = layer.decode(x)
        return x

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Return the code of the top layer, (n, hidden[-1])."""
        x = to_unit(x, self.space)
        for layer in self.layers_:
            x = layer.encode(x)
        return x

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        """Return images of codes of the top layer, (n, C, H, W)."""
        return to_images(self._down(self.layers_[-1].decode(z)), self.space)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return what the layers decode from the top code of x, (n, C, H, W)."""
        return self.decode(self.encode(x))

    def features(self, x: Tensor) -> Tensor:
        """Return the code of the top layer, (n, hidden[-1])."""
        return self.encode(x)
