"""Algorithm 1 of "Generative Adversarial Nets" (Goodfellow et al. 2014), and the simultaneous updates of its code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from genbench_plugins.networks import limit_norms, linears

Loss = Literal["non-saturating", "minimax"]

Minibatch: TypeAlias = tuple[Tensor, tuple[Tensor, ...]]
"""Images x (m, C, H, W), and what G and D are given beside noise and images: y (m,), or nothing."""


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return -V(D, G)/2 of logits, eq. 1: the mean of -log D(x) and -log(1 - D(G(z))), log 2 when D knows nothing."""
    return (softplus(-real).mean() + softplus(fake).mean()) / 2


def generator_loss(fake: Tensor, loss: Loss) -> Tensor:
    """Return the mean of -log D(G(z)) of logits (section 3), or of log(1 - D(G(z))) as in eq. 1."""
    return softplus(-fake).mean() if loss == "non-saturating" else -softplus(fake).mean()


@dataclass(frozen=True)
class Game:
    """G and D, each with its optimiser. max_norm bounds each unit's incoming weights after an update; 0: none."""

    G: nn.Module
    D: nn.Module
    optimise_G: torch.optim.Optimizer
    optimise_D: torch.optim.Optimizer
    loss: Loss
    max_norm: float

    def play(
        self, data: Iterable[Minibatch], draw: Callable[[int], Minibatch], prior: Callable[[int], Tensor], k: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Algorithm 1: k updates of D, the last with the minibatch from data, then one of G; yield both losses."""
        for x, y in data:
            m = len(x)
            for _ in range(k - 1):
                self.update_D(*draw(m), prior(m))
            d = self.update_D(x, y, prior(m))
            g = self.update_G(y, prior(m))
            yield d, g

    def play_simultaneously(
        self, data: Iterable[Minibatch], draw: Callable[[int], Minibatch], prior: Callable[[int], Tensor], k: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """As in the paper's code: the last of the k updates of D and that of G at once, with the same z."""
        for x, y in data:
            m = len(x)
            for _ in range(k - 1):
                self.update_D(*draw(m), prior(m))
            yield self.update_both(x, y, prior(m))

    def update_D(self, x: Tensor, y: tuple[Tensor, ...], z: Tensor) -> Tensor:
        """Descend the gradient of D's loss on m images and m samples; return the loss."""
        with torch.no_grad():
            fake = self.G(z, *y)
        s = self._judge_both(x, fake, y)
        d = discriminator_loss(s[: len(x)], s[len(x) :])
        self._descend(self.optimise_D, self.D, torch.autograd.grad(d, _trained(self.D)))
        return d

    def update_G(self, y: tuple[Tensor, ...], z: Tensor) -> Tensor:
        """Descend the gradient of G's loss on m samples; return the loss."""
        g = generator_loss(self.D(self.G(z, *y), *y), self.loss)
        self._descend(self.optimise_G, self.G, torch.autograd.grad(g, _trained(self.G)))
        return g

    def update_both(self, x: Tensor, y: tuple[Tensor, ...], z: Tensor) -> tuple[Tensor, Tensor]:
        """Update D and G by gradients at the same parameters, with the same G(z) and the same dropout masks in D.

        One backward pass through D serves both. Each example passes D alone, so what arrives at a generated image is
        its own dL_D/ds · ds/dx, with s its logit: multiplied by dL_G/ds over dL_D/ds, it is what L_G sends there.
        """
        m = len(x)
        fake = self.G(z, *y)  # (m, C, H, W)
        image = fake.detach().requires_grad_()
        s = self._judge_both(x, image, y)  # (2m,)
        with torch.no_grad():
            d, g = discriminator_loss(s[:m], s[m:]), generator_loss(s[m:], self.loss)
            p = s[m:].sigmoid()
            d_real = -(-s[:m]).sigmoid() / (2 * m)  # dL_D/ds
            d_fake = (p / (2 * m)).clamp_min(1e-20)  # dL_D/ds; the floor is far below rounding, and keeps 0/0 away
            g_fake = -((-s[m:]).sigmoid() if self.loss == "non-saturating" else p) / m  # dL_G/ds
        *d_gradients, sent = torch.autograd.grad(s, [*_trained(self.D), image], torch.cat([d_real, d_fake]))
        sent = sent * (g_fake / d_fake).view(m, 1, 1, 1)
        g_gradients = torch.autograd.grad(fake, _trained(self.G), sent)
        self._descend(self.optimise_D, self.D, d_gradients)
        self._descend(self.optimise_G, self.G, g_gradients)
        return d, g

    def _judge_both(self, x: Tensor, fake: Tensor, y: tuple[Tensor, ...]) -> Tensor:
        """Return D's logits of real images and of generated ones that are given the same, (2m,)."""
        s: Tensor = self.D(torch.cat([x, fake]), *(torch.cat([given, given]) for given in y))
        return s

    def _descend(self, optimiser: torch.optim.Optimizer, network: nn.Module, gradients: Sequence[Tensor]) -> None:
        for p, gradient in zip(_trained(network), gradients, strict=True):
            p.grad = gradient
        optimiser.step()
        if self.max_norm:
            limit_norms(linears(network), self.max_norm)


def _trained(network: nn.Module) -> list[nn.Parameter]:
    return [p for p in network.parameters() if p.requires_grad]
