"""The Toronto Face Dataset, from the file that its authors hand out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NoReturn

from annotated_types import Ge, Le

from genbench import DataError, Dataset, Split, Splits, fingerprint, opened, setting

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIDE = 48
CODES = {"train": (0,), "valid": (2,), "test": (3,)}
"""What `folds` holds of each split."""

LABELLED = 1
"""What it holds of the labelled images to train on."""


@dataclass(eq=False)
class TFD(Dataset):
    """Faces, 48x48 grey: all unlabelled images to train on, and one of five official folds of labelled ones.

    Goodfellow et al. 2014 trained on the unlabelled images, which are the same in every fold, and took sigma from each
    fold's validation images. Where all five folds were run, a model has one row over them, its error over folds. Each
    fold trains a model of its own, on the same images and with the same randomness: where a model does not look at
    valid, that is one generator and five evaluations; with `labelled`, each fold has a generator of its own. Expression
    labels are left out, since most of train has none.
    """

    version: ClassVar[int] = 1
    folds: ClassVar[int] = 5

    fold: Annotated[int, Ge(0), Le(4)] = 0
    labelled: bool = False  # train on the fold's labelled training images too
    file: str = setting("TFD/TFD_48x48.mat")  # in the data folder

    citation: ClassVar[str] = (
        "J. Susskind, A. Anderson, G. E. Hinton: The Toronto face dataset. "
        "Technical report UTML TR 2010-001, University of Toronto, 2010."
    )

    def load(self, folder: Path) -> Splits[np.ndarray[Any, Any]]:
        """Return the images of the file in `folder`, in the file's order."""
        import numpy as np

        images, codes = self._read(folder / self.file)
        wanted = {**CODES, "train": (*CODES["train"], LABELLED)} if self.labelled else CODES
        parts = {split: images[np.isin(codes, values)][:, None] for split, values in wanted.items()}
        if empty := [split for split, part in parts.items() if not len(part)]:
            self._refuse(folder / self.file, f"fold {self.fold} has no images for {' and '.join(empty)}")
        return Splits(Split(parts["train"]), Split(parts["valid"]), Split(parts["test"]))

    def fingerprint(self, folder: Path) -> str:
        """Return what tells a changed file from an unchanged one, or "" where there is none."""
        return fingerprint([folder / self.file])

    def _read(self, file: Path) -> tuple[NDArray[np.uint8], NDArray[Any]]:
        """Return images (n, 48, 48) and the codes of the fold (n,)."""
        from scipy.io import loadmat

        if not file.is_file():
            raise DataError(
                f"tfd: no file {str(file)!r}. The Toronto Face Dataset is not public: ask its authors (J. Susskind, "
                "A. Anderson, G. Hinton, University of Toronto) for TFD_48x48.mat, and put it there"
            )
        try:
            with opened(file) as content:
                stored = loadmat(content, variable_names=["images", "folds"])
        except Exception as error:  # loadmat raises all kinds on a damaged file
            self._refuse(file, f"it cannot be read ({type(error).__name__}: {error})")
        for name in ("images", "folds"):
            if name not in stored:
                self._refuse(file, f"it has no {name}")
        return self._images(file, stored["images"]), self._codes(file, stored["folds"], len(stored["images"]))

    def _images(self, file: Path, images: NDArray[Any]) -> NDArray[np.uint8]:
        import numpy as np

        if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE):
            self._refuse(file, f"images have shape {images.shape}, not (n, {SIDE}, {SIDE})")
        if images.dtype == np.uint8:
            return images
        whole = images.dtype.kind in "iuf" and bool(((images >= 0) & (images <= 255) & (images % 1 == 0)).all())
        if not whole:
            self._refuse(file, f"images are {images.dtype} and not all whole numbers from 0 to 255")
        return images.astype(np.uint8)

    def _codes(self, file: Path, folds: NDArray[Any], n: int) -> NDArray[Any]:
        import numpy as np

        if folds.shape != (n, self.folds):
            self._refuse(file, f"folds have shape {folds.shape}, not ({n}, {self.folds})")
        if not np.isin(folds, (0, 1, 2, 3)).all():
            self._refuse(file, "folds hold other numbers than 0 (unlabelled), 1 (train), 2 (valid) and 3 (test)")
        return folds[:, self.fold]

    def _refuse(self, file: Path, why: str) -> NoReturn:
        raise DataError(
            f"tfd: {str(file)!r} is not the authors' TFD_48x48.mat: {why}. Put their file there, or name it: "
            "tfd[file=PATH]"
        )
