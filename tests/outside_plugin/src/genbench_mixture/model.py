"""The model: a mixture of Gaussians with diagonal covariances, fitted by expectation maximisation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import genbench
import torch
from annotated_types import Gt
from torch import Tensor

PART = 4096  # images taken to float64 at once
EMPTY = 1e-9  # a component that this share of one image belongs to, or less, has nothing to learn from


@dataclass(eq=False)
class Mixture(genbench.Model):
    """Mixture of Gaussians with diagonal covariances, fitted by expectation maximisation (Dempster et al. 1977).

    The components begin at training images far from each other, with the variance of all images, and equal weights.
    No standard deviation falls below `floor`, so that none shrinks onto one image or one grey value. With it a step is
    still the exact maximum of its bound: the likelihood of the training images never falls.

    Gaussians know no bounds: samples are clipped to them, and say so. `log_prob` is the exact log density, in nats, of
    the mixture that is not clipped; a clipped one has none, since a share of its pixels lies on the bounds themselves.
    Where pixels never change it grows without end as `floor` falls, so compare it at one floor.
    50 components had the greatest density of the validation images of `digits` at the default floor, a twentieth
    of the range by judgement.
    """

    version: ClassVar[int] = 1
    family: ClassVar[Literal["explicit"]] = "explicit"
    samples_are = "clipped"

    components: Annotated[int, Gt(0)] = 50
    iterations: Annotated[int, Gt(0)] = 50
    floor: Annotated[float, Gt(0)] = 0.05  # least standard deviation, as a share of the width of the bounds

    def build(self, space: genbench.Space, device: torch.device) -> None:
        """Begin with equal components at the middle of the bounds, as wide as these."""
        self.space = space
        low, high = space.bounds
        shape = self.components, space.dim
        self.log_weights_ = torch.full(shape[:1], -math.log(shape[0]), dtype=torch.float64, device=device)  # (K,)
        self.means_ = torch.full(shape, (low + high) / 2, dtype=torch.float64, device=device)  # (K, D)
        self.variances_ = torch.full(shape, (high - low) ** 2 / 4, dtype=torch.float64, device=device)  # (K, D)

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        """Do one step of expectation maximisation an epoch, on all training images at once."""
        self.seed(data.train.images, run.generator)
        for images, _ in run.batches(data.train, size=len(data.train), epochs=self.iterations):
            run.log(log_prob=self.step(images))

    def seed(self, images: Tensor, generator: torch.Generator) -> None:
        """Put the components on images far from each other; each has the variance of all."""
        x = images.flatten(1)
        self.means_ = x[far_apart(x, self.components, generator)].double()
        spread = x.var(0, correction=0).double()  # (D,)
        self.variances_ = self._floored(spread).repeat(self.components, 1)

    def step(self, images: Tensor) -> Tensor:
        """Do one step of expectation maximisation; return the mean log density of the images before it."""
        counts, total = torch.zeros_like(self.log_weights_), torch.zeros_like(self.log_weights_[0])
        sums, squares = torch.zeros_like(self.means_), torch.zeros_like(self.means_)
        for part in torch.split(images.flatten(1), PART):
            x = part.double()  # (b, D)
            joint = self._log_joint(x)  # (b, K)
            log_p = joint.logsumexp(1)  # (b,)
            belonging = (joint - log_p[:, None]).exp()  # (b, K)
            counts += belonging.sum(0)
            sums += belonging.T @ x
            squares += belonging.T @ x.square()
            total += log_p.sum()
        self._maximise(counts, sums, squares)
        return total / len(images)

    def _maximise(self, counts: Tensor, sums: Tensor, squares: Tensor) -> None:
        """Set each component to the moments of what belongs to it; one that nothing belongs to stays where it is."""
        seen = (counts > EMPTY)[:, None]
        divisor = counts.clamp_min(EMPTY)[:, None]
        means = sums / divisor
        variances = self._floored(squares / divisor - means.square())
        self.means_ = torch.where(seen, means, self.means_)
        self.variances_ = torch.where(seen, variances, self.variances_)
        self.log_weights_ = (counts.clamp_min(EMPTY) / counts.sum()).log()

    def _floored(self, variances: Tensor) -> Tensor:
        low, high = self.space.bounds
        return variances.clamp_min((self.floor * (high - low)) ** 2)

    def _log_joint(self, x: Tensor) -> Tensor:
        """Return log of weight times density of each component, (b, D) -> (b, K)."""
        precisions = 1 / self.variances_
        distances = x.square() @ precisions.T - 2 * x @ (self.means_ * precisions).T
        distances += (self.means_.square() * precisions).sum(1)
        return self.log_weights_ - (distances + (2 * math.pi * self.variances_).log().sum(1)) / 2

    # Abilities

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return draws from the mixture, clipped to the bounds, (n, C, H, W)."""
        chosen = torch.multinomial(self.log_weights_.exp(), n, replacement=True, generator=generator)  # (n,)
        eps = torch.randn(n, self.space.dim, generator=generator, device=generator.device)
        x = self.means_[chosen] + self.variances_[chosen].sqrt() * eps  # (n, D)
        return x.float().clamp(*self.space.bounds).view(n, *self.space.shape)

    @torch.no_grad()
    def log_prob(self, x: Tensor) -> Tensor:
        """Return the log density of the mixture that is not clipped, in nats, (n,) float64."""
        parts = torch.split(x.flatten(1), PART)
        return torch.cat([self._log_joint(part.double()).logsumexp(1) for part in parts])


def far_apart(x: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """Return the numbers of k rows far from each other, (k,), as k-means++ draws them (Arthur & Vassilvitskii 2007).

    Each is drawn in proportion to its squared distance to the nearest before it; where all are 0, any is.
    """
    chosen = [torch.randint(len(x), (1,), generator=generator, device=x.device)]
    nearest = torch.full((len(x),), math.inf, device=x.device)
    for _ in range(k - 1):
        nearest = torch.minimum(nearest, (x - x[chosen[-1]]).square().sum(1))
        chosen.append(torch.multinomial(nearest.clamp_min(1e-30), 1, generator=generator))
    return torch.cat(chosen)
