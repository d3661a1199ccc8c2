"""The deep belief net: Boltzmann machines stacked greedily, sampled by a chain in the topmost and a pass down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Gt, MinLen
from torch import Tensor

import genbench
from genbench.numerics import annealing
from genbench_plugins.models.boltzmann import BoltzmannModel, Layer, Width

INFERRED_MNIST: Mapping[str, object] = {
    "hidden": (1000, 1000),
    "visible": "bernoulli",
    "start": "marginals",
    "algorithm": "pcd",
    "k": 1,
    "particles": 100,
    "inputs": "means",
    "lr": 0.01,
    "lr_end": 0.1,
    "upper_lr": 1.0,
    "momentum": 0.0,
    "weight_decay": 0.0,
    "batch": 10,
    "epochs": 100,
    "chains": 100,
    "burn_in": 1000,
    "thin": 50,
    "sample_as": "means",
}


@dataclass(eq=False)
class DBN(BoltzmannModel):
    """Deep belief net (Hinton, Osindero & Teh 2006): p(x|h1) ... p(h_L-2|h_L-1) p(h_L-1, h_L), the last factor an RBM.

    Trained greedily, without fine-tuning: each machine learns what the one below makes of the data, p(h = 1|v) by mean
    activations all the way up, as they are or drawn anew in each batch (`inputs`). A sample is a Gibbs chain's state in
    the top machine, and then one draw of each layer below; of the pixels, the means or a draw. Gaussian pixels want a
    far smaller learning rate than the default: see `rbm`.

    The defaults were chosen by the validation images of `digits`. The preset `paper` is for the row "DBN" of Goodfellow
    et al. 2014, which is taken from Bengio, Mesnil, Dauphin & Rifai 2013, and it is inferred: the layers are that
    paper's as recalled, not verified; batch, epochs, first learning rate and mean activations are those of the LISA
    lab's tutorial on deep belief nets; PCD, the falling learning rate, and number and length of the chains were chosen
    here. It was not trained in full, so whether it comes to that row's 138 nats is not known.
    """

    version: ClassVar[int] = 1
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {"paper": INFERRED_MNIST}
    search: ClassVar[genbench.Search] = {
        **BoltzmannModel.search,
        "hidden": ((128, 128), (256, 256), (512, 512), (1000, 1000)),
        "upper_lr": genbench.Range(0.03, 3.0, log=True),
    }

    hidden: Annotated[tuple[Width, ...], MinLen(1)] = (256, 256)  # from the pixels up
    epochs: Width = 250  # of each machine
    upper_lr: Annotated[float, Gt(0)] = 0.1  # learning rate of the machines above the first, as a multiple of its own
    start: Literal["turned", "marginals"] = "turned"  # upper machines start as the one below turned round, if they can

    def build(self, space: genbench.Space, device: torch.device) -> None:
        """Make the machines and their optimisers, from the pixels up."""
        super().build(space, device)
        units = [self.visible] + ["bernoulli"] * (len(self.hidden) - 1)
        sizes = pairwise((space.dim, *self.hidden))
        self.layers_ = [self._layer(*size, kind, device) for size, kind in zip(sizes, units, strict=True)]
        self.optimisers_ = [self._optimiser(layer) for layer in self.layers_]

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        """Train one machine after another, each on the mean activations of the one below."""
        v = self._scaled(data.train.images)  # (n, D)
        below: Layer | None = None
        for layer, optimiser in zip(self.layers_, self.optimisers_, strict=True):
            if below is not None and self.start == "turned" and layer.can_turn(below):
                layer.start_turned(below)
            else:
                layer.start_at_marginals(v)
            self._train(layer, optimiser, v, run, self.lr if below is None else self.lr * self.upper_lr)
            with torch.no_grad():
                v, below = layer.up(v), layer

    # Abilities

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return means of p(x|h1), or draws from it, passed down from parallel chains in the top machine."""
        return self._sample(self.layers_, n, generator)

    @torch.no_grad()
    def energy_bound(self, x: Tensor) -> Tensor:
        """Return an upper bound on -log p(x) - log Z, with Z of the top machine, (n,): stochastic, with that mean.

        Salakhutdinov & Murray 2008, section 4: q(h1|x) q(h2|h1) ... of the passes up, one draw of each for each image.
        With one layer it is the free energy.
        """
        h, bound = self._scaled(x), x.new_zeros(len(x))
        for layer in self.layers_[:-1]:
            q = layer.up(h)
            above = torch.bernoulli(q)
            bound -= layer.log_prob(h, above) + torch.special.entr(torch.stack([q, 1 - q])).sum((0, 2))
            h = above
        return bound + self.layers_[-1].free_energy(h)

    def log_partition(self, chains: int, temperatures: int, generator: torch.Generator) -> Tensor:
        """Return log weights of annealing the top machine, (chains,): its Z is the mean of their exp."""
        weights = annealing.log_weights(self.layers_[-1].machine(), chains, temperatures, generator)
        return weights + self._log_volume()

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Return the mean activations of the top layer, (n, H)."""
        v = self._scaled(x)
        for layer in self.layers_:
            v = layer.up(v)
        return v

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        """Return the mean activations of the pixels for those of the top layer, (n, H) -> (n, C, H, W)."""
        for layer in reversed(self.layers_):
            z = layer.down(z)
        return self._images(z)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return mean activations passed up to the top and down again, (n, C, H, W)."""
        return self.decode(self.encode(x))

    def features(self, x: Tensor) -> Tensor:
        """Return the mean activations of the top layer, (n, H)."""
        return self.encode(x)
