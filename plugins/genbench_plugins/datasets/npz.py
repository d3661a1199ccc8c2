"""Datasets read from a numpy archive that anyone may have made: nothing in it is trusted."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NoReturn

from annotated_types import Ge

from genbench import DataError, Dataset, Split, Splits, io, setting
from genbench.io import did_you_mean, permutation, printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

KEYS = ("x_train", "y_train", "x_valid", "y_valid", "x_test", "y_test")
ALIASES = {
    **{f"{named}_images": f"x_{split}" for named, split in (("train", "train"), ("val", "valid"), ("test", "test"))},
    **{f"{named}_labels": f"y_{split}" for named, split in (("train", "train"), ("val", "valid"), ("test", "test"))},
    **{"arr_0": "x_all", "arr_1": "y_all"},
}
"""What arrays are called by others, as MedMNIST calls them, or numpy.savez where they are given no names."""

COLOURS = (1, 3)


@dataclass(eq=False)
class NpzDataset(Dataset):
    """Images from a .npz file with x_train, x_test and, where there are any, y_train, y_test, x_valid and y_valid.

    They may be called as MedMNIST calls them, train_images, train_labels, val_images and so on; images called arr_0,
    with or without labels called arr_1, are split 80/10/10 by a fixed permutation.

    Images are (n, H, W), (n, H, W, C) or (n, C, H, W), uint8 or floating point in [0, 1]. Without x_valid, `valid` of
    the training images (0: a tenth) are held out by a fixed permutation; else both are put into its order.
    Labels are whole numbers or texts, (n,) or (n, 1), or one-hot rows; the classes among them are counted, and numbered
    from 0 in sorted order. More than max_mib unpacked is refused.
    """

    version: ClassVar[int] = 2  # 1 held out the last training images

    path: str = ""
    valid: Annotated[int, Ge(0)] = 0
    layout: Literal["auto", "channels-first", "channels-last"] = "auto"
    max_mib: Annotated[int, Ge(1)] = setting(16384)

    positional: ClassVar[str] = "path"

    def load(self, folder: Path) -> Splits[np.ndarray[Any, Any]]:
        """Return the arrays of the file; `folder` is not looked at."""
        arrays = {ALIASES.get(name, name): (name, array) for name, array in self._read().items()}
        splits = ("train", "valid", "test", "all")
        parts = {split: self._split(split, arrays) for split in splits if f"x_{split}" in arrays}
        if "all" in parts:
            parts = self._cut(parts["all"])
        if "valid" not in parts:
            parts["train"], parts["valid"] = self._held_out(parts["train"])
        elif self.valid:
            self._refuse(f"it has x_valid, yet valid={self.valid} is asked for", "leave valid out, or remove x_valid")
        else:
            parts |= {name: _picked(parts[name], permutation(len(parts[name]))) for name in ("train", "valid")}
        return self._numbered(parts)

    def fingerprint(self, folder: Path) -> str:
        """Return what tells a changed file from an unchanged one."""
        return io.fingerprint([io.expanded(self.path).absolute()])

    def _refuse(self, found: str, advice: str, cause: BaseException | None = None) -> NoReturn:
        raise DataError(f"npz file {printable(repr(self.path))}: {printable(found)}; {advice}") from cause

    # Reading, sizes before contents

    def _read(self) -> dict[str, NDArray[Any]]:
        import numpy as np

        arrays, what = {}, "it"
        try:
            with io.opened(io.expanded(self.path)) as file:
                with zipfile.ZipFile(file) as archive:
                    names = self._names(archive)
                    self._check_sizes(archive, names)
                for what in names:
                    file.seek(0)
                    with np.load(file, allow_pickle=False) as stored:
                        arrays[what] = stored[what]
        except OSError as error:
            is_missing = isinstance(error, FileNotFoundError)
            found = "there is no such file" if is_missing else str(error.strerror or error)
            self._refuse(found, "expected npz:PATH with the path of a file made by numpy.savez", error)
        except io.UNREADABLE as error:
            self._refuse(f"{what} cannot be read: {error}", "write it again with numpy.savez", error)
        return arrays

    def _names(self, archive: zipfile.ZipFile) -> list[str]:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        known = [ALIASES.get(name, name) for name in names]
        for name, meant in zip(names, known, strict=True):
            if name not in (*KEYS, *ALIASES):
                expected = f"leave it out, or name it one of: {', '.join((*KEYS, *ALIASES))}"
                self._refuse(f"unexpected array {name!r}", f"{expected}.{did_you_mean(name, (*KEYS, *ALIASES))}")
            if known.count(meant) > 1:
                both = " and ".join(each for each, same in zip(names, known, strict=True) if same == meant)
                self._refuse(f"{both} are both there", "leave out all but one of them: they mean the same")
        if "x_all" in known and set(known) <= {"x_all", "y_all"}:
            return names
        for split in ("train", "test", "valid"):
            if f"x_{split}" not in known and (split != "valid" or "y_valid" in known):
                self._refuse(f"x_{split} is missing among {sorted(names)}", f"save the images as x_{split}=...")
        if set(known) & {"x_all", "y_all"}:
            self._refuse(f"there is arr_0 or arr_1 among {sorted(names)}", "leave it out: the others name the parts")
        return names

    def _check_sizes(self, archive: zipfile.ZipFile, names: list[str]) -> None:
        unpacked = 0
        for name in names:
            info = archive.getinfo(f"{name}.npy")
            with archive.open(info) as member:
                unpacked += io.checked_head(name, member, info.file_size, self._refuse).nbytes
        if unpacked > self.max_mib * 2**20:
            self._refuse(f"it unpacks to {unpacked >> 20} MiB", f"expected at most max_mib={self.max_mib}; raise it")

    # From arrays to splits

    def _split(self, split: str, arrays: dict[str, tuple[str, NDArray[Any]]]) -> Split[np.ndarray[Any, Any]]:
        images = self._images(*arrays[f"x_{split}"])
        key, labels = arrays.get(f"y_{split}", ("", None))
        return Split(images, self._labels(key, labels, len(images)))

    def _images(self, key: str, images: NDArray[Any]) -> NDArray[Any]:
        import numpy as np

        if images.dtype != np.uint8 and images.dtype.kind != "f":
            self._refuse(f"{key} has dtype {images.dtype}", "expected uint8 (0 to 255) or floats (0 to 1): convert it")
        if images.ndim not in (3, 4) or 0 in images.shape:
            self._refuse(
                f"{key} has shape {images.shape}", "expected (n, H, W), (n, H, W, C) or (n, C, H, W), none of them 0"
            )
        if images.dtype.kind == "f" and not np.isfinite(images).all():
            self._refuse(f"{key} holds NaN or infinity", "expected floats from 0 to 1: clean it")
        if images.dtype.kind == "f":
            images = io.within(images, io.UNIT, lambda found, cure: self._refuse(f"{key}: {found}", cure))
        return self._channels_first(key, images)

    def _channels_first(self, key: str, images: NDArray[Any]) -> NDArray[Any]:
        if images.ndim == 3:
            return images[:, None]
        layout = self.layout
        if layout == "auto":
            first, last = images.shape[1] in COLOURS, images.shape[3] in COLOURS
            if first == last:
                which = "both its second and last" if first else "neither its second nor its last"
                self._refuse(
                    f"{key} has shape {images.shape}, of which {which} dimension may be 1 or 3 channels",
                    "say which with layout=channels-first or layout=channels-last",
                )
            layout = "channels-first" if first else "channels-last"
        return images if layout == "channels-first" else images.transpose(0, 3, 1, 2)

    def _labels(self, key: str, labels: NDArray[Any] | None, n: int) -> NDArray[Any] | None:
        if labels is None:
            return None
        if labels.ndim not in (1, 2) or len(labels) != n:
            self._refuse(f"{key} has shape {labels.shape}", f"expected ({n},), one class for each image")
        found = _classes(labels, n)
        if found is None and labels.ndim == 2 and labels.shape[1] > 1:
            self._refuse(f"{key} has shape {labels.shape} and is not one-hot", f"expected ({n},), one class for each")
        if found is None:
            self._refuse(f"{key} has dtype {labels.dtype}", "expected whole numbers from 0: convert it to int64")
        if found.dtype.kind == "i" and found.min() < 0:
            self._refuse(f"{key} holds {found.min()}", "expected class numbers from 0: renumber them")
        return found

    def _numbered(self, parts: dict[str, Split[np.ndarray[Any, Any]]]) -> Splits[np.ndarray[Any, Any]]:
        labels = {split: part.labels for split, part in parts.items() if part.labels is not None}
        if not labels:
            return Splits(parts["train"], parts["valid"], parts["test"])
        if len(labels) < len(parts):
            self._refuse("some of its splits have labels and some have none", "give y_ for every x_, or for none")
        if len({each.dtype.kind in "US" for each in labels.values()}) > 1:
            self._refuse("some of its labels are numbers and some are texts", "give one of both for all images")
        numbers, classes = _numbers(labels)
        train, valid, test = (Split(parts[split].images, numbers[split]) for split in ("train", "valid", "test"))
        return Splits(train, valid, test, classes)

    def _cut(self, whole: Split[np.ndarray[Any, Any]]) -> dict[str, Split[np.ndarray[Any, Any]]]:
        """Return images that come in one part as training and test images, a tenth of them, by a fixed permutation."""
        if len(whole) < 3:
            self._refuse(f"arr_0 holds {len(whole)} images", "expected three or more, to be split into three parts")
        parts = io.in_three(len(whole))
        if self.valid:
            parts["train"] += parts.pop("valid")
        return {name: _picked(whole, rows) for name, rows in parts.items()}

    def _held_out(
        self, train: Split[np.ndarray[Any, Any]]
    ) -> tuple[Split[np.ndarray[Any, Any]], Split[np.ndarray[Any, Any]]]:
        if max(1, self.valid) >= len(train):
            self._refuse(
                f"valid={max(1, self.valid)} leaves none of {len(train)} training images",
                "hold out fewer, or add x_valid",
            )
        rows, others = io.held_out(len(train), self.valid)
        return _picked(train, rows), _picked(train, others)


def _picked(part: Split[np.ndarray[Any, Any]], rows: list[int]) -> Split[np.ndarray[Any, Any]]:
    return Split(part.images[rows], None if part.labels is None else part.labels[rows])


def _numbers(labels: Mapping[str, NDArray[Any]]) -> tuple[dict[str, NDArray[np.int64]], int]:
    """Return labels by split as numbers from 0 without gaps, in the sorted order of what is there, and their number."""
    import numpy as np

    # signed and unsigned together would be floats, which confuse great numbers
    signed = [each.astype(np.int64) if each.dtype.kind == "u" else each for each in labels.values()]
    classes, numbers = np.unique(np.concatenate(signed), return_inverse=True)
    ends = np.cumsum([len(each) for each in labels.values()])[:-1]
    return dict(zip(labels, np.split(numbers.astype(np.int64), ends), strict=True)), len(classes)


def _classes(labels: NDArray[Any], n: int) -> NDArray[Any] | None:
    """Return labels of n images as whole numbers or texts, (n,), or None where they are nothing of the kind.

    Accepts columns (n, 1), and rows (n, classes) that are 0 but for a single 1.
    """
    if labels.shape == (n, 1):
        labels = labels[:, 0]
    if labels.ndim == 2 and len(labels) == n and labels.shape[1] > 1 and labels.dtype.kind in "biuf":
        ones = labels == 1
        return ones.argmax(1) if (ones.sum(1) == 1).all() and (ones | (labels == 0)).all() else None
    return labels if labels.shape == (n,) and labels.dtype.kind in "iuUS" else None
