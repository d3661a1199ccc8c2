"""Which state of a training is kept: the last, or the best by the validation images; the test split has no part."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from genbench.api import Model
from genbench.numerics.parzen import PAPER_SIGMAS, choose_sigma
from genbench.store.sealed import SealedFolder
from genbench.trial import seeding, state
from genbench.trial.checkpoints import modules

SAMPLES, IMAGES = 10_000, 1_000
"""Samples and validation images that a state is judged by, as in the paper's code (`parzen_ll.py`)."""


class Selector(Protocol):
    """What a training run shows the model's state to, at the end of epochs of loops that can be sampled from."""

    def consider(self, loop: int, epoch: int, is_last: bool) -> float | None:
        """Judge the present state, where it is time to, and keep it if it is the best; return its score, if judged."""

    def settle(self, loop: int) -> None:
        """Put the best state of a loop in place of the present one."""

    def kept(self) -> dict[str, Any]:
        """Return what a checkpoint must hold of the selection so far."""

    def take_up(self, kept: dict[str, Any]) -> None:
        """Go on with what a checkpoint held."""


class KeepLast:
    """Judges nothing: the state at the end of training is what is kept."""

    def consider(self, loop: int, epoch: int, is_last: bool) -> float | None:
        """Judge nothing."""
        return None

    def settle(self, loop: int) -> None:
        """Leave the present state."""

    def kept(self) -> dict[str, Any]:
        """Return nothing: there is nothing to hold."""
        return {}

    def take_up(self, kept: dict[str, Any]) -> None:
        """Go on with nothing."""


class BestValid:
    """Keeps the state whose samples give validation images the greatest Parzen log-likelihood, in nats.

    sigma is the best of the paper's ten for the same images. Samples are drawn from streams of their own, in eval mode:
    training goes on as if nobody had looked. The best state so far lives in a sealed folder, under its epoch; training
    that is resumed from before that epoch comes to it again, and to the same bits.
    """

    def __init__(
        self, folder: SealedFolder, model: Model, valid: Tensor, seed: int, every: int, spared: Sequence[Tensor] = ()
    ) -> None:
        self.judged = 0
        self._folder = folder
        self._model = model
        self._valid = valid[:IMAGES]
        self._seed = seed
        self._every = every
        self._spared = spared
        self._best: dict[int, float] = {}

    def consider(self, loop: int, epoch: int, is_last: bool) -> float | None:
        """Judge every so many epochs, and the last."""
        if epoch % self._every and not is_last:
            return None
        self.judged += 1
        score = self._score(epoch)
        if score > self._best.get(loop, -torch.inf):
            self._best[loop] = score
            device = self._valid.device
            self._folder.put(_series(loop), epoch, lambda path: state.save(self._model, path, False, device))
        return score

    def settle(self, loop: int) -> None:
        """Put the best state in place; where a loop was never judged, the present one stays."""
        path = self._folder.newest(_series(loop)) if loop in self._best else None
        if path is not None:
            for name, value in state.read(path, self._valid.device, vars(self._model), self._spared).items():
                setattr(self._model, name, value)

    def kept(self) -> dict[str, Any]:
        """Return what a checkpoint must hold of the selection so far."""
        return {"best": {str(loop): score for loop, score in self._best.items()}, "judged": self.judged}

    def take_up(self, kept: dict[str, Any]) -> None:
        """Go on with what a checkpoint held."""
        self._best = {int(loop): score for loop, score in kept["best"].items()}
        self.judged = kept["judged"]

    @torch.no_grad()
    def _score(self, epoch: int) -> float:
        with _in_eval_mode(self._model):
            size = self._model.sample_batch
            batches = [self._samples(epoch, batch, size) for batch in range(-(-SAMPLES // size))]
        samples = torch.cat(batches)[:SAMPLES]
        return (
            choose_sigma(samples, self._valid, PAPER_SIGMAS).log_likelihood if samples.isfinite().all() else -torch.inf
        )

    def _samples(self, epoch: int, batch: int, size: int) -> Tensor:
        with seeding.seeded(self._seed, "select", epoch, batch):
            return self._model.sample(
                size, seeding.stream(self._seed, "select", epoch, batch, device=self._valid.device)
            )


def _series(loop: int) -> str:
    return f"best{loop:05d}"


@contextlib.contextmanager
def _in_eval_mode(model: Model) -> Iterator[None]:
    """Be as samples are drawn, and leave every module in the mode it was in."""
    inner = [m for top in modules(model) for m in top.modules()]
    modes = [m.training for m in inner]
    for module in inner:
        module.training = False
    try:
        yield
    finally:
        for module, training in zip(inner, modes, strict=True):
            module.training = training
