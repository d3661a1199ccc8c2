"""Densities of pixels given a decoder's pre-activations: Bernoulli, or Gaussian of a fixed width."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

import genbench
from genbench_plugins.models.noise import bernoulli

Likelihood = Literal["gaussian", "bernoulli"]
SampleAs = Literal["means", "draws"]


def log_likelihood(x: Tensor, a: Tensor, likelihood: Likelihood, sigma: float) -> Tensor:
    """Return log p(x|z) in nats, (n,), of x in [0, 1], (n, D), whose means are the sigmoid of a, (n, D)."""
    if likelihood == "bernoulli":
        return -binary_cross_entropy_with_logits(a, x, reduction="none").sum(1)
    error = ((x - a.sigmoid()) / sigma).square().sum(1)
    return -error / 2 - x.shape[1] * math.log(sigma * math.sqrt(2 * math.pi))


def log_jacobian(likelihood: Likelihood, space: genbench.Space) -> float:
    """Return what makes a log density of pixels scaled to [0, 1] one of pixel values: 0 for binary images."""
    low, high = space.bounds
    return 0.0 if likelihood == "bernoulli" else -space.dim * math.log(high - low)


def draw(mean: Tensor, likelihood: Likelihood, sigma: float, generator: torch.Generator) -> Tensor:
    """Return x drawn around its means, (n, D)."""
    if likelihood == "bernoulli":
        return bernoulli(mean, generator)
    return mean + sigma * torch.randn(mean.shape, generator=generator, device=mean.device)


def observe(
    mean: Tensor, likelihood: Likelihood, sigma: float, space: genbench.Space, generator: torch.Generator
) -> Tensor:
    """Return pixel values drawn around means in [0, 1], (n, D) -> (n, C, H, W): not clipped to the bounds."""
    low, high = space.bounds
    return (low + (high - low) * draw(mean, likelihood, sigma, generator)).view(len(mean), *space.shape)


def observations(likelihood: Likelihood) -> Literal["real", "binary"]:
    """Return what the density is of."""
    return "binary" if likelihood == "bernoulli" else "real"


def samples_are(likelihood: Likelihood, sample_as: SampleAs) -> Literal["means", "draws", "clipped"]:
    """Return what samples are: draws of a Gaussian are clipped to the bounds."""
    return "clipped" if (likelihood, sample_as) == ("gaussian", "draws") else sample_as
