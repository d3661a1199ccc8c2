"""Original files as torchvision knows them: found in the data folder, downloaded into it, and read in silence."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import socket
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genbench import DataError, fingerprint, opened

TIMEOUT = 20.0
"""Seconds that a connection may stay silent."""


@dataclass(frozen=True)
class Originals:
    """The files of one dataset: `files` within `place`, a folder in the data folder.

    source names the class in torchvision.datasets; archives, relative to the data folder, are what it would download:
    where one lies there already, it is unpacked.
    """

    name: str
    source: str
    place: str
    files: tuple[str, ...]
    archives: tuple[str, ...]

    def fingerprint(self, folder: Path) -> str:
        """Return what tells changed files from unchanged ones, of those that are there."""
        return fingerprint(folder / self.place / name for name in self.files)

    def load(self, folder: Path) -> tuple[Any, Any]:
        """Return torchvision's train and test set, downloaded first where files are missing."""
        if self._missing(folder):
            self._download(folder)
        try:
            for name in self.files:
                opened(folder / self.place / name).close()  # torchvision would wait for a pipe
            with _quiet():
                return self._read(folder, train=True), self._read(folder, train=False)
        except Exception as error:
            raise DataError(
                f"{self.name}: the files in {str(folder / self.place)!r} cannot be read ({_line(error)}). "
                f"Remove them and fetch them again: genbench data prepare {self.name}"
            ) from error

    def _missing(self, folder: Path) -> list[str]:
        return [name for name in self.files if not (folder / self.place / name).exists()]

    def _read(self, folder: Path, train: bool, download: bool = False) -> Any:
        import torchvision

        return getattr(torchvision.datasets, self.source)(str(folder), train=train, download=download)

    def _download(self, folder: Path) -> None:
        missing = self._missing(folder)
        try:
            with _quiet(), _staging(folder) as staging:
                self._fetch(folder, staging)
        except Exception as error:
            raise DataError(
                f"{self.name}: {', '.join(missing)} not in {str(folder / self.place)!r}, and the download failed "
                f"({_line(error)}). Put the files there, or run with a network: genbench data prepare {self.name}"
            ) from error

    def _fetch(self, folder: Path, staging: Path) -> None:
        """Let torchvision fill a folder aside, then move its files in: a kill leaves no half of a file."""
        for archive in self.archives:
            if (folder / archive).is_file():
                (staging / archive).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / archive, staging / archive)
        self._read(staging, train=True, download=True)
        (folder / self.place).mkdir(parents=True, exist_ok=True)
        for name in self.files:
            os.replace(staging / self.place / name, folder / self.place / name)


@contextlib.contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """Yield an empty folder within the data folder, which is made for it and unmade again if nothing came of it."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as staging:
            yield Path(staging)
    finally:
        with contextlib.suppress(OSError):
            for path in made:
                path.rmdir()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what torchvision prints and warns of from the screen, and its connections from hanging."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        socket.setdefaulttimeout(before)


def _line(error: BaseException) -> str:
    """Return an error's kind and text on one line of bounded length."""
    text = " ".join("".join(c if c.isprintable() else " " for c in str(error)).split())
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__
