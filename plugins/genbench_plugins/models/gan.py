"""Adversarial nets: a generator and a discriminator in a two-player game (Goodfellow et al. 2014)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Le, Lt, MinLen
from torch import Tensor, nn
from torch.nn.functional import softplus

import genbench
from genbench_plugins.networks import (
    Activation,
    Dropout,
    GaussianNoise,
    Images,
    Maxout,
    activation,
    init_uniform,
    linears,
    set_bias_from_marginals,
)

Probability = Annotated[float, Ge(0), Lt(1)]


class Momentum(torch.optim.Optimizer):
    """Classical momentum, as in pylearn2: v <- m v - lr g, θ <- θ + v. (torch's SGD keeps lr outside of v.)"""

    def __init__(self, params: Iterable[nn.Parameter], lr: float, momentum: float) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                v = state.setdefault("v", torch.zeros_like(p))
                v.mul_(group["momentum"]).sub_(p.grad, alpha=group["lr"])
                p.add_(v)


@dataclass(eq=False)
class GAN(genbench.Model):
    latent: int = 100
    noise: Literal["uniform", "unit-uniform", "gaussian"] = "unit-uniform"
    g_hidden: tuple[int, ...] = (128, 128)
    g_activations: tuple[Activation, ...] = ("relu",)
    g_dropout: float = 0.0
    g_noise: float = 0.0
    g_irange: float = 0.0
    marginals: bool = True
    d_hidden: tuple[int, ...] = (64, 64)
    pieces: int = 3
    dropout_in: float = 0.2
    dropout: float = 0.5
    d_irange: float = 0.0
    loss: Literal["non-saturating", "minimax"] = "non-saturating"
    updates: Literal["simultaneous", "alternating"] = "alternating"
    k: int = 1
    optimiser: Literal["adam", "momentum"] = "adam"
    lr: float = 2e-4
    lr_d: float = 2e-4
    lr_decay: float = 1.0
    lr_floor: float = 0.0
    betas: tuple[float, float] = (0.5, 0.999)
    ema: float = 0.0
    batch: int = 100
    epochs: int = 400

    def build(self, space, device):
        d = space.dim
        layers = []; n = self.latent
        for i, u in enumerate(self.g_hidden):
            layers += [nn.Linear(n, u), activation(self.g_activations[min(i, len(self.g_activations) - 1)]), Dropout(self.g_dropout), GaussianNoise(self.g_noise)]
            n = u
        self.G_ = nn.Sequential(*layers, nn.Linear(n, d), Images(space.shape, space.bounds)).to(device)
        layers = [nn.Flatten(), Dropout(self.dropout_in)]; n = d
        for u in self.d_hidden:
            layers += [Maxout(n, u, self.pieces), Dropout(self.dropout)]; n = u
        self.D_ = nn.Sequential(*layers, nn.Linear(n, 1), nn.Flatten(0)).to(device)
        if self.g_irange: init_uniform(linears(self.G_), self.g_irange)
        if self.d_irange: init_uniform(linears(self.D_), self.d_irange)
        mk = (lambda p, lr: torch.optim.Adam(p, lr=lr, betas=self.betas, fused=True)) if self.optimiser == "adam" else (lambda p, lr: Momentum(p, lr, .5))
        self.og_ = mk(self.G_.parameters(), self.lr); self.od_ = mk(self.D_.parameters(), self.lr_d)
        self.space = space
        import copy
        self.E_ = copy.deepcopy(self.G_)

    def latent_(self, n, generator):
        if self.noise == "gaussian":
            return torch.randn(n, self.latent, generator=generator, device=generator.device)
        r = 1 if self.noise == "uniform" else math.sqrt(3)
        return torch.rand(n, self.latent, generator=generator, device=generator.device).mul_(2 * r).sub_(r)

    def fit(self, data, run):
        if self.marginals:
            set_bias_from_marginals(linears(self.G_)[-1], data.train.images, self.space.bounds)
        dp = list(self.D_.parameters()); gp = list(self.G_.parameters())
        total = self.epochs * math.ceil(len(data.train) / self.batch)
        for x, _ in run.batches(data.train, self.batch, self.epochs):
            m = len(x)
            t = run.step / total
            f = 1.0 if t < 1 - self.lr_decay else max((1 - t) / self.lr_decay, 0.02)
            for o, lr in ((self.og_, self.lr), (self.od_, self.lr_d)):
                o.param_groups[0]["lr"] = lr * f
            z = self.latent_(m, run.generator)
            for _ in range(self.k - 1):
                xx, _ = run.draw(data.train, m)
                with torch.no_grad(): f_ = self.G_(self.latent_(m, run.generator))
                s = self.D_(torch.cat([xx, f_])); d = .5 * (softplus(-s[:m]).mean() + softplus(s[m:]).mean())
                self.od_.zero_grad(); d.backward(); self.od_.step()
            fake = self.G_(z)
            if self.updates == "simultaneous":
                leaf = fake.detach().requires_grad_()
                s = self.D_(torch.cat([x, leaf]))
                with torch.no_grad():
                    r, q = s[:m], s[m:]
                    b = (.5 * q.sigmoid()).clamp(min=1e-20) / m
                    a = -(-q).sigmoid() / m
                    d = .5 * (softplus(-r).mean() + softplus(q).mean()); g = softplus(-q).mean()
                    seed = torch.cat([-.5 / m * (-r).sigmoid(), b])
                self.od_.zero_grad(); s.backward(seed)
                self.og_.zero_grad(); fake.backward(leaf.grad * (a / b)[:, None, None, None])
                self.od_.step(); self.og_.step()
            else:
                s = self.D_(torch.cat([x, fake.detach()]))
                d = .5 * (softplus(-s[:m]).mean() + softplus(s[m:]).mean())
                self.od_.zero_grad(); d.backward(); self.od_.step()
                for p in dp: p.requires_grad_(False)
                g = softplus(-self.D_(fake)).mean()
                self.og_.zero_grad(); g.backward(); self.og_.step()
                for p in dp: p.requires_grad_(True)
            if self.ema:
                with torch.no_grad():
                    torch._foreach_lerp_(list(self.E_.parameters()), gp, 1 - self.ema)
            run.log(d=d, g=g)

    @torch.no_grad()
    def sample(self, n, generator):
        G = (self.E_ if self.ema else self.G_).eval()
        return G(self.latent_(n, generator))
