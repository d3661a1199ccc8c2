"""Datasets read from a folder of image files."""

from __future__ import annotations

import mimetypes
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NoReturn

from annotated_types import Ge

from genbench.api import Dataset, Split, Splits, setting
from genbench.errors import DataError, printable
from genbench.files import digest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".pgm", ".ppm")
GREY_MODES = ("1", "L", "LA")
MODES = (*GREY_MODES, "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV")


@dataclass(frozen=True)
class Listing:
    """The files of one split, and the name of each one's class, or None where there are no class folders."""

    files: list[Path]
    classes: list[str] | None

    def pick(self, rows: Sequence[int]) -> Listing:
        """Return the files of these rows."""
        classes = None if self.classes is None else [self.classes[row] for row in rows]
        return Listing([self.files[row] for row in rows], classes)


@dataclass(eq=False)
class FolderDataset(Dataset):
    """Images from PATH/train, PATH/test and perhaps PATH/valid, each with images or one folder of them per class.

    Without train and test, the images in PATH (or in its class folders) are split 80/10/10 by a fixed permutation, and
    without valid a tenth of train is held out by it. With `size`, the central square is resized to it, antialiased.
    colour "auto" is grey where every file is stored as grey, else rgb.
    """

    path: str = ""
    size: Annotated[int, Ge(0)] = 0
    colour: Literal["auto", "grey", "rgb"] = "auto"
    max_mib: Annotated[int, Ge(1)] = setting(16384)

    positional: ClassVar[str] = "path"

    def load(self, folder: Path) -> Splits[np.ndarray[Any, Any]]:
        """Return the images of the files; `folder` is not looked at."""
        parts = self._parts()
        files = [file for part in parts.values() for file in part.files]
        shape = self._shape(files)
        needed = len(files) * shape[0] * shape[1] * shape[2]
        if needed > self.max_mib * 2**20:
            self._refuse(f"{len(files)} images take {needed >> 20} MiB", f"expected at most max_mib={self.max_mib}")
        classes = self._class_numbers(parts)
        splits = {name: self._split(part, shape, classes) for name, part in parts.items()}
        return Splits(splits["train"], splits["valid"], splits["test"], len(classes) or None)

    def fingerprint(self, folder: Path) -> str:
        """Return the hash of the absolute path and of every file's name, size and time of change."""
        root = self._root().absolute()
        return digest([ascii(str(root)), sorted(_stamps(root))]) if root.is_dir() else ""

    def _root(self) -> Path:
        return Path(self.path).expanduser()

    def _refuse(self, found: str, advice: str, cause: BaseException | None = None) -> NoReturn:
        raise DataError(f"image folder {printable(repr(self.path))}: {printable(found)}; {advice}") from cause

    def _name(self, file: Path) -> str:
        return repr(file.relative_to(self._root()).as_posix())

    # Which files

    def _parts(self) -> dict[str, Listing]:
        root = self._root()
        if not self.path or not root.is_dir():
            self._refuse("there is no such folder", "expected folder:PATH with the path of a folder of images")
        given = [name for name in ("train", "test", "valid") if (root / name).is_dir()]
        if not given:
            return self._cut(self._listing(root))
        if given[:2] != ["train", "test"]:
            self._refuse(f"it has {' and '.join(given)}/ only", "expected train/ and test/, and perhaps valid/")
        parts = {name: self._listing(root / name) for name in given}
        if "valid" not in parts:
            parts["train"], parts["valid"] = self._held_out(parts["train"])
        return parts

    def _listing(self, folder: Path) -> Listing:
        images, folders = self._entries(folder)
        if images and folders:
            self._refuse(
                f"{self._name(folder)} holds both images ({images[0].name!r}) and folders ({folders[0].name!r})",
                "expected images alone, or one folder per class",
            )
        if images:
            return Listing(images, None)
        files, classes = [], []
        for each in folders:
            found, deeper = self._entries(each)
            if deeper:
                self._refuse(f"{self._name(deeper[0])} is a folder in a class folder", "expected images alone there")
            files += found
            classes += [each.name] * len(found)
        if not files:
            self._refuse(f"no images in {self._name(folder)}", f"expected files ending in {' '.join(SUFFIXES)}")
        return Listing(files, classes)

    def _entries(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """Return the images and the folders directly in a folder, sorted by name; what is hidden is left out."""
        entries = sorted((e for e in folder.iterdir() if not e.name.startswith(".")), key=lambda e: os.fsencode(e.name))
        folders = [entry for entry in entries if entry.is_dir()]
        images = [entry for entry in entries if not entry.is_dir() and entry.suffix.lower() in SUFFIXES]
        for entry in entries:
            kind = mimetypes.guess_type(entry.name, strict=False)[0] or ""
            if kind.startswith("image/") and entry not in images and not entry.is_dir():
                self._refuse(f"{self._name(entry)} is an image ({kind}) that is not read", "convert it to png")
        return images, folders

    def _cut(self, whole: Listing) -> dict[str, Listing]:
        n = len(whole.files)
        tenth = max(1, n // 10)
        if n < 3:
            self._refuse(f"it holds {n} images", "expected three at least, to be split into train, valid and test")
        order = self._order(n)
        return {
            "train": whole.pick(order[: n - 2 * tenth]),
            "valid": whole.pick(order[n - 2 * tenth : n - tenth]),
            "test": whole.pick(order[n - tenth :]),
        }

    def _held_out(self, train: Listing) -> tuple[Listing, Listing]:
        n = len(train.files)
        tenth = max(1, n // 10)
        if n < 2:
            self._refuse("train/ holds one image", "expected more, or valid/ beside it")
        order = self._order(n)
        return train.pick(order[: n - tenth]), train.pick(order[n - tenth :])

    def _order(self, n: int) -> list[int]:
        import numpy as np

        # RandomState's streams are frozen: the same permutation with every numpy
        return [int(row) for row in np.random.RandomState(0).permutation(n)]

    def _class_numbers(self, parts: dict[str, Listing]) -> dict[str, int]:
        """Return the number of each class by its name, as sorted; none without class folders."""
        labelled = {name: part.classes for name, part in parts.items() if part.classes is not None}
        if labelled and len(labelled) < len(parts):
            self._refuse(f"only {' and '.join(labelled)} have class folders", "expected them in all parts or in none")
        known = {name for classes in labelled.values() for name in classes}
        return {name: number for number, name in enumerate(sorted(known, key=os.fsencode))}

    # What they hold

    def _split(
        self, part: Listing, shape: tuple[int, int, int], classes: dict[str, int]
    ) -> Split[np.ndarray[Any, Any]]:
        import numpy as np

        images = np.empty((len(part.files), *shape), np.uint8)
        for row, file in enumerate(part.files):
            images[row] = self._pixels(file, shape)
        if part.classes is None:
            return Split(images)
        return Split(images, np.array([classes[name] for name in part.classes], np.int64))

    def _shape(self, files: Sequence[Path]) -> tuple[int, int, int]:
        """Return (C, H, W) of all images, from their heads alone."""
        first: tuple[int, int] | None = None
        grey = True
        for file in files:
            with _Opened(self, file) as image:
                size, mode = _upright_size(image), image.mode
            first = first or size
            grey = grey and mode in GREY_MODES
            if size != first and not self.size:
                self._refuse(
                    f"{self._name(file)} is {size[0]}x{size[1]}, others are {first[0]}x{first[1]}",
                    f"give a size, to which all are resized and cropped: folder[path=...,size={min(*size, *first)}]",
                )
        width, height = (self.size, self.size) if self.size else first or (0, 0)
        return (1 if self.colour == "grey" or (self.colour == "auto" and grey) else 3, height, width)

    def _pixels(self, file: Path, shape: tuple[int, int, int]) -> NDArray[Any]:
        """Return one image as uint8, (C, H, W)."""
        import numpy as np
        from PIL import Image, ImageOps

        with _Opened(self, file) as image:
            image.load()
            upright = self._opaque(file, ImageOps.exif_transpose(image))
            pixels = upright.convert("L" if shape[0] == 1 else "RGB")
            if self.size:
                # cropped on the way, so that a long strip is never blown up whole
                side, (width, height) = min(pixels.size), pixels.size
                left, top = (width - side) / 2, (height - side) / 2
                box = (left, top, left + side, top + side)
                pixels = pixels.resize((self.size, self.size), Image.Resampling.BICUBIC, box)
        array = np.asarray(pixels, np.uint8)
        return array[None] if shape[0] == 1 else array.transpose(2, 0, 1)

    def _opaque(self, file: Path, image: Image) -> Image:
        if not image.has_transparency_data:
            return image
        image = image.convert("RGBA")
        least = image.getchannel("A").getextrema()[0]
        if least != 255:
            self._refuse(f"{self._name(file)} is transparent in places", "lay it on a background first")
        return image


class _Opened:
    """An image opened with care: what Pillow raises on broken or giant files becomes a DataError with their name."""

    def __init__(self, dataset: FolderDataset, file: Path) -> None:
        self.dataset, self.file = dataset, file
