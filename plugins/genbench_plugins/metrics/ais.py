"""The log-likelihood of test images by annealed importance sampling, for models whose density is no formula."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, cast

import torch
from annotated_types import Ge, Le
from torch import Tensor

import genbench
from genbench.abilities import Energy, EnergyBound, Latents, LogJoint, Observe, Partition
from genbench.numerics.importance import log_mean_and_error, summary
from genbench_plugins.metrics.decoder_evidence import Annealing, Decoder, SampledDecoder
from genbench_plugins.metrics.model_density import SEED, OnModelDensity, mean_and_error, per_image

Count = Annotated[int, Ge(2), Le(10_000_000)]

FEW, LEAST = 0.1, 5
"""The share of chains that count, and their number, below which an estimate of log Z hangs on a few."""

TOO_GREAT = "log Z by annealing is too small in expectation, so that this log-likelihood is too great"
TOO_SMALL = "annealing of codes gives a lower bound on the log-likelihood in expectation"
OF_A_BOUND = "the energy is bounded from above, which makes the log-likelihood too small; log Z by annealing, too great"


@dataclass(frozen=True)
class Estimate:
    """log p(x) of each image (n,), the standard error that all share, and what is reported beside the mean."""

    values: Tensor
    error: float
    extras: dict[str, float]
    notes: tuple[str, ...]


@dataclass(eq=False)
class AIS(OnModelDensity):
    """Mean of log p(x) over some target images, the same for all models, by annealed importance sampling (Neal 2001).

    For a model with an energy, log p(x) = -E(x) - log Z, and log Z is estimated by the model's own annealing
    (`chains`, `temperatures`: Salakhutdinov & Murray 2008). The standard error holds that of log Z, to first order. As
    log Z comes out too small in expectation, log p(x) comes out too great: watch `effective_chains`.

    For a decoder, by Hamiltonian moves of codes from the prior to the posterior of each image (`posterior_chains`,
    `posterior_temperatures`: Wu et al. 2017, with their sigmoid schedule), step sizes tuned to an acceptance of .65 by
    a quarter as many chains beforehand, whose weights are not used. Here log p(x) comes out too small in expectation.
    `gap` estimates how far at most: the mean distance of upper from lower bounds on images that the decoder itself
    draws, whose codes are known (bidirectional Monte Carlo: Grosse et al. 2015); `gap_error` is its standard error, and
    by chance it may lie below 0. It says little of images unlike the decoder's own.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Log-likelihood by annealed importance sampling"
    unit: ClassVar[str] = "nats per test image"
    caption_extras: ClassVar[tuple[str, ...]] = ("log_z", "effective_chains", "gap")
    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "print": {
            "images": 1_000,
            "temperatures": 10_000,
            "posterior_chains": 16,
            "posterior_temperatures": 10_000,
            "simulated": 100,
        }
    }

    images: Count = 100  # target images that are scored, at most
    chains: Count = 100  # for log Z of an energy
    temperatures: Count = 1_000  # of each of them
    posterior_chains: Count = 8  # for the codes of each image, of a decoder
    posterior_temperatures: Count = 300  # of each of them
    leapfrog: Annotated[int, Ge(1), Le(1_000)] = 10  # steps of each Hamiltonian move
    simulated: Annotated[int, Ge(0), Le(10_000_000)] = 20  # images that the decoder draws for the gap; 0: none

    def _lacks(self, model: genbench.Model) -> str | None:
        if _has_energy(model) or (isinstance(model, LogJoint) and isinstance(model, Latents)):
            return None
        return "nothing can be annealed: the model has neither log_partition with an energy, nor log_joint with latents"

    def evaluate(self, evaluation: genbench.Evaluation) -> genbench.Score:
        """Return the mean over images, its standard error with that of log Z, and what tells of the estimate."""
        model, images = evaluation.model, self._chosen(self.observed(evaluation))
        if _has_energy(model):
            found = self._by_energy(cast(Partition, model), images, evaluation.generator)
        else:
            found = self._by_codes(cast(Decoder, model), images, evaluation.generator)
        mean, spread = mean_and_error(found.values)
        extras = {**found.extras, "bits_per_dim": self.bits_per_dim(mean, evaluation)}
        # Nothing per example: that would leave the error of log Z out, which all images share.
        return genbench.Score(mean, math.hypot(spread, found.error), extras, notes=found.notes, against=len(images))

    def _chosen(self, images: Tensor) -> Tensor:
        """Return the images that are scored: drawn once, since the order of a split may be that of classes."""
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(SEED))
        return images[order[: self.images].to(images.device)]

    def _by_energy(self, model: Partition, images: Tensor, generator: torch.Generator) -> Estimate:
        """Return -E(x) - log Z, (n,), the standard error of log Z, and what is known of it."""
        with torch.no_grad():
            log_w = model.log_partition(self.chains, self.temperatures, generator)
        if log_w.shape != (self.chains,):
            raise ValueError(
                f"log_partition returned {tuple(log_w.shape)}; expected ({self.chains},), one for each chain"
            )
        log_z, error = log_mean_and_error(log_w)
        effective = summary([log_w.view(-1, 1)]).effective.item()
        name, energy = ("energy", model.energy) if isinstance(model, Energy) else _bounded(model)
        extras = {
            "log_z": log_z,
            "log_z_low": log_z - 1.96 * error,
            "log_z_high": log_z + 1.96 * error,
            "effective_chains": effective,
        }
        notes = [TOO_GREAT if name == "energy" else OF_A_BOUND]
        if effective < max(FEW * self.chains, LEAST):
            notes += [f"log Z hangs on few chains: {effective:.1f} of {self.chains} count, and its error is not known"]
        return Estimate(-per_image(name, images, energy) - log_z, error, extras, tuple(notes))

    def _by_codes(self, model: Decoder, images: Tensor, generator: torch.Generator) -> Estimate:
        """Return an estimate for each image, (n,), no other error, and how far it may be off."""
        annealing = Annealing(self.posterior_chains, self.posterior_temperatures, self.leapfrog)
        values = annealing.log_evidence(model, images, generator)
        if not self.simulated or not isinstance(model, Observe):
            return Estimate(values, 0.0, {}, (f"{TOO_SMALL}; how far it is off was not looked at",))
        lower, upper = annealing.sandwich(cast(SampledDecoder, model), self.simulated, generator)
        gap, gap_error = mean_and_error(upper - lower)
        return Estimate(values, 0.0, {"gap": gap, "gap_error": gap_error}, (TOO_SMALL,))

    def describe(self) -> str:
        """Return the protocol in words."""
        return (
            f"at most {self.images:,} images; log Z by {self.chains:,} chains at {self.temperatures:,} temperatures, "
            f"codes by {self.posterior_chains:,} at {self.posterior_temperatures:,} for each image, of {self.leapfrog} "
            f"leapfrog steps, gap on {self.simulated:,} simulated images; {self._in_words()}"
        )


def _has_energy(model: object) -> bool:
    return isinstance(model, Partition) and isinstance(model, Energy | EnergyBound)


def _bounded(model: object) -> tuple[str, Callable[[Tensor], Tensor]]:
    assert isinstance(model, EnergyBound)  # skip sees to that
    return "energy_bound", model.energy_bound
