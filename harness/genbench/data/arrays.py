"""Arrays in files that anyone may have made: sizes and types are read before contents, and rows one batch at a time."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import shutil
import tempfile
import weakref
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

from genbench import files
from genbench.data.image_files import refuse
from genbench.errors import did_you_mean

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

UNREADABLE = (OSError, ValueError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What zipfile and numpy raise on broken archives."""

KEY = "images"
KEYS = (KEY, "arr_0", "test_images", "val_images", "train_images", "x_test", "x_valid", "x_train")
"""What an array of images may be called, the first of them that is there: as numpy.savez does, as MedMNIST, as npz:."""

MOST_MIB = 16384
"""What an archive may unpack to; a few megabytes can be packed gigabytes of zeros."""

LONGEST_HEADER = 1 << 16
SAFETENSORS = {"U8": "uint8", "F16": "float16", "F32": "float32", "F64": "float64"}
"""The types of safetensors that images may have; others go by their own names, and are refused by them."""

PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".ckpt")

Refuse = Callable[[str, str], NoReturn]


# Array files of numpy, their heads -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Head:
    """What an array file of numpy begins with. start is where its values begin."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    by_columns: bool
    start: int

    @property
    def nbytes(self) -> int:
        """Return the size of the values that it declares."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def row_bytes(self) -> int:
        """Return the size of one row, along the first dimension."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize


def checked_head(name: str, member: IO[bytes], holds: int, refuse: Refuse) -> Head:
    """Return what an array file of so many bytes begins with, reading no more than that.

    Shapes that no array has are refused, and Python objects, which only a pickle holds, and fewer bytes than declared.
    Raises what UNREADABLE lists where it is no array file.
    """
    head = _head(member)
    if any(isinstance(n, bool) or n < 0 for n in head.shape):
        refuse(f"{name} has a damaged header, with shape {head.shape}", "write it again, or fetch it again")
    if head.dtype.hasobject or head.dtype.fields is not None:
        refuse(f"{name} holds Python objects (dtype {head.dtype})", "save plain arrays; pickles are not opened")
    if head.nbytes > holds - head.start:
        refuse(f"{name} says {head.nbytes} bytes and holds {holds - head.start}", "it is truncated: write it again")
    return head


def _head(member: IO[bytes]) -> Head:
    from numpy.lib import format as npy

    version = npy.read_magic(member)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"array format {version}, expected (1, 0) or (2, 0)")
    length_at = member.tell()
    length = int.from_bytes(member.read(2 * version[0]), "little")
    if length > LONGEST_HEADER:  # numpy would read all of it before it complains
        raise ValueError(f"its header says {length} bytes, expected at most {LONGEST_HEADER}")
    member.seek(length_at)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, by_columns, dtype = read(member)
    return Head(shape, dtype, by_columns, member.tell())


def whole(path: Path) -> NDArray[Any]:
    """Return the array in a file of numpy, in memory of its own. Raises what UNREADABLE lists, or DataError."""
    import numpy as np

    with files.opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        head = checked_head("the array", file, size, lambda found, advice: refuse(path, found, advice))
        if head.by_columns:
            raise ValueError("it is stored by columns")
        array = np.empty(head.shape, head.dtype)
        if file.readinto(array.reshape(-1).view(np.uint8).data) != head.nbytes:
            raise EOFError("it ends too early")
    return array


# Rows ----------------------------------------------------------------------------------------------------------------


class Rows(ABC):
    """An array in a file of which rows anywhere in it are read, never all at once. dtype is the name of its type.

    note says which of several arrays it is, where that could have been meant otherwise.
    """

    shape: tuple[int, ...]
    dtype: str
    note: str = ""

    @abstractmethod
    def read(self, rows: Sequence[int]) -> NDArray[Any]:
        """Return these rows, in their order. Raises DataError where they cannot be read."""


def rows(path: Path) -> Rows:
    """Return the images in an array file, by its suffix. Raises DataError where there are none to be had."""
    kinds: Mapping[str, Callable[[Path], Rows]] = {
        ".npz": ZippedRows,
        ".npy": PlainRows,
        ".safetensors": SafetensorsRows,
    }
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        pickled = " Pickles are not opened: they can run code." if path.suffix.lower() in PICKLES else ""
        refuse(path, "no file of images", f"expected .npz, .npy, .safetensors, or a folder of images.{pickled}")
    if path.is_file() and not path.stat().st_size:
        refuse(path, "it is empty", f"write it again, with the images as {KEY}")
    return kind(path)


class _NumpyRows(Rows):
    """Rows of an array file of numpy, which may be a member of an archive."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def _take(self, name: str, head: Head) -> None:
        if head.by_columns:
            refuse(
                self._path,
                f"{name} is stored by columns",
                "save numpy.ascontiguousarray of it, so that rows lie together",
            )
        self._head, self.shape, self.dtype = head, head.shape, str(head.dtype)

    def _rows_of(self, file: IO[bytes], rows: Sequence[int]) -> NDArray[Any]:
        import numpy as np

        values = np.frombuffer(b"".join(self._bytes(file, row) for row in rows), self._head.dtype)
        return values.reshape(len(rows), *self.shape[1:])  # raises ValueError where some are missing

    def _bytes(self, file: IO[bytes], row: int) -> bytes:
        # By its place: a position of the file would be shared with processes that were forked meanwhile.
        return os.pread(file.fileno(), self._head.row_bytes, self._head.start + row * self._head.row_bytes)

    def _refuse(self, found: str, advice: str) -> NoReturn:
        refuse(self._path, found, advice)

    def _broken(self, error: BaseException, how: str) -> NoReturn:
        refuse(self._path, f"it cannot be read: {error}", f"write it again with {how}", error)


class PlainRows(_NumpyRows):
    """Rows of a .npy file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            with files.opened(path) as file:
                size = os.fstat(file.fileno()).st_size
                self._take("the array", checked_head("the array", file, size, self._refuse))
        except UNREADABLE as error:
            self._broken(error, "numpy.save")

    def read(self, rows: Sequence[int]) -> NDArray[Any]:
        """Return these rows."""
        try:
            with files.opened(self._path) as file:
                return self._rows_of(file, rows)
        except UNREADABLE as error:
            self._broken(error, "numpy.save")


class ZippedRows(_NumpyRows):
    """Rows of the array of images of a .npz archive, unpacked to a file that goes with it: packed, it has no places."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._open = contextlib.ExitStack()
        weakref.finalize(self, self._open.close)
        try:
            with files.opened(path) as file, zipfile.ZipFile(file) as archive:
                self._check(archive)
        except UNREADABLE as error:
            self._broken(error, f"numpy.savez, as numpy.savez(path, {KEY}=...)")
        self._unpacked: IO[bytes] | None = None

    def _check(self, archive: zipfile.ZipFile) -> None:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        self._key, self.note = found_key(self._path, names)
        info = archive.getinfo(f"{self._key}.npy")
        with archive.open(info) as member:
            self._take(self._key, checked_head(self._key, member, info.file_size, self._refuse))
        if self._head.nbytes > MOST_MIB * 2**20:
            found = f"it unpacks to {self._head.nbytes >> 20} MiB"
            refuse(
                self._path, found, f"expected at most {MOST_MIB}: save fewer images, or a .npy, which is never unpacked"
            )

    def read(self, rows: Sequence[int]) -> NDArray[Any]:
        """Return these rows; before the first, the array is unpacked."""
        try:
            if self._unpacked is None:
                self._unpacked = self._unpack()
            return self._rows_of(self._unpacked, rows)
        except UNREADABLE as error:
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                cure = f"make room in {tempfile.gettempdir()}, name another folder by TMPDIR, or save a .npy"
                refuse(self._path, "there is no room to unpack it", cure, error)
            self._broken(error, f"numpy.savez, as numpy.savez(path, {KEY}=...)")

    def _unpack(self) -> IO[bytes]:
        unpacked = self._open.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - closed with the others
        name = f"{self._key}.npy"
        with files.opened(self._path) as file, zipfile.ZipFile(file) as archive, archive.open(name) as member:
            shutil.copyfileobj(member, unpacked, 1 << 20)
        unpacked.flush()
        return unpacked


class SafetensorsRows(Rows):
    """Rows of the tensor of images of a .safetensors file, whose header is checked against its size by safetensors."""

    def __init__(self, path: Path) -> None:
        from safetensors import SafetensorError, safe_open

        self._path = path
        try:
            with files.pinned(path) as pinned, safe_open(pinned, "np") as file:
                self._key, self.note = found_key(path, list(file.keys()))
                values = file.get_slice(self._key)
                self.shape, dtype = tuple(values.get_shape()), values.get_dtype()
        except (SafetensorError, *UNREADABLE) as error:
            refuse(path, f"it cannot be read: {error}", "write it again with safetensors", error)
        self.dtype = SAFETENSORS.get(dtype, dtype)

    def read(self, rows: Sequence[int]) -> NDArray[Any]:
        """Return these rows."""
        import numpy as np
        from safetensors import SafetensorError, safe_open

        try:
            with files.pinned(self._path) as pinned, safe_open(pinned, "np") as file:
                stored = file.get_slice(self._key)
                return np.concatenate([stored[row : row + 1] for row in rows])
        except (SafetensorError, *UNREADABLE) as error:
            refuse(self._path, f"it cannot be read: {error}", "write it again with safetensors", error)


def found_key(path: Path, names: list[str]) -> tuple[str, str]:
    """Return what the array of images is called among those of a file, and a note where it had to be chosen.

    Raises DataError where there is none, or where it is there twice.
    """
    key = next((name for name in KEYS if name in names), "")
    there = ", ".join(sorted(names)) or "nothing"
    if not key:
        refuse(path, f"it has no array {KEY!r} among: {there}", f"save the images as {KEY}.{did_you_mean(KEY, names)}")
    if names.count(key) > 1:
        refuse(path, f"it holds {key} twice", "write it again, with the images once")
    return key, "" if key == KEY or len(names) == 1 else f"of its arrays ({there}) {key} is taken"
