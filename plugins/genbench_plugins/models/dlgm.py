"""The deep latent Gaussian model: several stochastic layers, one above another (Rezende, Mohamed & Wierstra 2014)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar

import torch
from annotated_types import Gt, MinLen
from torch import Tensor, nn

import genbench
from genbench_plugins.models.vae import VAE
from genbench_plugins.networks import Activation, mlp

Width = Annotated[int, Gt(0)]


class Cascade(nn.Module):
    """From the noise of all layers to pre-activations of pixels: h_L = G_L ξ_L, h_l = T_l(h_{l+1}) + G_l ξ_l, T_0(h_1).

    T are multilayer perceptrons, G matrices. Widths are those of h, from the top, h_L, down to h_1.
    """

    def __init__(
        self, widths: Sequence[int], between: Sequence[int], hidden: Sequence[int], values: int, name: Activation
    ) -> None:
        super().__init__()
        self.widths = list(widths)
        self.G = nn.ParameterList(torch.eye(width) for width in widths)
        self.T = nn.ModuleList(mlp(above, between, below, (name,)) for above, below in pairwise(widths))
        self.pixels = mlp(widths[-1], hidden, values, (name,))

    def forward(self, xi: Tensor) -> Tensor:
        """Return pre-activations, (n, sum of widths) -> (n, D)."""
        top, *others = (part @ G.T for part, G in zip(torch.split(xi, self.widths, 1), self.G, strict=True))
        h = top
        for T, noise in zip(self.T, others, strict=True):
            h = T(h) + noise
        a: Tensor = self.pixels(h)
        return a


@dataclass(eq=False)
class DLGM(VAE):
    """Deep latent Gaussian model: a variational autoencoder whose decoder adds Gaussian noise in several layers.

    Codes are the noise ξ of all layers, of the top one first: a priori standard normal, so a bound on the likelihood is
    that of the variational autoencoder, its divergence the sum over layers. The recognition model q(ξ|v) is a
    product over layers, as in the paper. Chosen here: it is diagonal within each, where the paper also has a
    precision of rank one more; one network gives all layers; and weights have no penalty.
    The defaults were chosen by the validation images of `digits`.
    """

    version: ClassVar[int] = 1
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {}
    search: ClassVar[genbench.Search] = {
        **VAE.search,
        "layers": ((16,), (32,), (64,)),
    }

    latent: Width = 10  # units of the top layer, h_L
    layers: Annotated[tuple[Width, ...], MinLen(1)] = (32,)  # units of the stochastic layers below it, downwards
    between: tuple[Width, ...] = (64,)  # units of the perceptrons T from one stochastic layer to the next
    hidden: tuple[Width, ...] = (200, 200)  # of the recognition model; T_0 has the same backwards

    def build(self, space: genbench.Space, device: torch.device) -> None:
        """Make the recognition model, (n, D) -> (n, 2·codes), the generative one and their optimiser."""
        self.space = space
        widths = (self.latent, *self.layers)
        self.encoder_ = mlp(space.dim, self.hidden, 2 * sum(widths), (self.activation,)).to(device)
        self.decoder_ = Cascade(widths, self.between, self.hidden[::-1], space.dim, self.activation).to(device)
        parameters = [*self.encoder_.parameters(), *self.decoder_.parameters()]
        self.optimiser_ = torch.optim.Adam(parameters, self.lr, fused=True)

    def latents(self, n: int, generator: torch.Generator) -> Tensor:
        """Return ξ of all layers from the prior, (n, latent + sum of layers)."""
        return torch.randn(n, self.latent + sum(self.layers), generator=generator, device=generator.device)
