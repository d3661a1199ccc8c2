"""CIFAR-10, read by torchvision, which checks every file's checksum."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge

from genbench import DataError, Dataset, Split, Splits
from genbench_plugins.datasets.originals import Originals

if TYPE_CHECKING:
    import numpy as np

BATCHES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta")


@dataclass(eq=False)
class CIFAR10(Dataset):
    """Photographs of things and animals, 32x32 rgb, 10 classes: 40,000 train, 10,000 valid (the last), 10,000 test."""

    version: ClassVar[int] = 1
    valid: Annotated[int, Ge(1)] = 10_000

    citation: ClassVar[str] = "A. Krizhevsky: Learning multiple layers of features from tiny images. 2009."
    originals: ClassVar[Originals] = Originals(
        "cifar10", "CIFAR10", "cifar-10-batches-py", BATCHES, ("cifar-10-python.tar.gz",)
    )

    def load(self, folder: Path) -> Splits[np.ndarray[Any, Any]]:
        """Return the images of the original files in `folder`, downloaded where they are missing."""
        import numpy as np

        train, test = self.originals.load(folder)
        n = len(train.data) - self.valid
        if n < 1:
            raise DataError(f"cifar10: valid={self.valid}; expected less than the {len(train.data)} in train")
        images, labels = train.data.transpose(0, 3, 1, 2), np.array(train.targets, np.int64)
        return Splits(
            train=Split(images[:n], labels[:n]),
            valid=Split(images[n:], labels[n:]),
            test=Split(test.data.transpose(0, 3, 1, 2), np.array(test.targets, np.int64)),
            classes=10,
        )

    def fingerprint(self, folder: Path) -> str:
        """Return what tells changed original files from unchanged ones."""
        return self.originals.fingerprint(folder)
