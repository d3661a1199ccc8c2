"""Datasets read from a folder of image files, with or without a folder for each split and class."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Le

from genbench import Dataset, Split, Splits, setting
from genbench.io import (
    SUFFIXES,
    digest,
    entries,
    expanded,
    head,
    held_out,
    in_three,
    permutation,
    pixels,
    refuse,
    state,
)

if TYPE_CHECKING:
    import numpy as np

MOST_SIZE = 8192
"""Pixels on a side that images may be resized to."""

DEPTH = 3
"""How many folders below PATH are looked at for changes: one more than may hold images."""


@dataclass(frozen=True)
class Listing:
    """The files of one split and the name of each one's class, or None where there are no class folders."""

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
    without valid a tenth of train is held out by it; given ones are put into its order. A single class folder makes no
    labels. With `size`, the shorter side is resized to it, antialiased, and
    the centre cropped. Colour "auto" is grey where every file is stored as grey, else rgb.
    """

    version: ClassVar[int] = 2  # 1 took training and validation images in the order of their names

    path: str = ""
    size: Annotated[int, Ge(0), Le(MOST_SIZE)] = 0
    colour: Literal["auto", "grey", "rgb"] = "auto"
    max_mib: Annotated[int, Ge(1)] = setting(16384)

    positional: ClassVar[str] = "path"

    def load(self, folder: Path) -> Splits[np.ndarray[Any, Any]]:
        """Return the images of the files; `folder` is not looked at."""
        root = expanded(self.path)
        parts = _parts(root) if self.path and root.is_dir() else refuse(root, "no such folder", "expected folder:PATH")
        files = [file for part in parts.values() for file in part.files]
        shape = self._shape(files)
        needed = len(files) * shape[0] * shape[1] * shape[2]
        if needed > self.max_mib * 2**20:
            refuse(root, f"its images take {needed >> 20} MiB", f"expected at most max_mib={self.max_mib}: raise it")
        classes = _class_numbers(parts)
        splits = {name: self._split(part, shape, classes) for name, part in parts.items()}
        return Splits(splits["train"], splits["valid"], splits["test"], len(classes) or None)

    def fingerprint(self, folder: Path) -> str:
        """Return the hash of the absolute path and of every file's name, size, times of change and inode."""
        root = expanded(self.path).absolute()
        return digest([ascii(str(root)), sorted(_stamps(root, DEPTH))]) if root.is_dir() else ""

    def _shape(self, files: Sequence[Path]) -> tuple[int, int, int]:
        """Return (C, H, W) of all images, from their heads alone."""
        width, height, grey = head(files[0])
        for file in files[1:]:
            w, h, g = head(file)
            grey = grey and g
            if (w, h) != (width, height) and not self.size:
                least = min(w, h, width, height)
                cure = f"give a size to which all are resized and cropped, as in size={least}"
                refuse(file, f"it is {w}x{h}, where {files[0].name} is {width}x{height}", cure)
        channels = 1 if self.colour == "grey" or (self.colour == "auto" and grey) else 3
        return (channels, self.size or height, self.size or width)

    def _split(
        self, part: Listing, shape: tuple[int, int, int], classes: dict[str, int]
    ) -> Split[np.ndarray[Any, Any]]:
        import numpy as np

        images = np.empty((len(part.files), *shape), np.uint8)
        for row, file in enumerate(part.files):
            images[row] = pixels(file, shape[0], self.size)
        if part.classes is None:
            return Split(images)
        return Split(images, np.array([classes[name] for name in part.classes], np.int64))


# Which files belong to which split -----------------------------------------------------------------------------------


def _parts(root: Path) -> dict[str, Listing]:
    given = [name for name in ("train", "test", "valid") if (root / name).is_dir()]
    if not given:
        return _cut(root, _listing(root))
    if given[:2] != ["train", "test"]:
        refuse(root, f"of train/, test/ and valid/ it has only {' and '.join(given)}/", "expected train/ and test/")
    parts = {name: _listing(root / name) for name in given}
    for name, part in parts.items():
        if (part.classes is None) != (parts["train"].classes is None):
            refuse(root, f"one of train/ and {name}/ has class folders", "expected them in all parts or in none")
        if strange := sorted(set(part.classes or ()) - set(parts["train"].classes or ())):
            refuse(root / name, f"class {strange[0]!r} is not in train/", "expected the same class folders")
    if "valid" not in parts:
        parts["train"], parts["valid"] = _held_out(root, parts["train"])
    else:
        for name in ("train", "valid"):
            parts[name] = parts[name].pick(permutation(len(parts[name].files)))
    return parts


def _listing(folder: Path) -> Listing:
    images, folders = entries(folder)
    if images and folders:
        found = f"it holds both images ({images[0].name!r}) and folders ({folders[0].name!r})"
        refuse(folder, found, "expected images alone, or one folder per class")
    if images:
        return Listing(images, None)
    files: list[Path] = []
    classes: list[str] = []
    for each in folders:
        found_images, deeper = entries(each)
        if deeper:
            refuse(deeper[0], "a folder inside a class folder", "expected images alone there")
        files += found_images
        classes += [each.name] * len(found_images)
    if not files:
        refuse(folder, "no images in it", f"expected files ending in {' '.join(SUFFIXES)}")
    return Listing(files, classes)


def _cut(root: Path, whole: Listing) -> dict[str, Listing]:
    n = len(whole.files)
    if n < 3:
        refuse(root, f"it holds {n} images", "expected three or more, to be split into train, valid and test")
    return {name: whole.pick(rows) for name, rows in in_three(n).items()}


def _held_out(root: Path, train: Listing) -> tuple[Listing, Listing]:
    if len(train.files) < 2:
        refuse(root / "train", "it holds one image", "expected more, or valid/ beside it")
    rows, others = held_out(len(train.files))
    return train.pick(rows), train.pick(others)


def _class_numbers(parts: dict[str, Listing]) -> dict[str, int]:
    """Return the number of each class by its name, in sorted order; none without class folders."""
    names = {name for part in parts.values() for name in part.classes or ()}
    return {name: number for number, name in enumerate(sorted(names, key=os.fsencode))}


def _stamps(folder: Path, depth: int) -> Iterator[list[Any]]:
    with os.scandir(folder) as found:
        entries = [entry for entry in found if not entry.name.startswith(".")]
    for entry in entries:
        if not entry.is_dir():
            yield [ascii(entry.path), *state(entry.stat())]
        elif depth:
            yield from _stamps(Path(entry.path), depth - 1)
