"""The game that adversarial nets play, whatever their networks are: losses, updates, schedules and averages."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn
from torch.nn.functional import softplus

import genbench
from genbench_plugins.networks import init_uniform, limit_norms, linears, set_bias_from_marginals

Width = Annotated[int, Gt(0)]
Share = Annotated[float, Ge(0), Lt(1)]


# Losses and steps ----------------------------------------------------------------------------------------------------


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return -V(D, G)/2 of logits, eq. 1: the mean of -log D(x) and -log(1 - D(G(z))), log 2 when D knows nothing."""
    return (softplus(-real).mean() + softplus(fake).mean()) / 2


def generator_loss(fake: Tensor, loss: Literal["non-saturating", "minimax"]) -> Tensor:
    """Return the mean of -log D(G(z)) of logits (section 3), or of log(1 - D(G(z))) as in eq. 1."""
    return softplus(-fake).mean() if loss == "non-saturating" else -softplus(fake).mean()


class Momentum(torch.optim.SGD):
    """Classical momentum: v <- m v - lr g, θ <- θ + v, in one pass over the weights by torch's fused SGD.

    SGD keeps lr out of its buffer, b <- m b + g, θ <- θ - lr b. It is the same with b = -v/lr, as long as b is scaled
    when lr changes.
    """

    def __init__(self, params: Iterable[nn.Parameter], lr: float, momentum: float) -> None:
        super().__init__(params, lr, momentum, fused=True)
        for group in self.param_groups:
            group["lr_before"] = lr

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            group["m"], group["momentum"] = group["momentum"], group["momentum"] * group["lr_before"] / group["lr"]
        super().step()
        for group in self.param_groups:
            group["momentum"], group["lr_before"] = group.pop("m"), group["lr"]


def _trained(network: nn.Module) -> list[nn.Parameter]:
    return [p for p in network.parameters() if p.requires_grad]


# The game ------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class AdversarialNets(genbench.Model):
    """A generator and a discriminator, and how they are trained; a model adds the networks, and how it samples.

    G ends in a linear map and `Images`, D in a logit (n,). Both may be given more than noise and images: `given`.
    """

    # z: U(-1, 1), U(-√3, √3) of variance 1, U(0, 1) or N(0, 1)
    noise: Literal["uniform", "unit-uniform", "hypercube", "gaussian"] = "gaussian"
    latent: Width = 10
    marginals: bool = True  # start from an output bias of G with the training images' mean
    g_irange: Annotated[float, Ge(0)] = 0.0  # weights from U(-irange, irange), biases 0; irange 0: torch's own init
    d_irange: Annotated[float, Ge(0)] = 0.0
    # The game
    loss: Literal["non-saturating", "minimax"] = "non-saturating"
    updates: Literal["simultaneous", "alternating"] = "simultaneous"  # as in the paper's code, as in its Algorithm 1
    k: Width = 1  # updates of D for each of G
    # Optimisation
    optimiser: Literal["adam", "momentum"] = "adam"
    lr: Annotated[float, Gt(0)] = 1e-3  # of G
    d_lr_ratio: Annotated[float, Gt(0)] = 3.0  # of D, as a multiple of G's
    lr_decay: Annotated[float, Ge(1)] = 1.0  # lr is divided by it after each batch,
    lr_floor: Annotated[float, Ge(0)] = 0.0  # down to this
    betas: tuple[Share, Share] = (0.5, 0.999)  # of adam
    momentum: Share = 0.5  # in the first epoch, going linearly to
    momentum_final: Share = 0.5  # from
    momentum_epochs: Width = 1  # on
    max_norm: Annotated[float, Ge(0)] = 0.0  # of each unit's incoming weights, kept after each update; 0: none
    average: Share = 0.999  # decay of the running mean of G's weights that samples come from; 0: G itself
    batch: Width = 100
    epochs: Width = 300

    def _begin(self, G: nn.Module, D: nn.Module, space: genbench.Space) -> None:
        """Take the networks, and make what else changes in training."""
        self.bounds = space.bounds
        self.G_, self.D_ = G, D
        if self.g_irange:
            init_uniform(linears(G), self.g_irange)
        self.averaged_ = copy.deepcopy(G) if self.average else None
        self._begin_discriminator()

    def _begin_discriminator(self) -> None:
        """Draw D's first weights, where they are not torch's own, and make both optimisers."""
        if self.d_irange:
            init_uniform(linears(self.D_), self.d_irange)
        self.optimise_G_ = self._optimiser(self.G_, self.lr)
        self.optimise_D_ = self._optimiser(self.D_, self.lr * self.d_lr_ratio)

    def _optimiser(self, network: nn.Module, lr: float) -> torch.optim.Optimizer:
        if self.optimiser == "momentum":
            return Momentum(network.parameters(), lr, self.momentum)
        return torch.optim.Adam(network.parameters(), lr, self.betas, fused=True)

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        """Play the game: Algorithm 1, or simultaneous updates."""
        self._start(data.train.images)
        self._play(data, run, self.epochs, select=True)

    def _start(self, images: Tensor) -> None:
        """Take from the training images what training starts from."""
        if self.marginals:
            set_bias_from_marginals(self._output_bias(), images, self.bounds)

    def _output_bias(self) -> Tensor:
        """Return the biases of G's output, (C·H·W,)."""
        bias = linears(self.G_)[-1].bias
        assert bias is not None
        return bias

    def _play(self, data: genbench.TrainingData, run: genbench.Run, epochs: int, select: bool) -> None:
        self.G_.train()
        self.D_.train()
        if self.averaged_ is not None:
            self.averaged_.load_state_dict(self.G_.state_dict())
        before = run.step
        for x, labels in run.batches(data.train, self.batch, epochs, select=select):
            self._schedule(run.epoch, run.step - before)
            given = self._given(labels)
            # k steps on D, the last of them with this batch
            for _ in range(self.k - 1):
                extra, extra_labels = run.draw(data.train, len(x))
                self._update_D(extra, self._z(len(x), run.generator), self._given(extra_labels))
            # One step on G
            if self.updates == "simultaneous":
                d, g = self._update_both(x, self._z(len(x), run.generator), given)
            else:
                d = self._update_D(x, self._z(len(x), run.generator), given)
                g = self._update_G(self._z(len(x), run.generator), given)
            self._average(run.step - before)
            run.log(d=d, g=g)

    def _given(self, labels: Tensor | None) -> tuple[Tensor, ...]:
        """Return what G and D are told of a batch beside noise and images: nothing, here."""
        return ()

    def _z(self, n: int, generator: torch.Generator) -> Tensor:
        size, device = (n, self.latent), generator.device
        if self.noise == "gaussian":
            return torch.randn(size, generator=generator, device=device)
        u = torch.rand(size, generator=generator, device=device)
        if self.noise == "hypercube":
            return u
        return math.sqrt(3) * (2 * u - 1) if self.noise == "unit-uniform" else 2 * u - 1

    def _update_both(self, x: Tensor, z: Tensor, given: tuple[Tensor, ...] = ()) -> tuple[Tensor, Tensor]:
        """Update D and G by gradients at the same parameters, with the same G(z) and the same dropout masks in D.

        One backward pass through D serves both. Each example passes D alone, so what arrives at a generated image is
        its own dL_D/ds · ds/dx, with s its logit: multiplied by dL_G/ds over dL_D/ds, it is what L_G sends there.
        """
        m = len(x)
        fake = self.G_(z, *given)  # (m, C, H, W)
        image = fake.detach().requires_grad_()
        s = self._judge_both(x, image, given)  # (2m,)
        with torch.no_grad():
            d, g = discriminator_loss(s[:m], s[m:]), generator_loss(s[m:], self.loss)
            p = s[m:].sigmoid()
            d_real = -(-s[:m]).sigmoid() / (2 * m)  # dL_D/ds
            d_fake = (p / (2 * m)).clamp_min(1e-20)  # dL_D/ds; the floor is far below rounding, and keeps 0/0 away
            g_fake = -((-s[m:]).sigmoid() if self.loss == "non-saturating" else p) / m  # dL_G/ds
        *d_gradients, sent = torch.autograd.grad(s, [*_trained(self.D_), image], torch.cat([d_real, d_fake]))
        sent = sent * (g_fake / d_fake).view(m, 1, 1, 1)
        g_gradients = torch.autograd.grad(fake, _trained(self.G_), sent)
        self._descend(self.optimise_D_, self.D_, d_gradients)
        self._descend(self.optimise_G_, self.G_, g_gradients)
        return d, g

    def _judge_both(self, x: Tensor, fake: Tensor, given: tuple[Tensor, ...]) -> Tensor:
        """Return D's logits of real images and of generated ones that are given the same, (2m,)."""
        s: Tensor = self.D_(torch.cat([x, fake]), *(torch.cat([y, y]) for y in given))
        return s

    def _update_D(self, x: Tensor, z: Tensor, given: tuple[Tensor, ...]) -> Tensor:
        with torch.no_grad():
            fake = self.G_(z, *given)
        s = self._judge_both(x, fake, given)
        d = discriminator_loss(s[: len(x)], s[len(x) :])
        self._descend(self.optimise_D_, self.D_, torch.autograd.grad(d, _trained(self.D_)))
        return d

    def _update_G(self, z: Tensor, given: tuple[Tensor, ...]) -> Tensor:
        g = generator_loss(self.D_(self.G_(z, *given), *given), self.loss)
        self._descend(self.optimise_G_, self.G_, torch.autograd.grad(g, _trained(self.G_)))
        return g

    def _descend(self, optimiser: torch.optim.Optimizer, network: nn.Module, gradients: Sequence[Tensor]) -> None:
        for p, gradient in zip(_trained(network), gradients, strict=True):
            p.grad = gradient
        optimiser.step()
        if self.max_norm:
            limit_norms(linears(network), self.max_norm)

    def _schedule(self, epoch: int, step: int) -> None:
        """Set the learning rates of this batch and the momentum of this epoch."""
        lr = self.lr_at(step)
        for optimiser, rate in ((self.optimise_G_, lr), (self.optimise_D_, lr * self.d_lr_ratio)):
            for group in optimiser.param_groups:
                group["lr"] = rate
                if self.optimiser == "momentum":
                    group["momentum"] = self.momentum_at(epoch)

    def lr_at(self, step: int) -> float:
        """Return G's learning rate at a batch, from 1: divided by lr_decay once for each batch before it."""
        return max(self.lr * math.exp(-(step - 1) * math.log(self.lr_decay)), self.lr_floor)

    def momentum_at(self, epoch: int) -> float:
        """Return the momentum in an epoch, from 1: linear from the first epoch to the `momentum_epochs`-th."""
        passed = min((epoch - 1) / max(self.momentum_epochs - 1, 1), 1.0)
        return self.momentum + (self.momentum_final - self.momentum) * passed

    @torch.no_grad()
    def _average(self, step: int) -> None:
        """Move the averaged weights towards G's; the decay starts low, so that the first weights are soon forgotten."""
        if self.averaged_ is not None:
            decay = min(self.average, step / (step + 9))
            for mean, p in zip(self.averaged_.parameters(), self.G_.parameters(), strict=True):
                mean.lerp_(p, 1 - decay)

    @torch.no_grad()
    def _generate(self, z: Tensor, given: tuple[Tensor, ...] = ()) -> Tensor:
        """Return G(z), (n, C, H, W), of the averaged weights if there are any, without noise or dropout inside G."""
        generator = self.G_ if self.averaged_ is None else self.averaged_
        x: Tensor = generator.eval()(z, *given)
        return x
