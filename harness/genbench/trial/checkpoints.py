"""Checkpoints of a training: when one is written, which one counts, and what it holds."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from genbench.api import Model
from genbench.store.sealed import SealedFolder
from genbench.trial import seeding, state

EVERY = 10.0
"""Seconds between two checkpoints, unless others are asked for."""

SHARE = 50
"""A checkpoint that took t seconds is followed by at least 50 t of training: all together cost at most 2 %."""


class Keeper(Protocol):
    """What a training run asks to be kept, and for what was kept."""

    def due(self, loop_over: bool = False) -> bool:
        """Return whether it is time to keep the present state."""

    def keep(self, loop: int, step: int, run: Mapping[str, Any]) -> None:
        """Keep the present state of the model, of all random generators, and of the run."""

    def take_up(self, loop: int, run: Mapping[str, Any]) -> dict[str, Any] | None:
        """Put model and generators back where this loop was kept last; return the run's state, or None without one."""


class NoCheckpoints:
    """Keeps nothing."""

    def due(self, loop_over: bool = False) -> bool:
        """Never."""
        return False

    def keep(self, loop: int, step: int, run: Mapping[str, Any]) -> None:
        """Keep nothing."""

    def take_up(self, loop: int, run: Mapping[str, Any]) -> dict[str, Any] | None:
        """There is nothing to take up."""
        return None


class Checkpoints:
    """The checkpoints of one fit, a series of files per loop.

    fit is replayed after an interruption, and each of its loops then goes on from its own newest checkpoint; so the
    last one of every finished loop stays until fit is committed.

    every is the least number of seconds between two; 0 keeps the state after every step, whatever it costs. data are
    tensors that state may share memory with, and that are never written to.
    """

    def __init__(
        self,
        folder: SealedFolder,
        model: Model,
        device: torch.device,
        every: float = EVERY,
        data: Sequence[Tensor] = (),
    ) -> None:
        self._folder = folder
        self._model = model
        self._device = device
        self._every = every
        self._data = data
        self._kept_at = time.perf_counter()
        self._cost = 0.1  # seconds: what the first is taken to cost, so that a training of a second or two writes none

    def due(self, loop_over: bool = False) -> bool:
        """Return whether it is time to keep the present state; at the end of a loop, as soon as it is cheap enough."""
        least = SHARE * self._cost if loop_over else max(self._every, SHARE * self._cost)
        return self._every == 0 or time.perf_counter() - self._kept_at >= least

    def keep(self, loop: int, step: int, run: Mapping[str, Any]) -> None:
        """Write a checkpoint in place of the loop's last. Raises TypeError for state that cannot be stored."""
        started = time.perf_counter()
        values = {
            **{name: getattr(self._model, name) for name in state.learned(self._model)},
            "modes": _modes(self._model),
            "gradients": [p.grad for p in _parameters(self._model)],  # some models gather them over several steps
            "random": seeding.global_state(),
            "run": dict(run),
        }
        self._folder.put(_series(loop), step, lambda path: state.write(values, path, device=self._device))
        self._kept_at = time.perf_counter()
        self._cost = self._kept_at - started

    def take_up(self, loop: int, run: Mapping[str, Any]) -> dict[str, Any] | None:
        """Restore a loop's newest whole checkpoint. The generators in `run` are filled, not replaced."""
        path = self._folder.newest(_series(loop))
        if path is None:
            return None
        values = state.read(path, self._device, {**vars(self._model), "run": run}, self._data)
        kept: dict[str, Any] = values.pop("run")
        modes, random, gradients = values.pop("modes"), values.pop("random"), values.pop("gradients")
        for name, value in values.items():
            setattr(self._model, name, value)
        _set_modes(self._model, modes)
        for parameter, gradient in zip(_parameters(self._model), gradients, strict=True):
            parameter.grad = gradient
        seeding.set_global_state(random)
        self._kept_at = time.perf_counter()
        return kept


def _series(loop: int) -> str:
    return f"loop{loop:05d}"


def modules(model: Model) -> list[nn.Module]:
    """Return the modules among a model's learned state, those in lists, tuples and dicts too."""
    return [m for name in state.learned(model) for m in _modules_in(getattr(model, name))]


def _modules_in(value: Any) -> list[nn.Module]:
    if isinstance(value, nn.Module):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [m for item in value for m in _modules_in(item)] if isinstance(value, list | tuple) else []


def _parameters(model: Model) -> list[nn.Parameter]:
    return [parameter for top in modules(model) for parameter in top.parameters()]


def _modes(model: Model) -> list[list[bool]]:
    """Return what no state_dict holds: which modules are training, and which parameters want a gradient."""
    return [[m.training for m in top.modules()] + [p.requires_grad for p in top.parameters()] for top in modules(model)]


def _set_modes(model: Model, modes: list[list[bool]]) -> None:
    for top, kept in zip(modules(model), modes, strict=True):
        inner, parameters = list(top.modules()), list(top.parameters())
        for module, training in zip(inner, kept, strict=False):
            module.training = training
        for parameter, is_trainable in zip(parameters, kept[len(inner) :], strict=True):
            parameter.requires_grad = is_trainable
