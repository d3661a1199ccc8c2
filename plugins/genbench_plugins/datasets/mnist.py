"""MNIST and Fashion-MNIST, read by torchvision."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge

from genbench import DataError, Dataset, Split, Splits
from genbench_plugins.datasets.originals import Originals

if TYPE_CHECKING:
    import numpy as np

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def idx_files(name: str, source: str) -> Originals:
    """Return where torchvision keeps a dataset in MNIST's format."""
    place = f"{source}/raw"
    return Originals(name, source, place, FILES, tuple(f"{place}/{file}.gz" for file in FILES))


@dataclass(eq=False)
class MNIST(Dataset):
    """Handwritten digits, 28x28 grey, 10 classes: 50,000 train, 10,000 valid (the last of train), 10,000 test."""

    version: ClassVar[int] = 1
    valid: Annotated[int, Ge(1)] = 10_000

    citation: ClassVar[str] = (
        "Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-based learning applied to document recognition. "
        "Proceedings of the IEEE 86(11), 1998."
    )
    originals: ClassVar[Originals] = idx_files("mnist", "MNIST")

    def load(self, folder: Path) -> Splits[np.ndarray[Any, Any]]:
        """Return the images of the original files in `folder`, downloaded where they are missing."""
        train, test = self.originals.load(folder)
        n = len(train.data) - self.valid
        if n < 1:
            raise DataError(
                f"{self.originals.name}: valid={self.valid}; expected less than the {len(train.data)} in train"
            )
        images, labels = train.data.numpy()[:, None], train.targets.numpy()
        return Splits(
            train=Split(images[:n], labels[:n]),
            valid=Split(images[n:], labels[n:]),
            test=Split(test.data.numpy()[:, None], test.targets.numpy()),
            classes=10,
        )

    def fingerprint(self, folder: Path) -> str:
        """Return what tells changed original files from unchanged ones."""
        return self.originals.fingerprint(folder)


@dataclass(eq=False)
class FashionMNIST(MNIST):
    """Articles of clothing, 28x28 grey, 10 classes: 50,000 train, 10,000 valid (the last of train), 10,000 test."""

    citation: ClassVar[str] = (
        "H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST: a novel image dataset for benchmarking machine learning "
        "algorithms. arXiv:1708.07747, 2017."
    )
    originals: ClassVar[Originals] = idx_files("fashion-mnist", "FashionMNIST")
