"""The restricted Boltzmann machine, trained by contrastive divergence and sampled by parallel Gibbs chains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

import genbench
from genbench.numerics import annealing
from genbench_plugins.models.boltzmann import BoltzmannModel, Width

GAUSSIAN_DIGITS: Mapping[str, object] = {
    "visible": "gaussian",
    "sigma": 0.25,
    "hidden": 64,
    "lr": 0.003,
    "epochs": 200,
}


@dataclass(eq=False)
class RBM(BoltzmannModel):
    """Restricted Boltzmann machine (Smolensky 1986), trained by CD-k (Hinton 2002) or PCD-k (Tieleman 2008).

    p(v, h) is in proportion to exp(-E(v, h)), with E(v, h) = -b'v - c'h - h'Wv for Bernoulli visible units v. Grey
    pixels are taken as probabilities: v is drawn from them anew in each batch, or is (`inputs="means"`, as in the
    tutorials of the LISA lab) the grey values themselves. For Gaussian visible units v are pixels over `sigma`, which
    is fixed, and E(v, h) = |v - b|²/2 - c'h - h'Wv: so p(v|h) = N(b + W'h, I). They want far smaller learning rates: at
    the default they diverge, so start from the preset `gaussian`.
    The defaults were chosen by the validation images of `digits`.
    """

    version: ClassVar[int] = 1
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {"gaussian": GAUSSIAN_DIGITS}
    search: ClassVar[genbench.Search] = {
        **BoltzmannModel.search,
        "hidden": genbench.Range(64, 1024, log=True),
    }

    hidden: Width = 256

    def build(self, space: genbench.Space, device: torch.device) -> None:
        """Make the machine and its optimiser."""
        super().build(space, device)
        self.layer_ = self._layer(space.dim, self.hidden, self.visible, device)
        self.optimiser_ = self._optimiser(self.layer_)

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        """Follow the (persistent) contrastive divergence starting from the pixels' marginals."""
        v = self._scaled(data.train.images)  # (n, D)
        self.layer_.start_at_marginals(v)
        self._train(self.layer_, self.optimiser_, v, run, self.lr)

    # Abilities

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return means of p(v|h), or draws from it, at the states of parallel Gibbs chains, (n, C, H, W)."""
        return self._sample([self.layer_], n, generator)

    @torch.no_grad()
    def energy(self, x: Tensor) -> Tensor:
        """Return the free energy F(v) = -log Σ_h exp(-E(v, h)), (n,).

        Its exp(-F) is in proportion to p(v): a density of pixels for Gaussian visible units, a probability of binary
        images for Bernoulli ones. Of grey images it is then the same formula, which orders them, and no density.
        """
        return self.layer_.free_energy(self._scaled(x))

    def log_partition(self, chains: int, temperatures: int, generator: torch.Generator) -> Tensor:
        """Return log weights of annealed importance sampling (Salakhutdinov & Murray 2008), (chains,).

        The mean of their exp is Z, and p(x) is exp(-F(x)) / Z: of pixel values for Gaussian visible units.
        """
        weights = annealing.log_weights(self.layer_.machine(), chains, temperatures, generator)
        return weights + self._log_volume()

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Return p(h = 1|v), (n, hidden)."""
        return self.layer_.up(self._scaled(x))

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        """Return the means of p(v|h) for hidden units, or their probabilities, z, (n, C, H, W)."""
        return self._images(self.layer_.down(z))

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return the means of p(v|h) at the probabilities of h given x, (n, C, H, W)."""
        return self.decode(self.encode(x))

    def features(self, x: Tensor) -> Tensor:
        """Return p(h = 1|v), (n, hidden)."""
        return self.encode(x)
