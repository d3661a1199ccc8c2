"""Digests of values, to tell whether something changed and what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from genbench import files
from genbench.api import Model, Split, TrainingData
from genbench.testing.fixtures import scratch
from genbench.trial import state


def fingerprints(values: Mapping[str, Any]) -> dict[str, str]:
    """Return a digest of each value of the kinds that models may keep as state. Raises TypeError for others."""
    found = {}
    with scratch() as folder:
        for name, value in values.items():
            path = folder / "value"
            state.write({name: value}, path)
            found[name] = files.sha256(path)
    return found


def of_state(model: Model) -> dict[str, str]:
    """Return a digest of each attribute of a model's learned state."""
    return fingerprints({name: getattr(model, name) for name in state.learned(model)})


def of_tensors(**tensors: Tensor | Split[Tensor] | TrainingData | None) -> dict[str, str]:
    """Return a digest of each tensor, by name; of splits, of their images and labels."""
    flat: dict[str, Any] = {}
    for name, value in tensors.items():
        if isinstance(value, TrainingData):
            flat |= {f"{name}.train": _parts(value.train), f"{name}.valid": _parts(value.valid)}
        else:
            flat[name] = _parts(value) if isinstance(value, Split) else value
    return fingerprints(flat)


def _parts(split: Split[Tensor]) -> list[Tensor | None]:
    return [split.images, split.labels]


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return the names whose digests differ, those that came and those that went."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
