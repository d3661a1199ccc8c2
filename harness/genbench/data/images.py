"""Images made elsewhere, in a file or a folder: known by their content, checked, and read batch by batch."""

from __future__ import annotations

import contextlib
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from genbench import files
from genbench.api import Space
from genbench.data import arrays, folder, pictures
from genbench.data.pictures import refuse
from genbench.data.ranges import UNIT, floats, within
from genbench.errors import ChangedError, DataError, printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BATCH = 1000
"""How many are read at once, and are drawn and stored together as a model's samples are."""

CHANNELS = (1, 3)
"""How many a picture in a folder can have."""

CHANNELS_LAST = (0, 3, 1, 2)
"""The axes of (n, H, W, C) that put channels first."""

ORDER = 1
"""The seed of the order in which images made elsewhere are taken; another than that by which datasets are split."""

EXPECTED = "expected .npz, .npy, .safetensors, or a folder of images"


# Which images --------------------------------------------------------------------------------------------------------


def content(path: Path) -> str:
    """Return the SHA-256 of a file, or of those of a folder's images in the order of their names.

    Raises DataError where they cannot be read, or change meanwhile.
    """
    before = state(path)
    try:
        found = files.digest(list(map(files.sha256, listed(path)))) if path.is_dir() else files.sha256(path)
    except OSError as error:
        refuse(path, f"it cannot be read: {error.strerror or error}", "expected images that you may read", error)
    if state(path) != before:
        refuse(path, "it changed while it was read", "try again when it rests")
    return found


def state(path: Path) -> str:
    """Return what tells a changed file or folder from an unchanged one without reading it."""
    return _state(_stamps(path))


def check_unchanged(path: Path, before: str) -> None:
    """Raise ChangedError where images are not what they were."""
    Unchanged(path, before)


class Unchanged:
    """Files at a path that are to stay what they were when they were planned, looked at again one by one.

    Raises ChangedError where they are not what they were then.
    """

    def __init__(self, path: Path, before: str) -> None:
        self._path = path
        with _told_as_changed():
            self._stamps = _stamps(path)
        if _state(self._stamps) != before:
            self._refuse()

    def check(self, read: Sequence[Path]) -> None:
        """Raise ChangedError where some of the files are not what they were."""
        with _told_as_changed():
            now = {file.name: _stamp(file) for file in read}
        if any(self._stamps.get(name) != stamp for name, stamp in now.items()):
            self._refuse()

    def _refuse(self) -> NoReturn:
        raise ChangedError(
            f"{printable(repr(str(self._path)))} changed while the run was going on; start the run again"
        )


@contextlib.contextmanager
def _told_as_changed() -> Iterator[None]:
    """Turn what is said of files that cannot be looked at into a ChangedError."""
    try:
        yield
    except DataError as error:
        raise ChangedError(f"{error}. It was there when the run was planned; start the run again") from error


def _state(stamps: Mapping[str, Sequence[int]]) -> str:
    return files.digest([[ascii(name), *stamp] for name, stamp in stamps.items()])


def _stamps(path: Path) -> dict[str, list[int]]:
    """Return the stamp of each file by its name. Raises DataError, which names the one that cannot be looked at."""
    return {file.name: _stamp(file) for file in (listed(path) if os.path.isdir(path) else [path])}


def _stamp(file: Path) -> list[int]:
    try:
        told = file.stat()
    except OSError as error:
        _unseen(file, error)
    if not stat.S_ISREG(told.st_mode):  # a pipe would be waited for, a device read for ever
        refuse(file, "it is no plain file", EXPECTED)
    return files.state(told)


def _unseen(path: Path, error: OSError) -> NoReturn:
    if not isinstance(error, FileNotFoundError):
        refuse(path, f"it cannot be looked at: {error.strerror or error}", "expected images that you may read", error)
    if path.is_symlink():
        refuse(path, "it is a link to what is not there", "mend it, or remove it", error)
    refuse(path, "there is no such file or folder", EXPECTED, error)


def listed(path: Path) -> list[Path]:
    """Return the images in a folder by name. Raises DataError where there are none, or folders among them."""
    try:
        images, folders = folder.entries(path)
    except OSError as error:
        _unseen(path, error)
    if folders:
        found = f"it holds a folder ({folders[0].name!r})"
        refuse(path, found, "expected images alone")
    if not images:
        refuse(path, "no images in it", f"expected files ending in {' '.join(pictures.SUFFIXES)}")
    return images


# Images that can be read ---------------------------------------------------------------------------------------------


class Images(ABC):
    """Images in a file or folder, in a random order that is always the same: files are often sorted by class.

    So the first n are a random choice, whatever n is. note says what was understood that could have been meant
    otherwise. What is not asked for is not read.
    """

    count: int
    note: str = ""

    def __init__(self, path: Path, bounds: tuple[float, float]) -> None:
        self.path = path
        self.bounds = bounds

    @abstractmethod
    def _raw(self, rows: Sequence[int]) -> NDArray[Any]:
        """Return these images as they are stored, channels first."""

    @abstractmethod
    def files(self, start: int, stop: int) -> Sequence[Path]:
        """Return the files that hold images start..stop-1."""

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """Return the places in the file or folder of the first image, the second and so on."""
        import numpy as np

        # the streams of RandomState are frozen: every numpy gives the same permutation
        return np.random.RandomState(ORDER).permutation(self.count)

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return images start..stop-1 or to the last one, (n, C, H, W) within the bounds. Raises DataError."""
        import numpy as np

        rows = self.order[start:stop].tolist()
        raw = self._raw(rows)
        if raw.dtype == np.uint8:
            scaled: NDArray[np.float32] = np.ascontiguousarray(raw, np.float32) / np.float32(
                255
            )  # as prepared data are
            return scaled
        finite = np.isfinite(raw)
        if not finite.all():
            row = rows[int(finite.all((1, 2, 3)).argmin())]
            refuse(self.path, f"image {row} holds NaN or infinity", f"expected {floats(self.bounds)}: clean it")
        held = within(raw, self.bounds, lambda found, cure: refuse(self.path, found, cure))
        return np.ascontiguousarray(held, np.float32)

    def check(self, n: int) -> None:
        """Read the batches that hold the first n images, and keep none. Raises DataError where one cannot be scored."""
        for start in range(0, n, BATCH):
            self.read(start, start + BATCH)


def opened(path: Path, space: Space) -> Images:
    """Return the images at a path. Raises DataError where they are none of a space."""
    return FolderImages(path, space) if path.is_dir() else ArrayImages(path, space)


class ArrayImages(Images):
    """Images in an array file."""

    def __init__(self, path: Path, space: Space) -> None:
        super().__init__(path, space.bounds)
        self._rows = arrays.rows(path)
        self._check_type(self._rows.dtype)
        if not self._rows.shape or 0 in self._rows.shape:
            refuse(path, f"it has shape {self._rows.shape}", f"expected {_shapes(space)}, none of them 0")
        self.count, *shape = self._rows.shape
        self._axes = self._understood(tuple(shape), space)
        as_channels_last = f"shape {self._rows.shape} is taken as (n, H, W, C)" if self._axes == CHANNELS_LAST else ""
        if told := "; ".join(filter(None, (self._rows.note, as_channels_last))):
            self.note = f"{printable(repr(str(path)))}: {printable(told)}"

    def _check_type(self, dtype: str) -> None:
        is_uint8, is_float = dtype == "uint8", dtype.lstrip("<>=").startswith("f")
        if is_uint8 and self.bounds != UNIT:
            refuse(self.path, "it holds uint8", f"expected {floats(self.bounds)}, as the dataset has: convert it")
        if not (is_uint8 or is_float):
            expected = f"uint8 (0 to 255) or {floats(UNIT)}" if self.bounds == UNIT else floats(self.bounds)
            refuse(self.path, f"it has dtype {dtype}", f"expected {expected}: convert it")

    def _understood(self, shape: tuple[int, ...], space: Space) -> tuple[int, ...] | None:
        """Return the order of axes that puts channels first, or None for images that have no axis for channels."""
        channels, height, width = space.shape
        if shape == space.shape:
            return (0, 1, 2, 3)
        if shape == (height, width) and channels == 1:
            return None
        if shape == (height, width, channels):
            return CHANNELS_LAST
        refuse(self.path, f"it has shape {self._rows.shape}", f"expected {_shapes(space)}, as the dataset has")

    def _raw(self, rows: Sequence[int]) -> NDArray[Any]:
        images = self._rows.read(rows)
        return images[:, None] if self._axes is None else images.transpose(self._axes)

    def files(self, start: int, stop: int) -> Sequence[Path]:
        """Return the one file."""
        return [self.path]


class FolderImages(Images):
    """Images in a folder."""

    def __init__(self, path: Path, space: Space) -> None:
        super().__init__(path, space.bounds)
        if space.bounds != UNIT or space.shape[0] not in CHANNELS:
            refuse(path, "it is a folder of pictures", f"the dataset has {_shapes(space)}: save an array")
        self._files: Sequence[Path] = listed(path)
        self._shape = space.shape
        self.count = len(self._files)

    def _raw(self, rows: Sequence[int]) -> NDArray[Any]:
        import numpy as np

        return np.stack([self._picture(self._files[row]) for row in rows])

    def files(self, start: int, stop: int) -> Sequence[Path]:
        """Return a file for each image."""
        return [self._files[row] for row in self.order[start:stop]]

    def _picture(self, file: Path) -> NDArray[np.uint8]:
        """Return a picture, (C, H, W); what is stored in colour may be grey all the same."""
        channels, height, width = self._shape
        w, h, is_grey = pictures.head(file)
        if (w, h) != (width, height):
            refuse(file, f"it is {w}x{h}", f"expected {width}x{height}, as the dataset has")
        if channels == 3 and is_grey:
            refuse(file, "it is grey", "expected colour, as the dataset has: convert it to RGB")
        pixels = pictures.pixels(file, 1 if is_grey else 3)
        if channels == 1 and (pixels != pixels[:1]).any():
            refuse(file, "it is in colour", "expected grey, as the dataset has: convert it")
        return pixels[:channels]


def _shapes(space: Space) -> str:
    channels, height, width = space.shape
    grey = f"(n, {height}, {width}) or " if channels == 1 else ""
    return f"{grey}(n, {channels}, {height}, {width}) or (n, {height}, {width}, {channels})"
