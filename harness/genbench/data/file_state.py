"""Files of images made elsewhere: listed, known by their content, and looked at again for changes."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from genbench import files
from genbench.data import image_files
from genbench.data.image_files import refuse
from genbench.errors import ChangedError, DataError, printable

EXPECTED = "expected .npz, .npy, .safetensors, or a folder of images"


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
            now = {_name(self._path, file): _stamp(file) for file in read}
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
    return {_name(path, file): _stamp(file) for file in (listed(path) if os.path.isdir(path) else [path])}


def _name(path: Path, file: Path) -> str:
    """Return what a file at a path is called: by its place in a folder."""
    return file.name if file == path else str(file.relative_to(path))


def _stamp(file: Path) -> list[int]:
    try:
        now = file.stat()
    except OSError as error:
        _unseen(file, error)
    if not stat.S_ISREG(now.st_mode):  # a pipe would be waited for, a device read for ever
        refuse(file, "it is no plain file", EXPECTED)
    return files.state(now)


def _unseen(path: Path, error: OSError) -> NoReturn:
    if not isinstance(error, FileNotFoundError):
        refuse(path, f"it cannot be looked at: {error.strerror or error}", "expected images that you may read", error)
    if path.is_symlink():
        refuse(path, "it is a link to what is not there", "mend it, or remove it", error)
    refuse(path, "there is no such file or folder", EXPECTED, error)


def listed(path: Path) -> list[Path]:
    """Return the images in a folder and in the folders in it, by name. Raises DataError where there are none."""
    images = list(_within(path, ()))
    if not images:
        refuse(path, "no images in it", f"expected files ending in {' '.join(image_files.SUFFIXES)}")
    return images


def _within(path: Path, outside: tuple[str, ...]) -> Iterator[Path]:
    """Yield the images in a folder, then those in each folder in it; outside are those that it lies in."""
    here = os.path.realpath(path)
    if here in outside:
        refuse(path, "it is a link to a folder that it lies in", "remove it")
    try:
        images, folders = image_files.entries(path)
    except OSError as error:
        _unseen(path, error)
    yield from images
    for inner in folders:
        yield from _within(inner, (*outside, here))
