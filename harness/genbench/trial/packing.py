"""Samples stored in no more room than their bits need: few different values as a table and a number for each."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from genbench.errors import printable

WHOLE, CODES, BITS, VALUES, SHAPE = "samples", "codes", "bits", "values", "shape"
"""The arrays of a file: samples as they are; or the number of each value, or its bit, with the values and (C, H, W)."""

MOST = 256
"""Different values that a byte can number."""

AT_ONCE = 1 << 22
"""Values looked up at once."""


def packed(samples: Tensor) -> dict[str, Tensor]:
    """Return the arrays that samples (n, C, H, W) float32 are stored as. Values are distinguished by their bits."""
    flat = samples.contiguous().numpy().view(np.uint32).reshape(len(samples), samples.shape[1:].numel())
    table = _values(flat)
    if table is None:
        return {WHOLE: samples.contiguous()}
    codes = np.concatenate([np.searchsorted(table, part).astype(np.uint8) for part in _parts(flat)])
    kept = {BITS: np.packbits(codes, axis=1)} if len(table) <= 2 else {CODES: codes}
    shape = torch.tensor(samples.shape[1:], dtype=torch.int64)
    arrays = {name: torch.from_numpy(array) for name, array in kept.items()}
    return {**arrays, VALUES: torch.from_numpy(table.view(np.float32)), SHAPE: shape}


def _values(flat: np.ndarray) -> np.ndarray | None:
    """Return the different values in order, at most 256, or None where there are more, or none at all."""
    found = np.empty(0, np.uint32)
    for part in _parts(flat):
        found = np.union1d(found, part)
        if len(found) > MOST:
            return None
    return found if len(found) else None


def _parts(flat: np.ndarray) -> list[np.ndarray]:
    """Return rows in portions, the first a single row: most samples that cannot be packed show there."""
    step = max(1, AT_ONCE // max(1, flat.shape[1]))
    return [flat[:1], *(flat[start : start + step] for start in range(1, len(flat), step))]


def check(shapes: Mapping[str, list[int]], where: object) -> int:
    """Return how many samples a file has, by the shapes of its arrays. Raises ValueError where it holds none."""
    form = next((name for name in (WHOLE, CODES, BITS) if name in shapes), "")
    if not form or (form != WHOLE and not {VALUES, SHAPE} <= shapes.keys()) or not shapes[form]:
        raise ValueError(f"{printable(where)} holds no samples")
    return shapes[form][0]


def unpacked(arrays: Mapping[str, Tensor], where: object) -> Tensor:
    """Return the samples of some rows, (n, C, H, W), bit for bit as they were stored.

    Raises ValueError for arrays that do not fit together: what comes out is never more than 32 times what is there.
    """
    if WHOLE in arrays:
        return arrays[WHOLE]
    table, shape = arrays[VALUES], arrays[SHAPE]
    codes = arrays[CODES] if CODES in arrays else arrays[BITS]
    if not (codes.dtype == torch.uint8 and codes.dim() == 2 and shape.dtype == torch.int64 and shape.shape == (3,)):
        raise ValueError(f"{printable(where)} holds no samples: its arrays are not as genbench packs them")
    if not (table.dtype == torch.float32 and table.dim() == 1 and 1 <= len(table) <= MOST):
        raise ValueError(f"{printable(where)} holds no samples: its values are no table of at most {MOST} floats")
    sizes = [int(size) for size in shape]
    dim = sizes[0] * sizes[1] * sizes[2]
    width = dim if CODES in arrays else -(-dim // 8)
    if min(sizes) < 1 or codes.shape[1] != width:
        raise ValueError(f"{printable(where)} holds no samples of shape {sizes}: {codes.shape[1]} bytes for each")
    numbers = codes.numpy() if CODES in arrays else np.unpackbits(codes.numpy(), axis=1, count=dim)
    if numbers.size and int(numbers.max()) >= len(table):
        raise ValueError(f"{printable(where)} holds no samples: a number has no value in its table")
    found = np.empty(numbers.shape, np.float32)
    step = max(1, AT_ONCE // dim)
    for start in range(0, len(numbers), step):
        found[start : start + step] = table.numpy()[numbers[start : start + step]]
    return torch.from_numpy(found).reshape(len(numbers), *sizes)
