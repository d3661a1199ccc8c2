"""The 8x8 digits that come with scikit-learn: no network, no files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from genbench import Dataset, Split, Splits
from genbench.io import permutation

if TYPE_CHECKING:
    import numpy as np


@dataclass(eq=False)
class Digits(Dataset):
    """Handwritten digits, 8x8 grey, 10 classes, bundled with scikit-learn: 1,000 train, 297 valid, 500 test."""

    version: ClassVar[int] = 1
    citation: ClassVar[str] = (
        "E. Alpaydin, C. Kaynak: Optical recognition of handwritten digits. UCI Machine Learning Repository, 1998."
    )

    def load(self, folder: Path) -> Splits[np.ndarray[Any, Any]]:
        """Return the images, permuted once: in file order other writers fill the test part. `folder` is not used."""
        import numpy as np
        from sklearn.datasets import load_digits

        bunch = load_digits()
        order = permutation(1797)
        images = (bunch.images[order, None] / 16).astype(np.float32)
        labels = bunch.target[order].astype(np.int64)
        train, valid, test = (slice(0, 1000), slice(1000, 1297), slice(1297, 1797))
        return Splits(
            train=Split(images[train], labels[train]),
            valid=Split(images[valid], labels[valid]),
            test=Split(images[test], labels[test]),
            classes=10,
        )
