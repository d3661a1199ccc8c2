"""Published weights: downloaded once, known by their SHA-256, and opened without running what may be in them."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import urllib.request
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

import genbench
from genbench import DataError
from genbench_plugins.extractors.whole_files import replacing

TIMEOUT = 20.0
"""Seconds that a connection may stay silent."""
CHUNK = 1 << 20


@dataclass(frozen=True)
class Official:
    """A file of weights at its publisher's, kept in a folder of the data folder.

    size in bytes bounds what is taken from there.
    """

    url: str
    sha256: str
    size: int
    folder: str = "torch-fidelity"

    def path(self, originals: Path) -> Path:
        """Return where it lies in the data folder."""
        return originals / self.folder / self.url.rpartition("/")[2]

    def fetched(self, originals: Path) -> Path:
        """Return where it lies, downloaded where it did not. Raises DataError where it cannot be had."""
        path = self.path(originals)
        if not os.path.lexists(path):
            try:
                self._download(path)
            except (OSError, ValueError) as error:
                raise DataError(
                    f"weights are missing: put {self.url} at {str(path)!r}, or name a file by --weights PATH. The "
                    f"download failed: {type(error).__name__}: {error}"
                ) from error
        return path

    def _download(self, path: Path) -> None:
        """Write the file whole or not at all. Raises OSError, ValueError where it is another."""
        sha, taken = hashlib.sha256(), 0
        # the folder is made once somebody answers
        with urllib.request.urlopen(self.url, timeout=TIMEOUT) as answer, replacing(path) as aside:
            with aside.open("wb") as file:
                while (chunk := answer.read(CHUNK)) and taken <= self.size:
                    sha.update(chunk)
                    taken += file.write(chunk)
            if sha.hexdigest() != self.sha256:
                raise ValueError(
                    f"{taken} bytes came, of SHA-256 {sha.hexdigest()}; expected {self.size}, {self.sha256}"
                )


def opened(path: Path, sha256: str) -> dict[str, Tensor]:
    """Return the tensors in a file of this SHA-256. Nothing that was pickled into it runs.

    Raises DataError where it is another file, or holds anything but finite tensors by name.
    """
    content = content_of(path, sha256)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected pickle protocol")  # of what it then refuses
            state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, AttributeError, TypeError) as error:
        # torch's own message advises to open the file unsafely
        raise DataError(
            f"weights {str(path)!r} are no file of tensors as torch.save writes it, or hold code; expected tensors only"
        ) from error
    return checked(state, path)


def content_of(path: Path, sha256: str) -> bytes:
    """Return what is in a file of this SHA-256. Raises DataError where it is another, or cannot be read."""
    try:
        with genbench.opened(path) as file:
            content: bytes = file.read()
    except OSError as error:
        raise DataError(f"weights {str(path)!r} cannot be read: {error.strerror or error}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError(f"weights {str(path)!r} have SHA-256 {found}; expected {sha256}. Remove or replace the file")
    return content


def checked(state: object, path: Path) -> dict[str, Tensor]:
    """Return a state dict of finite tensors by name. Raises DataError for anything else."""
    if not isinstance(state, dict):
        raise DataError(f"weights {str(path)!r} hold {type(state).__name__}; expected a state dict, tensors by name")
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor) or not tensor.isfinite().all():
            raise DataError(f"weights {str(path)!r}: {name!r} is no name of a tensor of finite numbers")
    return dict(state)
