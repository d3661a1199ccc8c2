"""Images made elsewhere, in a file or a folder: known by their content, checked, and read batch by batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genbench.api import Space
from genbench.data import arrays, file_state, image_files
from genbench.data.image_files import refuse
from genbench.data.ranges import UNIT, floats, within
from genbench.data.resizing import resized
from genbench.data.splitting import permutation
from genbench.errors import printable

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


class Images(ABC):
    """Images in a file or folder, in a random order that is always the same: files are often sorted by class.

    So the first n are a random choice, whatever n is. note says what was understood that could have been meant
    otherwise. What is not asked for is not read.
    """

    count: int
    note: str = ""

    def __init__(self, path: Path, space: Space, size: int) -> None:
        self.path = path
        self.bounds = space.bounds
        self._space = space
        self._size = size
        if size and space.shape[1:] != (size, size):
            height, width = space.shape[1:]
            refuse(path, f"size {size} is asked for", f"expected the dataset's, {width}x{height}")

    @property
    @abstractmethod
    def is_resized(self) -> bool:
        """Return whether some are of another size than asked for. Raises DataError where one cannot be looked at."""

    @abstractmethod
    def _raw(self, rows: Sequence[int]) -> NDArray[Any]:
        """Return these images as they are stored, channels first."""

    @abstractmethod
    def files(self, start: int, stop: int) -> Sequence[Path]:
        """Return the files that hold images start..stop-1."""

    @cached_property
    def order(self) -> list[int]:
        """Return the places in the file or folder of the first image, the second and so on."""
        return permutation(self.count, ORDER)

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return images start..stop-1 or to the last one, (n, C, H, W) within the bounds. Raises DataError."""
        import numpy as np

        rows = self.order[start:stop]
        raw = self._raw(rows)
        if raw.dtype == np.uint8:
            scaled: NDArray[np.float32] = np.ascontiguousarray(self._sized(raw), np.float32) / np.float32(
                255
            )  # as prepared data are
            return scaled
        finite = np.isfinite(raw)
        if not finite.all():
            row = rows[int(finite.all((1, 2, 3)).argmin())]
            refuse(self.path, f"image {row} holds NaN or infinity", f"expected {floats(self.bounds)}: clean it")
        held = within(raw, self.bounds, lambda found, cure: refuse(self.path, found, cure))
        return np.ascontiguousarray(self._sized(held), np.float32)

    def _sized(self, images: NDArray[Any]) -> NDArray[Any]:
        return images if images.shape[2:] == self._space.shape[1:] else resized(images, self._size, self.bounds)

    def check(self, n: int) -> None:
        """Read the batches that hold the first n images, and keep none. Raises DataError where one cannot be scored."""
        for start in range(0, n, BATCH):
            self.read(start, start + BATCH)


def opened(path: Path, space: Space, size: int = 0) -> Images:
    """Return the images at a path, resized where a size is given. Raises DataError where they are none of a space."""
    return FolderImages(path, space, size) if path.is_dir() else ArrayImages(path, space, size)


class ArrayImages(Images):
    """Images in an array file."""

    def __init__(self, path: Path, space: Space, size: int = 0) -> None:
        super().__init__(path, space, size)
        self._rows = arrays.rows(path)
        self._check_type(self._rows.dtype)
        if not self._rows.shape or 0 in self._rows.shape:
            refuse(path, f"it has shape {self._rows.shape}", f"expected {_shapes(space)}, none of them 0")
        self.count, *shape = self._rows.shape
        self._axes = self._understood(tuple(shape), space)
        as_channels_last = f"shape {self._rows.shape} is taken as (n, H, W, C)" if self._axes == CHANNELS_LAST else ""
        if note := "; ".join(filter(None, (self._rows.note, as_channels_last))):
            self.note = f"{printable(repr(str(path)))}: {printable(note)}"

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
        if self._size and len(shape) in (2, 3):
            height, width = shape[:2] if shape[-1] == channels or len(shape) == 2 else shape[1:]
        if shape == (channels, height, width):
            return (0, 1, 2, 3)
        if shape == (height, width) and channels == 1:
            return None
        if shape == (height, width, channels):
            return CHANNELS_LAST
        is_of_size = bool(self._size) or (space.shape[1:] in (shape[:2], shape[1:]))
        cure = "" if is_of_size else _or_resized(space)
        expected = f"{_shapes(space, is_any_size=bool(self._size))}, as the dataset has{cure}"
        refuse(self.path, f"it has shape {self._rows.shape}", f"expected {expected}")

    def _raw(self, rows: Sequence[int]) -> NDArray[Any]:
        images = self._rows.read(rows)
        return images[:, None] if self._axes is None else images.transpose(self._axes)

    @property
    def is_resized(self) -> bool:
        """Return whether they are of another size than asked for."""
        shape = self._rows.shape
        height, width = shape[1:3] if self._axes in (None, CHANNELS_LAST) else shape[2:]
        return bool(self._size) and (height, width) != (self._size, self._size)

    def files(self, start: int, stop: int) -> Sequence[Path]:
        """Return the one file."""
        return [self.path]


class FolderImages(Images):
    """Images in a folder."""

    def __init__(self, path: Path, space: Space, size: int = 0) -> None:
        super().__init__(path, space, size)
        if space.bounds != UNIT or space.shape[0] not in CHANNELS:
            refuse(path, "it is a folder of pictures", f"the dataset has {_shapes(space)}: save an array")
        self._files: Sequence[Path] = file_state.listed(path)
        self.count = len(self._files)

    def _raw(self, rows: Sequence[int]) -> NDArray[Any]:
        import numpy as np

        return np.stack([self._picture(self._files[row]) for row in rows])

    def files(self, start: int, stop: int) -> Sequence[Path]:
        """Return a file for each image."""
        return [self._files[row] for row in self.order[start:stop]]

    @property
    def is_resized(self) -> bool:
        """Return whether some are of another size than asked for."""
        wanted = (self._size, self._size)
        return bool(self._size) and any(image_files.head(file)[:2] != wanted for file in self._files)

    def _picture(self, file: Path) -> NDArray[np.uint8]:
        """Return a picture, (C, H, W); what is stored in colour may be grey all the same."""
        channels, height, width = self._space.shape
        w, h, is_grey = image_files.head(file)
        if (w, h) != (width, height) and not self._size:
            refuse(file, f"it is {w}x{h}", f"expected {width}x{height}, as the dataset has{_or_resized(self._space)}")
        if channels == 3 and is_grey:
            refuse(file, "it is grey", "expected colour, as the dataset has: convert it to RGB")
        pixels = image_files.pixels(file, 1 if is_grey else 3, self._size)
        if channels == 1 and (pixels != pixels[:1]).any():
            refuse(file, "it is in colour", "expected grey, as the dataset has: convert it")
        return pixels[:channels]


def _shapes(space: Space, is_any_size: bool = False) -> str:
    channels, height, width = space.shape
    side = "H, W" if is_any_size else f"{height}, {width}"
    grey = f"(n, {side}) or " if channels == 1 else ""
    return f"{grey}(n, {channels}, {side}) or (n, {side}, {channels})"


def _or_resized(space: Space) -> str:
    """Return the hint at what brings images of another size to the dataset's, where that is square."""
    _, height, width = space.shape
    return f", or a size to which all are resized: --size {width}" if width == height else ""
