"""log p(x) under a decoder by annealing its codes from the prior to the posterior (Wu et al. 2017)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from genbench.abilities import Latents, LogJoint, Observe
from genbench.numerics.blocks import values_at_once
from genbench.numerics.hmc_annealing import LogJoint as OfCodes
from genbench.numerics.hmc_annealing import Moves, anneal, sigmoid_schedule, tuned
from genbench.numerics.importance import summary

VALUES = 2**21
"""Pixel values of all copies of images whose codes are moved at a time."""


class Decoder(LogJoint, Latents, Protocol):
    """A model with a prior of codes, and a density of images and codes."""


class SampledDecoder(Decoder, Observe, Protocol):
    """A decoder that also draws images from p(x|z)."""


@dataclass(frozen=True)
class Annealing:
    """How many chains there are for each image, at how many temperatures, moved by how many leapfrog steps."""

    chains: int
    temperatures: int
    leapfrog: int

    def log_evidence(self, decoder: Decoder, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return an estimate of log p(x) for each image, (n,) float64: a lower bound in expectation."""
        return torch.cat([self._forward(decoder, part, generator)[0] for part in self._parts(images)])

    def sandwich(self, decoder: SampledDecoder, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return lower and upper bounds in expectation on log p(x) of n images that the decoder draws, (n,) each.

        The upper ones are by chains that go back from the codes that images were drawn with, which are exact draws of
        the posterior (Grosse et al. 2015).
        """
        z = decoder.latents(n, generator)
        images = decoder.observe(z, generator)
        found = [
            self._around(decoder, part, codes, generator)
            for part, codes in zip(self._parts(images), torch.split(z, self._rows(images)), strict=True)
        ]
        lower, upper = zip(*found, strict=True)
        return torch.cat(lower), torch.cat(upper)

    def _around(
        self, decoder: Decoder, images: Tensor, codes: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        lower, moves = self._forward(decoder, images, generator)
        start = codes.expand(self.chains, -1, -1)
        back = anneal(_of_codes(decoder, images, self.chains), start, moves.reversed, generator)
        return lower, -summary([back]).log_mean

    def _forward(self, decoder: Decoder, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Moves]:
        """Return estimates for a few images, (n,), and the moves that they were made by."""
        pilots = -(-self.chains // 4)
        betas = sigmoid_schedule(self.temperatures)
        prior = functools.partial(_prior, decoder, len(images), generator)
        moves = tuned(_of_codes(decoder, images, pilots), prior(pilots), betas, self.leapfrog, generator)
        log_w = anneal(_of_codes(decoder, images, self.chains), prior(self.chains), moves, generator)
        return summary([log_w]).log_mean, moves

    def _parts(self, images: Tensor) -> tuple[Tensor, ...]:
        return torch.split(images, self._rows(images))

    def _rows(self, images: Tensor) -> int:
        """Return for how many images to move codes at a time."""
        return max(1, values_at_once(images.device, VALUES) // (self.chains * images[0].numel()))


def _prior(decoder: Decoder, n: int, generator: torch.Generator, chains: int) -> Tensor:
    """Return codes of the prior for chains and images, (chains, n, d)."""
    codes = decoder.latents(chains * n, generator)
    return codes.view(chains, n, codes.shape[1])


def _of_codes(decoder: Decoder, images: Tensor, chains: int) -> OfCodes:
    """Return log_joint of the codes of chains, those of all images in each chain, (chains·n, d) -> (2, chains·n)."""
    repeated = images.repeat(chains, 1, 1, 1)
    return lambda z: decoder.log_joint(repeated, z)
