"""Mean and covariance of real images' features, from a file as pytorch-fid and clean-fid write and publish them."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import torch

import genbench
from genbench.numerics.frechet import Gaussian

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_MIB = 1024
"""What a file may be, and unpack to: a covariance of 2,048 features takes 32."""

KEYS = ("mu", "sigma")


@dataclass(frozen=True, eq=False)
class Statistics:
    """A Gaussian and the SHA-256 of the file that it is from."""

    fitted: Gaussian
    digest: str


def read(path: str) -> Statistics:
    """Return what a .npz file with mu (d,) and sigma (d, d) holds. Raises DataError, saying what is wrong with it."""
    try:
        with genbench.opened(os.path.expanduser(path)) as file:
            content = file.read((MOST_MIB << 20) + 1)
        mean, covariance = _arrays(path, content)
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        _refuse(path, f"cannot be read ({error})", "a .npz file with mu and sigma, as pytorch-fid writes it")
    _check(path, mean, covariance)
    fitted = Gaussian(len(mean) + 1, torch.from_numpy(mean), torch.from_numpy(covariance))  # of how many is not known
    return Statistics(fitted, hashlib.sha256(content).hexdigest())


def _arrays(path: str, content: bytes) -> tuple[NDArray[Any], NDArray[Any]]:
    import numpy as np

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        unpacked = sum(each.file_size for each in archive.infolist())
    if max(unpacked, len(content)) > MOST_MIB << 20:
        _refuse(path, f"take {max(unpacked, len(content)) >> 20} MiB", f"at most {MOST_MIB}")
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        if missing := [key for key in KEYS if key not in stored]:
            _refuse(path, f"have no {missing[0]!r} among {sorted(stored)}", "mu and sigma, as pytorch-fid writes them")
        mean, covariance = (stored[key] for key in KEYS)
    if mean.dtype.kind != "f" or covariance.dtype.kind != "f":
        _refuse(path, f"are {mean.dtype} and {covariance.dtype}", "floating point numbers")
    return mean.astype(np.float64), covariance.astype(np.float64)


def _check(path: str, mean: NDArray[Any], covariance: NDArray[Any]) -> None:
    import numpy as np

    if mean.ndim != 1 or not len(mean) or covariance.shape != (len(mean), len(mean)):
        _refuse(path, f"have mu of shape {mean.shape} and sigma of {covariance.shape}", "(d,) and (d, d)")
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        _refuse(path, "hold NaN or infinity", "finite numbers")
    if np.abs(covariance - covariance.T).max() > 1e-5 * np.abs(covariance).max() or covariance.diagonal().min() < 0:
        _refuse(path, "have a sigma that is no covariance", "a symmetric one, its diagonal not below 0")


def _refuse(path: str, found: str, expected: str) -> NoReturn:
    raise genbench.DataError(f"statistics {path!r} {found}; expected {expected}")
