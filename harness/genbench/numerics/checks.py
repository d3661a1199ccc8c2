"""What sets of examples must be before numbers are made of them, and the refusals that say so."""

import torch
from torch import Tensor

from genbench.numerics.blocks import rows_at_once


def check_rows(values: Tensor, name: str, least: int = 1) -> None:
    """Raise ValueError unless `values` (n, ...) has at least `least` rows, each of at least one value."""
    if values.dim() < 2 or len(values) < least or values.numel() == 0:
        count = "one" if least == 1 else str(least)
        raise ValueError(
            f"{name} of shape {tuple(values.shape)}: expected rows, at least {count}, of at least one value"
        )


def check_widths(x: Tensor, y: Tensor, names: tuple[str, str]) -> None:
    """Raise ValueError unless the rows of x (n, ...) and y (m, ...) hold equally many values."""
    if x[0].numel() != y[0].numel():
        raise ValueError(
            f"{names[0]} of shape {tuple(x.shape)} and {names[1]} of shape {tuple(y.shape)}: widths differ"
        )


def check_finite(values: Tensor, name: str) -> None:
    """Raise ValueError, with the first row that has one, where a value is NaN or infinite."""
    rows = rows_at_once(values)
    for start, part in zip(range(0, len(values), rows), torch.split(values, rows), strict=True):  # each is copied
        bad = ~part.flatten(1).isfinite().all(1)
        if bool(bad.any()):
            row = start + int(bad.nonzero()[0])
            raise ValueError(f"{name} hold NaN or infinity, first in row {row}: expected finite values")
