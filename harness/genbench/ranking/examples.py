"""The paper's kind of error: over test images, of the score averaged over training seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from genbench import files

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def values_of_examples(paths: Sequence[Path | None]) -> NDArray[np.float64] | None:
    """Return the values per test image, (seeds, n), of a file for each seed.

    None where a seed has no such file, it cannot be read, or they differ in length.
    """
    import numpy as np
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        contents = [files.read_bytes(path, follow=False) for path in paths if path is not None]
        seeds = [load(content)["per_example"].astype("float64") for content in contents]
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):  # anyone may have written it
        return None
    one_row = all(values.ndim == 1 and values.size and np.isfinite(values).all() for values in seeds)
    if len(seeds) < len(paths) or not seeds or not one_row or len({len(values) for values in seeds}) > 1:
        return None
    return np.stack(seeds)


def stderr_over_examples(paths: Sequence[Path | None]) -> float | None:
    """Return the standard error over test images of the seed-averaged score, population standard deviation / sqrt(n).

    Each file holds one value per test image of one seed. None where a seed has no such file or they differ in length.
    """
    seeds = values_of_examples(paths)
    if seeds is None:
        return None
    averaged = seeds.mean(axis=0)  # (n,)
    return float(averaged.std() / math.sqrt(len(averaged)))
