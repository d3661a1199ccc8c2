"""Mean and covariance of real images' features, from a file as pytorch-fid and clean-fid write and publish them."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, NoReturn

import torch

import genbench
from genbench.numerics.frechet import Gaussian

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_MIB = 1024
"""What a file may be, and unpack to: a covariance of 2,048 features takes 32."""

KEYS = ("mu", "sigma")


def read(file: genbench.File) -> Gaussian:
    """Return the Gaussian in a .npz file with mu (d,) and sigma (d, d). Raises DataError for another file."""
    name = file.name
    content = file.read(MOST_MIB << 20)
    try:
        mean, covariance = _arrays(name, content)
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        _refuse(name, f"cannot be read ({error})", "a .npz file with mu and sigma, as pytorch-fid writes it")
    _check(name, mean, covariance)
    return Gaussian(len(mean) + 1, torch.from_numpy(mean), torch.from_numpy(covariance))  # of how many is not known


def _arrays(name: str, content: bytes) -> tuple[NDArray[Any], NDArray[Any]]:
    import numpy as np

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        unpacked = sum(each.file_size for each in archive.infolist())
    if unpacked > MOST_MIB << 20:
        _refuse(name, f"take {unpacked >> 20} MiB", f"at most {MOST_MIB}")
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        if missing := [key for key in KEYS if key not in stored]:
            _refuse(name, f"have no {missing[0]!r} among {sorted(stored)}", "mu and sigma, as pytorch-fid writes them")
        mean, covariance = (stored[key] for key in KEYS)
    if mean.dtype.kind != "f" or covariance.dtype.kind != "f":
        _refuse(name, f"are {mean.dtype} and {covariance.dtype}", "floating point numbers")
    return mean.astype(np.float64), covariance.astype(np.float64)


def _check(name: str, mean: NDArray[Any], covariance: NDArray[Any]) -> None:
    import numpy as np

    if mean.ndim != 1 or not len(mean) or covariance.shape != (len(mean), len(mean)):
        _refuse(name, f"have mu of shape {mean.shape} and sigma of {covariance.shape}", "(d,) and (d, d)")
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        _refuse(name, "hold NaN or infinity", "finite numbers")
    rounding = 1e-5 * np.abs(covariance).max()
    if np.abs(covariance - covariance.T).max() > rounding or np.linalg.eigvalsh(covariance)[0] < -rounding:
        _refuse(name, "have a sigma that is no covariance", "a symmetric one, its eigenvalues not below 0")


def _refuse(name: str, found: str, expected: str) -> NoReturn:
    raise genbench.DataError(f"statistics {name!r} {found}; expected {expected}")
