"""Weights of the domain classifier that come with genbench, known by the digest of the dataset they were trained on."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load
from torch import Tensor

from genbench import DataError, opened

FOLDER = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Shipped:
    """A file of weights, from weights/manifest.toml: recipe is the version of what made it, accuracy that on test."""

    name: str
    dataset: str
    recipe: int
    sha256: str
    accuracy: float

    @property
    def path(self) -> Path:
        """Return where the file is."""
        return FOLDER / f"{self.name}.safetensors"

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights. Raises DataError where the file is not the one of the manifest."""
        try:
            with opened(self.path) as file:
                content = file.read()
        except OSError as error:
            raise DataError(
                f"{self.path}: {error.strerror or error}; expected weights. Install genbench anew"
            ) from error
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise DataError(
                f"{self.path} is damaged: SHA-256 {found[:16]}, expected {self.sha256[:16]}. Install genbench anew"
            )
        return load(content)


def manifest() -> dict[str, Shipped]:
    """Return all weights that come with genbench, by the name of their dataset."""
    with opened(FOLDER / "manifest.toml") as file:
        listed = tomllib.load(file)
    return {name: Shipped(name, **entry) for name, entry in listed.items()}


def shipped(dataset: str) -> Shipped | None:
    """Return the weights for a dataset of this digest, or None where none come with genbench."""
    return next((weights for weights in manifest().values() if weights.dataset == dataset), None)
